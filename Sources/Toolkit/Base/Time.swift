// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Where the time comes from: the system in production, a script in tests and simulation.
public protocol TimeSource: Sendable {
    /// The wall clock.
    var now: Instant { get }
    /// Time since some fixed point; never jumps, runs on while the wall clock is set.
    var uptime: Duration { get }
    /// Returns when `uptime` has reached `moment`; throws `CancellationError` at once when the task is cancelled.
    func sleep(untilUptime moment: Duration) async throws
}

extension TimeSource {
    public func sleep(for duration: Duration) async throws { try await sleep(untilUptime: uptime + duration) }
}

/// The machine's clocks.
public struct SystemTime: TimeSource {
    public init() {}

    public var now: Instant {
        let time = read(CLOCK_REALTIME)
        return Instant(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    public var uptime: Duration {
        let time = read(CLOCK_MONOTONIC)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }

    public func sleep(untilUptime moment: Duration) async throws {
        try Task.checkCancellation()
        let wait = moment - uptime
        guard wait > .zero else { return }
        let alarm = Alarm(after: wait)
        await withTaskCancellationHandler {
            await alarm.wait()
        } onCancel: {
            alarm.ring()
        }
        try Task.checkCancellation()
    }

    private func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        clock_gettime(clock, &time)
        return time
    }
}

/// One wait of one task, which leaves nothing behind when it is cancelled. `Task.sleep` keeps a cancelled wait, a kilobyte, until
/// its time would have come: a limit of twenty minutes around each of hundreds of requests a second would fill the memory.
final class Alarm: Sendable {
    private struct State {
        var continuation: CheckedContinuation<Void, Never>?
        var hasRung = false
    }
    private let state = Mutex(State())
    // Safe because: Dispatch's sources may be used from any thread; this one is set up before anybody else sees it.
    private nonisolated(unsafe) let timer = DispatchSource.makeTimerSource(queue: .global())

    init(after wait: Duration) {
        timer.schedule(deadline: .now() + .nanoseconds(Int(wait.inNanoseconds)), leeway: .nanoseconds(0))
        // Until it rings the source keeps this alive; being cancelled, it lets go.
        timer.setEventHandler { self.ring() }
        timer.resume()
    }

    /// Returns once it has rung.
    func wait() async {
        await withCheckedContinuation { continuation in
            let hasRung = state.withLock { state in
                if !state.hasRung { state.continuation = continuation }
                return state.hasRung
            }
            if hasRung { continuation.resume() }
        }
    }

    /// Before its time where nobody wants to wait any more.
    func ring() {
        let continuation = state.withLock { state in
            state.hasRung = true
            defer { state.continuation = nil }
            return state.continuation
        }
        timer.cancel()
        continuation?.resume()
    }
}

/// The moment, on the monotonic clock, after which a call gives up.
public struct Deadline: Sendable, Hashable, Comparable {
    /// On the scale of ``TimeSource/uptime``; `nil` never comes.
    public let uptime: Duration?

    public init(uptime: Duration?) { self.uptime = uptime }

    public static let never = Deadline(uptime: nil)
    public static func after(_ duration: Duration, on time: some TimeSource = SystemTime()) -> Deadline {
        Deadline(uptime: time.uptime + duration)
    }

    /// What is left, never below zero; `nil` without end.
    public func remaining(on time: some TimeSource = SystemTime()) -> Duration? {
        uptime.map { max(.zero, $0 - time.uptime) }
    }

    public func hasPassed(on time: some TimeSource = SystemTime()) -> Bool {
        uptime.map { $0 <= time.uptime } ?? false
    }

    public static func < (left: Deadline, right: Deadline) -> Bool {
        switch (left.uptime, right.uptime) {
        case (let left?, let right?): left < right
        case (_?, nil): true
        default: false
        }
    }
}

extension Duration {
    /// Whole milliseconds, cut.
    public var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
    /// Whole nanoseconds, cut; of a time longer than 292 years that many.
    var inNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, isOver) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isFurther) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return isOver || isFurther ? .max : sum
    }
    /// Seconds as a floating-point number, for metrics and messages.
    public var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
