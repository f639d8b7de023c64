// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// The clock of a simulated vendor: a real one, whose wall time a test may move.
public final class SimulatorClock: TimeSource {
    private let base: any TimeSource
    private let offset = Mutex(Duration.zero)

    public init(_ base: any TimeSource = SystemTime()) { self.base = base }

    public var now: Instant { base.now.advanced(by: offset.withLock { $0 }) }
    public var uptime: Duration { base.uptime }

    public func sleep(untilUptime moment: Duration) async throws { try await base.sleep(untilUptime: moment) }

    /// Makes it `moment` now; the clock runs on from there. `nil` goes back to the real time.
    public func set(_ moment: Instant?) {
        let difference = moment.map { base.now.duration(to: $0) } ?? .zero
        offset.withLock { $0 = difference }
    }
}
