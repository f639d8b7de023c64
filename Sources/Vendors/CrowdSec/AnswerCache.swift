// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// Answers of the last hour, and the look-ups under way: an address that is asked for ten times costs one token.
///
/// Kept as the texts that came, which take a third of the memory of what they mean. Bounded by age and by bytes; the
/// oldest leave first. A failure is shared by those who wait for it and not kept.
public final class AnswerCache: Sendable {
    public typealias LookUp = @Sendable () async throws(CrowdSecError) -> [UInt8]?

    private struct Kept {
        /// `nil`: not found.
        let body: [UInt8]?
        let until: Duration
        let number: Int
    }
    private struct Waiter {
        let id: Int
        /// `nil`: whoever looked it up has left without an answer; ask again.
        let continuation: CheckedContinuation<Result<[UInt8]?, CrowdSecError>?, Never>
    }
    private struct State {
        var kept: [String: Kept] = [:]
        /// By age; entries that were replaced or dropped stay until they reach the front.
        var order: [(key: String, number: Int)] = []
        var front = 0
        var bytes = 0
        var nextNumber = 0
        var pending: [String: [Waiter]] = [:]
    }

    private let state = Mutex(State())
    private let time: any TimeSource
    private let lifetime: Duration
    private let maxBytes: Int
    /// What an entry costs besides its text.
    private static let overhead = 200

    /// - Parameters:
    ///   - lifetime: zero keeps nothing; equal look-ups under way at one time are still shared.
    ///   - maxBytes: of all texts together.
    public init(lifetime: Duration, maxBytes: Int = 4 << 20, time: any TimeSource = SystemTime()) {
        self.lifetime = lifetime
        self.maxBytes = maxBytes
        self.time = time
    }

    /// How many answers are kept.
    public var count: Int { state.withLock { $0.kept.count } }

    /// Whether an answer came from here, and what it is.
    public struct Found: Sendable, Hashable {
        public var body: [UInt8]?
        public var isCached: Bool
    }

    private enum Step {
        case found([UInt8]?)
        case lookUp
        case wait
    }

    /// The answer for `key`, kept, shared or looked up.
    public func answer(for key: String, _ lookUp: LookUp) async throws(CrowdSecError) -> Found {
        while true {
            switch step(key) {
            case .found(let body): return Found(body: body, isCached: true)
            case .lookUp:
                do throws(CrowdSecError) {
                    let body = try await lookUp()
                    settle(key, .success(body))
                    return Found(body: body, isCached: false)
                } catch {
                    // Who gave up, gave up for itself.
                    let isOurs = if case .cancelled = error { true } else { Task.isCancelled }
                    settle(key, isOurs ? nil : .failure(error))
                    throw error
                }
            case .wait:
                if let result = await wait(for: key) { return Found(body: try result.get(), isCached: true) }
                if Task.isCancelled { throw .cancelled }
            }
        }
    }

    private func step(_ key: String) -> Step {
        state.withLock { state in
            if let kept = state.kept[key] {
                if kept.until > time.uptime { return .found(kept.body) }
                drop(key, &state)
            }
            if state.pending[key] != nil { return .wait }
            state.pending[key] = []
            return .lookUp
        }
    }

    private func wait(for key: String) async -> Result<[UInt8]?, CrowdSecError>? {
        let id = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard state.pending[key] != nil, !Task.isCancelled else { return true }
                    state.pending[key]?.append(Waiter(id: id, continuation: continuation))
                    return false
                }
                if isOver { continuation.resume(returning: nil) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.pending[key]?.firstIndex(where: { $0.id == id }) else { return nil }
                return state.pending[key]?.remove(at: index)
            }
            waiter?.continuation.resume(returning: nil)
        }
    }

    private func settle(_ key: String, _ result: Result<[UInt8]?, CrowdSecError>?) {
        let waiters = state.withLock { state -> [Waiter] in
            if case .success(let body)? = result, lifetime > .zero { keep(key, body, &state) }
            return state.pending.removeValue(forKey: key) ?? []
        }
        for waiter in waiters { waiter.continuation.resume(returning: result) }
    }

    // MARK: Keeping

    private func keep(_ key: String, _ body: [UInt8]?, _ state: inout State) {
        drop(key, &state)
        state.nextNumber += 1
        // A text that came in pieces has room for as much again.
        let body = body.map { $0.capacity > $0.count * 5 / 4 ? $0.withUnsafeBytes { Array($0) } : $0 }
        state.kept[key] = Kept(body: body, until: time.uptime + lifetime, number: state.nextNumber)
        state.order.append((key, state.nextNumber))
        state.bytes += Self.overhead + (body?.count ?? 0)
        while state.front < state.order.count {
            let oldest = state.order[state.front]
            let kept = state.kept[oldest.key]
            let isCurrent = kept?.number == oldest.number
            let isOver = kept.map { $0.until <= time.uptime } ?? true
            guard !isCurrent || isOver || state.bytes > maxBytes else { break }
            if isCurrent { drop(oldest.key, &state) }
            state.front += 1
        }
        if state.front > 1024, state.front * 2 > state.order.count {
            state.order.removeFirst(state.front)
            state.front = 0
        }
    }

    private func drop(_ key: String, _ state: inout State) {
        guard let kept = state.kept.removeValue(forKey: key) else { return }
        state.bytes -= Self.overhead + (kept.body?.count ?? 0)
    }
}
