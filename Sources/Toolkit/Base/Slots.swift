// SPDX-License-Identifier: Apache-2.0

/// At most so many at a time; whoever comes later waits, in the order of coming.
public final class Slots: Sendable {
    private let free: BoundedChannel<Void>

    /// - Parameter count: at least 1.
    public init(_ count: Int) {
        free = BoundedChannel(capacity: count)
        for _ in 0..<max(1, count) { _ = free.offer(()) }
    }

    /// Returns when there is room; each needs its ``leave()``.
    public func enter() async throws(CancellationError) {
        if await free.receive() == nil { throw CancellationError() }
    }

    public func leave() { _ = free.offer(()) }
}
