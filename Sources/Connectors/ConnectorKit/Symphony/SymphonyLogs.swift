// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization
public import Telemetry

/// What is logged, also for the platform: gathered here, posted now and then.
///
/// The same level and sentence is dropped for 60 s; lines go out every 5 s, at 50, or at once for an error. Bounded: while
/// the platform can't be reached the newest 1,000 lines are kept. Source: Sekoia.io module, 0.1.
public final class SymphonyLogs: LogMirror {
    private struct State {
        var lines: [SymphonyPlatform.Line] = []
        var recent: [String: Duration] = [:]
        var isUrgent = false
    }
    static let repeatPause = Duration.seconds(60)
    static let flushAfter = Duration.seconds(5)
    static let flushAt = 50
    static let capacity = 1000

    private let state = Mutex(State())
    private let wake = BoundedChannel<Void>(capacity: 1)
    private let time: any TimeSource

    public init(time: any TimeSource = SystemTime()) { self.time = time }

    public func take(_ level: LogLevel, _ message: String, at moment: Instant) {
        guard level >= .info else { return }
        let now = time.uptime
        let mustWake = state.withLock { state in
            let key = level.name + ":" + message
            if let last = state.recent[key], now - last < Self.repeatPause { return false }
            if state.recent.count > 500 { state.recent = state.recent.filter { now - $0.value < Self.repeatPause } }
            state.recent[key] = now
            if state.lines.count >= Self.capacity { state.lines.removeFirst() }
            state.lines.append(.init(time: moment, level: level.name, message: message))
            if level >= .error { state.isUrgent = true }
            return state.isUrgent || state.lines.count >= Self.flushAt
        }
        if mustWake { _ = wake.offer(()) }
    }

    /// What waits, taken out; for the last report of an action.
    public func drain() -> [SymphonyPlatform.Line] {
        state.withLock { state in
            defer { state.lines = [] }
            state.isUrgent = false
            return state.lines
        }
    }

    /// Posts until cancelled, then once more.
    public func run(to platform: SymphonyPlatform) async {
        while !Task.isCancelled {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { [time] in try? await time.sleep(for: Self.flushAfter) }
                group.addTask { [wake] in _ = await wake.receive() }
                await group.next()
                group.cancelAll()
            }
            await flush(to: platform)
        }
    }

    /// One post of what waits. Lines that the platform does not take are put back, as far as there is room.
    public func flush(to platform: SymphonyPlatform) async {
        let lines = drain()
        guard !lines.isEmpty else { return }
        do { try await platform.post(lines) } catch {
            state.withLock { state in
                guard error.isRetryable else { return }
                state.lines = (lines + state.lines).suffix(Self.capacity)
            }
        }
    }
}
