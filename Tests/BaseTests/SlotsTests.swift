// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

@testable import Base

@Suite("Slots", .timeLimit(.minutes(1))) struct SlotsTests {
    /// How many are in, and how many were at most.
    private final class Room: Sendable {
        let count = Mutex((now: 0, most: 0))

        func enter() {
            count.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
        }
        func leave() { count.withLock { $0.now -= 1 } }
    }

    @Test func `no more are in than there are slots`() async throws {
        let slots = Slots(3)
        let room = Room()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await slots.enter()
                    room.enter()
                    await Task.yield()
                    room.leave()
                    slots.leave()
                }
            }
            try await group.waitForAll()
        }
        #expect(room.count.withLock { $0.most } <= 3)
        #expect(room.count.withLock { $0.now } == 0)
    }

    @Test func `who is cancelled while waiting takes no slot`() async throws {
        let slots = Slots(1)
        try await slots.enter()
        let waiting = Task { try await slots.enter() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        slots.leave()
        // It is free: this would wait for ever otherwise.
        try await slots.enter()
    }
}
