// SPDX-License-Identifier: Apache-2.0

import Base
import Synchronization

/// Keys that other flows of a target have committed, until this flow's loop takes them.
final class ForeignChanges: Sendable {
    private let keys = Mutex<[Digest128]>([])
    private let bell = BoundedChannel<Void>(capacity: 1)

    func add(_ changed: [Digest128]) {
        keys.withLock { $0 += changed }
        _ = bell.offer(())
    }

    func take() -> [Digest128] {
        keys.withLock { keys in
            defer { keys = [] }
            return keys
        }
    }

    /// Returns when there is something to take, or when the task is cancelled.
    func wait() async { _ = await bell.receive() }
}
