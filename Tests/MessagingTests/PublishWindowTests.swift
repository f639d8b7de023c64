// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Messaging

@Suite("Publish window") struct PublishWindowTests {
    private func window(_ batches: [(UInt64, Int)], maxMessages: Int = 100, maxBytes: Int = 1000) -> PublishWindow {
        var window = PublishWindow(maxMessages: maxMessages, maxBytes: maxBytes)
        for (batch, count) in batches {
            window.add(
                batch: batch, bodies: (0..<count).map { [UInt8(batch), UInt8($0)] }, exchange: "e", routingKey: "k")
        }
        return window
    }

    private func drain(_ window: inout PublishWindow) -> [[UInt8]] {
        var sent: [[UInt8]] = []
        while let message = window.next() { sent.append(message.body) }
        return sent
    }

    // covers: bus:confirms
    @Test func `a batch ends with its last confirmation, alone or for many at once`() {
        var window = window([(1, 2), (2, 1)])
        #expect(drain(&window) == [[1, 0], [1, 1], [2, 0]])
        #expect(window.confirmed(1, multiple: false).isEmpty)
        #expect(window.unconfirmedCount == 2)
        let ended = window.confirmed(3, multiple: true)
        #expect(ended.map(\.batch) == [1, 2])
        #expect(ended.allSatisfy { $0.end == .confirmed })
        // A broker that confirms twice changes nothing.
        #expect(window.confirmed(3, multiple: true).isEmpty)
        #expect(window.unconfirmedCount == 0 && !window.hasWork)
    }

    // covers: bus:nack
    @Test func `what the broker refuses goes again, in front`() {
        var window = window([(1, 2), (2, 1)], maxMessages: 2)
        _ = drain(&window)
        window.nacked(1, multiple: false)
        #expect(window.next()?.body == [1, 0])
        #expect(window.confirmed(2, multiple: false).isEmpty)
        #expect(window.confirmed(3, multiple: false).map(\.batch) == [1])
    }

    // covers: bus:reconnect
    @Test func `what is unconfirmed when the connection is lost goes again, on a channel that counts anew`() {
        var window = window([(1, 3)])
        _ = drain(&window)
        _ = window.confirmed(2, multiple: false)
        window.lost()
        #expect(window.next()?.sequence == 1)
        #expect(window.next()?.body == [1, 2])
        #expect(window.next() == nil)
        #expect(window.confirmed(2, multiple: true).map(\.end) == [.confirmed])
    }

    // covers: bus:unroutable
    @Test func `a message that came back fails its batch and no other`() {
        var window = window([(1, 2), (2, 1)])
        _ = drain(&window)
        window.cameBack("2")
        window.cameBack("no number")
        let ended = window.confirmed(3, multiple: true)
        #expect(ended.map(\.end) == [.unroutable, .confirmed])
    }

    // covers: bus:bounded
    @Test func `no more is out than the window holds, and one larger message goes alone`() {
        var window = PublishWindow(maxMessages: 10, maxBytes: 5)
        window.add(
            batch: 1, bodies: [[1, 2, 3], [4, 5, 6], Array(repeating: 7, count: 50)], exchange: "", routingKey: "")
        #expect(drain(&window).count == 1)
        _ = window.confirmed(1, multiple: false)
        #expect(drain(&window) == [[4, 5, 6]])
        _ = window.confirmed(2, multiple: false)
        #expect(drain(&window).map(\.count) == [50])
    }

    @Test func `what nobody waits for is not sent, and its confirmations are no news`() {
        var window = window([(1, 3), (2, 1)], maxMessages: 1)
        _ = window.next()
        window.abandon(batch: 1)
        #expect(window.confirmed(1, multiple: false).isEmpty)
        #expect(drain(&window) == [[2, 0]])
        #expect(window.confirmed(2, multiple: false).map(\.batch) == [2])
    }

    @Test func `thousands pass through a small window in order`() {
        var window = PublishWindow(maxMessages: 7, maxBytes: 1 << 20)
        for batch in 1...1000 {
            window.add(
                batch: UInt64(batch), bodies: [[UInt8(batch & 255)], [1]], exchange: "", routingKey: "")
        }
        var ended: [UInt64] = []
        var sent = 0
        while window.hasWork || window.unconfirmedCount > 0 {
            while window.next() != nil { sent += 1 }
            ended += window.confirmed(UInt64(sent), multiple: true).map(\.batch)
        }
        #expect(sent == 2000)
        #expect(ended == Array(1...1000).map(UInt64.init))
    }
}
