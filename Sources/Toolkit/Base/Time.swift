// SPDX-License-Identifier: Apache-2.0

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
        let wait = moment - uptime
        if wait > .zero { try await Task.sleep(for: wait) } else { try Task.checkCancellation() }
    }

    private func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        clock_gettime(clock, &time)
        return time
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
    /// Seconds as a floating-point number, for metrics and messages.
    public var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
