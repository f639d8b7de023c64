// SPDX-License-Identifier: Apache-2.0

public import OpenCTI
public import Settings
import Synchronization

/// When a connector that runs now and then begins a run. The connector declares ``ScheduleSettings/all``.
///
/// Source: OpenCTI protocol, 2.2 and 6.
public struct RunSchedule: Sendable {
    /// One run, then the process ends with 0: told so, or with a period of 0.
    public let runsOnce: Bool
    /// Between the beginnings of two runs; a second at least.
    public let period: Duration

    /// - Parameter usual: the period where none is set.
    public init(_ settings: ResolvedSettings, usual: Duration) {
        let period = settings[ScheduleSettings.period] ?? usual
        runsOnce = settings[ScheduleSettings.runsOnce] || period == .zero
        self.period = max(period, .seconds(1))
    }
}

/// Leaves out runs while too much of what was sent still waits at the platform. The first run after a start always begins.
public final class QueueThreshold: Sendable {
    private let megabytes: Double
    private let waiting: @Sendable () async throws(OpenCTIError) -> Int64
    private let hasRun = Mutex(false)

    /// - Parameter waiting: how many bytes wait in the connector's push queue.
    public init(_ settings: ResolvedSettings, waiting: @escaping @Sendable () async throws(OpenCTIError) -> Int64) {
        megabytes = settings[ScheduleSettings.queueThreshold]
        self.waiting = waiting
    }

    /// Why no run should begin now; `nil` when one should.
    public func congestion() async -> String? {
        let isFirst = hasRun.withLock { hasRun in
            defer { hasRun = true }
            return !hasRun
        }
        guard !isFirst, megabytes > 0 else { return nil }
        do throws(OpenCTIError) {
            let found = Double(try await waiting()) / 1_000_000
            return found >= megabytes ? "\(Int(found)) MB wait in the connector's queue" : nil
        } catch {
            // Where we may not ask, nothing is known to be wrong.
            return nil
        }
    }
}
