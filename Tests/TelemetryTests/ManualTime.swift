// SPDX-License-Identifier: Apache-2.0

import Base
import Synchronization

/// A clock that stands still until a test moves it.
final class ManualTime: TimeSource {
    private let elapsed = Mutex<Duration>(.zero)
    private let start = Instant(milliseconds: 1_767_225_600_000)  // 2026-01-01T00:00:00Z

    var now: Instant { start.advanced(by: uptime) }
    var uptime: Duration { elapsed.withLock { $0 } }
    func advance(by duration: Duration) { elapsed.withLock { $0 += duration } }
    func sleep(untilUptime moment: Duration) async throws { try Task.checkCancellation() }
}
