// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@Suite("Bounded channel") struct ChannelTests {
    @Test func `keeps order and makes the sender wait`() async throws {
        let channel = BoundedChannel<Int>(capacity: 2)
        async let sent: Void = {
            for value in 0..<1000 { try await channel.send(value) }
            channel.finish()
        }()
        var received: [Int] = []
        while let value = await channel.receive() {
            #expect(channel.count <= 2)
            received.append(value)
        }
        try await sent
        #expect(received == Array(0..<1000))
    }

    @Test func `refuses after finish and hands out what is left`() async throws {
        let channel = BoundedChannel<Int>(capacity: 2)
        #expect(channel.offer(1) && channel.offer(2) && !channel.offer(3))
        channel.finish()
        await #expect(throws: BoundedChannel<Int>.Finished.self) { try await channel.send(4) }
        #expect(await channel.receive() == 1)
        #expect(channel.poll() == 2)
        #expect(await channel.receive() == nil)
    }

    @Test func `cancellation frees a waiting sender and a waiting receiver`() async throws {
        let channel = BoundedChannel<Int>(capacity: 1)
        let receiver = Task { await channel.receive() }
        receiver.cancel()
        #expect(await receiver.value == nil)
        try await channel.send(1)
        let sender = Task { try await channel.send(2) }
        sender.cancel()
        await #expect(throws: CancellationError.self) { try await sender.value }
        #expect(channel.count == 1)
    }
}
