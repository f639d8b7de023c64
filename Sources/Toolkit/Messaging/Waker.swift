// SPDX-License-Identifier: Apache-2.0

import Base
import CLinux

#if canImport(Glibc)
    import Glibc
#endif

/// Wakes a thread that waits in `poll`. Wakes that come while it is awake fold into one.
final class Waker: Sendable {
    private let descriptor: Int32

    init() throws(BrokerError) {
        descriptor = sp_wake_descriptor()
        guard descriptor >= 0 else {
            throw .unreachable(broker: "", reason: "the system gives no more file descriptors (errno \(errno))")
        }
    }

    deinit { close(descriptor) }

    func wake() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Returns when `socket` can be read (-1 for none), when woken, or after `timeout`.
    func wait(socket: Int32, timeout: Duration) {
        var watched = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&watched, socket < 0 ? 1 : 2, Int32(clamping: max(0, timeout.milliseconds)))
        if watched[0].revents != 0 {
            var count: UInt64 = 0
            _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
        }
    }
}
