// SPDX-License-Identifier: Apache-2.0

/// What a publisher has to send, what is out unconfirmed, and which batches that concerns. A value without I/O.
///
/// A message is done when the broker has confirmed it, and not before; one whose connection is lost, or that the broker
/// refuses (nack), is sent again, in order as far as possible. One that came back for want of a queue fails its batch.
struct PublishWindow: Sendable {
    struct Message: Sendable {
        var batch: UInt64
        var body: [UInt8]
    }

    /// How one batch ended.
    enum End: Sendable, Hashable {
        case confirmed
        case unroutable
    }

    private struct Batch {
        var unconfirmed: Int
        var isUnroutable = false
        var isAbandoned = false
        var exchange: String
        var routingKey: String
    }

    private let maxMessages: Int
    private let maxBytes: Int
    /// To send: first those that have to be sent again.
    private var pending = WaitingLine<Message>()
    /// Out, by sequence number from `first` on; `nil` once confirmed.
    private var out = WaitingLine<Message>()
    private var first: UInt64 = 1
    private var returned: Set<UInt64> = []
    private var bytesOut = 0
    private var messagesOut = 0
    private var batches: [UInt64: Batch] = [:]

    init(maxMessages: Int, maxBytes: Int) {
        self.maxMessages = maxMessages
        self.maxBytes = maxBytes
    }

    var hasWork: Bool { !pending.isEmpty }
    var unconfirmedCount: Int { messagesOut }

    mutating func add(batch: UInt64, bodies: [[UInt8]], exchange: String, routingKey: String) {
        batches[batch] = Batch(unconfirmed: bodies.count, exchange: exchange, routingKey: routingKey)
        for body in bodies { pending.append(Message(batch: batch, body: body)) }
    }

    /// Whoever waited for it has given up: what is not sent yet is not sent, what is out is not awaited.
    mutating func abandon(batch: UInt64) {
        guard batches[batch] != nil else { return }
        batches[batch]?.isAbandoned = true
        let kept = pending.elements.filter { $0.batch != batch }
        let dropped = pending.count - kept.count
        pending = WaitingLine(kept)
        settle(batch, count: dropped)
    }

    /// The next message to publish, with its sequence number; `nil` when there is none or the window is full.
    mutating func next() -> (sequence: UInt64, body: [UInt8], exchange: String, routingKey: String)? {
        guard messagesOut < maxMessages, let message = pending.first else { return nil }
        // One message may be larger than the window: it goes alone.
        guard messagesOut == 0 || bytesOut + message.body.count <= maxBytes else { return nil }
        pending.removeFirst()
        guard let batch = batches[message.batch] else { return next() }
        out.append(message)
        messagesOut += 1
        bytesOut += message.body.count
        return (first + UInt64(out.count) - 1, message.body, batch.exchange, batch.routingKey)
    }

    /// - Returns: batches that ended.
    mutating func confirmed(_ tag: UInt64, multiple: Bool) -> [(batch: UInt64, end: End)] {
        take(tag, multiple: multiple).compactMap { sequence, message in
            if returned.remove(sequence) != nil { batches[message.batch]?.isUnroutable = true }
            return settle(message.batch, count: 1).map { (message.batch, $0) }
        }
    }

    /// The broker did not take them: they go again, in front.
    mutating func nacked(_ tag: UInt64, multiple: Bool) {
        pending = WaitingLine(take(tag, multiple: multiple).map(\.message) + pending.elements)
    }

    /// A message came back; the broker confirms it all the same right after.
    mutating func cameBack(_ id: String) { if let sequence = UInt64(id) { returned.insert(sequence) } }

    /// What is unconfirmed goes again, on a new channel that counts from 1.
    mutating func lost() {
        pending = WaitingLine(out.elements + pending.elements)
        out = WaitingLine()
        first = 1
        returned = []
        bytesOut = 0
        messagesOut = 0
    }

    private mutating func take(_ tag: UInt64, multiple: Bool) -> [(sequence: UInt64, message: Message)] {
        guard tag >= first, tag - first < UInt64(out.count) else { return [] }
        let last = Int(tag - first)
        var taken: [(sequence: UInt64, message: Message)] = []
        for index in (multiple ? 0 : last)...last {
            guard let message = out.take(index) else { continue }
            messagesOut -= 1
            bytesOut -= message.body.count
            taken.append((first + UInt64(index), message))
        }
        first += UInt64(out.removeLeadingGaps())
        return taken
    }

    @discardableResult
    private mutating func settle(_ batch: UInt64, count: Int) -> End? {
        guard var state = batches[batch] else { return nil }
        state.unconfirmed -= count
        guard state.unconfirmed <= 0 else {
            batches[batch] = state
            return nil
        }
        batches[batch] = nil
        return state.isAbandoned ? nil : state.isUnroutable ? .unroutable : .confirmed
    }
}
