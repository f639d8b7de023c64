// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// How long look-ups wait between attempts.
///
/// Source: CrowdSec enrichment, 3.
enum Backoff {
    static let longestAsked: Duration = .seconds(60)

    /// 2, 4, 8, 16, 32 s, or what the server asks for where that is more, up to a minute.
    static func wait(after failures: Int, asked: Duration?) -> Duration {
        max(.seconds(1 << min(max(failures, 1), 5)), min(asked ?? .zero, longestAsked))
    }
}

/// The door through which all look-ups of one key go. A 429 closes it for a while; then one look-up tries, and the others
/// follow when it got through. So a spent quota costs six calls, not six for each address that waits.
public final class LookupGate: Sendable {
    /// What a look-up was let through with.
    struct Turn: Sendable, Hashable {
        /// The series of refusals in which it went; a late answer to an older one changes nothing.
        let series: Int
        let isProbe: Bool
    }

    private enum Phase {
        case open
        /// Closed until then; the next to come probes.
        case closed(until: Duration)
        case probing
    }

    private struct Waiter {
        let id: Int
        let continuation: CheckedContinuation<Wake, Never>
    }

    private enum Wake: Sendable { case again, failed, cancelled }

    private struct State {
        var phase = Phase.open
        /// Refusals in a row, of the probes.
        var refusals = 0
        var series = 0
        /// Until then every look-up fails at once: the day's quota is gone.
        var coolsUntil: Duration?
        var waiters: [Waiter] = []
        var nextID = 0
    }

    private let state = Mutex(State())
    private let time: any TimeSource
    private let coolDown: Duration
    /// Of one look-up; the same for all of the key, because they fail together.
    let attempts: Int

    /// - Parameters:
    ///   - attempts: of one look-up, the first included.
    ///   - coolDown: how long look-ups fail at once after a spent quota has survived all attempts.
    public init(time: any TimeSource = SystemTime(), attempts: Int = 6, coolDown: Duration = .seconds(900)) {
        self.time = time
        self.attempts = max(1, attempts)
        self.coolDown = coolDown
    }

    /// Whether and until when (on the clock of ``TimeSource/uptime``) look-ups fail at once.
    public var coolsUntil: Duration? {
        state.withLock { state in state.coolsUntil.flatMap { $0 > time.uptime ? $0 : nil } }
    }

    /// Look-ups that wait for a probe.
    var waiting: Int { state.withLock { $0.waiters.count } }

    // MARK: Passing

    private enum Step {
        case go(Turn)
        case sleep(until: Duration)
        case join
        case fail
    }

    /// Returns when it is the caller's turn; the caller then says how it went.
    func pass(by deadline: Deadline) async throws(CrowdSecError) -> Turn {
        while true {
            if Task.isCancelled { throw .cancelled }
            switch step() {
            case .go(let turn): return turn
            case .fail: throw .quotaExceeded
            case .sleep(let moment):
                // This one takes the probe; its place is given back if it may not wait that long.
                guard deadline.uptime.map({ moment < $0 }) ?? true else {
                    handOver(reopeningAt: moment)
                    throw .quotaExceeded
                }
                if moment > time.uptime {
                    do { try await time.sleep(untilUptime: moment) } catch {
                        handOver(reopeningAt: moment)
                        throw .cancelled
                    }
                }
                return state.withLock { Turn(series: $0.series, isProbe: true) }
            case .join:
                switch await join() {
                case .again: continue
                case .failed: throw .quotaExceeded
                case .cancelled: throw .cancelled
                }
            }
        }
    }

    private func step() -> Step {
        state.withLock { state in
            if let end = state.coolsUntil {
                if end > time.uptime { return .fail }
                state.coolsUntil = nil
            }
            switch state.phase {
            case .open: return .go(Turn(series: state.series, isProbe: false))
            case .closed(let moment):
                state.phase = .probing
                return .sleep(until: moment)
            case .probing: return .join
            }
        }
    }

    private func join() async -> Wake {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard case .probing = state.phase, !Task.isCancelled else { return true }
                    state.waiters.append(Waiter(id: id, continuation: continuation))
                    return false
                }
                if isOver { continuation.resume(returning: .again) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            waiter?.continuation.resume(returning: .cancelled)
        }
    }

    // MARK: What came of it

    /// An answer: the door is open.
    func succeeded(_ turn: Turn) {
        wake(.again) { state in
            guard turn.isProbe || state.refusals == 0 else { return false }
            state.refusals = 0
            state.phase = .open
            return true
        }
    }

    /// Something else than a 429: says nothing about the quota. Another look-up may probe.
    func released(_ turn: Turn) {
        guard turn.isProbe else { return }
        handOver(reopeningAt: time.uptime)
    }

    /// A 429.
    ///
    /// - Parameter failures: how many attempts of this look-up have failed so far.
    /// - Returns: whether it may try again. At the end of the series everybody who waits fails with it.
    func refused(_ turn: Turn, failures: Int, asked: Duration?, limitIsSpent: Bool) -> Bool {
        var isExhausted = false
        wake(.failed) { state in
            // Sent before the door closed: what it says is known already.
            guard turn.isProbe || turn.series == state.series else { return false }
            state.series += 1
            state.refusals += 1
            isExhausted = state.refusals >= attempts
            if isExhausted {
                state.refusals = 0
                state.phase = .open
                if limitIsSpent { state.coolsUntil = time.uptime + coolDown }
            } else {
                let wait = Backoff.wait(after: max(state.refusals, failures), asked: asked)
                state.phase = .closed(until: time.uptime + wait)
            }
            return isExhausted
        }
        // One of those who wait for this probe is the next to sleep until the door opens.
        if turn.isProbe, !isExhausted { wake(.again) { _ in true } }
        return !isExhausted && failures < attempts
    }

    private func handOver(reopeningAt moment: Duration) {
        wake(.again) { state in
            if case .probing = state.phase { state.phase = .closed(until: moment) }
            return true
        }
    }

    private func wake(_ wake: Wake, _ change: (inout State) -> Bool) {
        let woken = state.withLock { state -> [Waiter] in
            guard change(&state) else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in woken { waiter.continuation.resume(returning: wake) }
    }
}
