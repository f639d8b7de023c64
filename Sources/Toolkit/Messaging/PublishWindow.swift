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
    /// To send: first those that have to be sent again. A queue with a moving head.
    private var pending: [Message] = []
    private var head = 0
    /// Out, by sequence number from `first` on; `nil` once confirmed.
    private var out: [Message?] = []
    private var first: UInt64 = 1
    private var returned: Set<UInt64> = []
    private var bytesOut = 0
    private var messagesOut = 0
    private var batches: [UInt64: Batch] = [:]

    init(maxMessages: Int, maxBytes: Int) {
        self.maxMessages = maxMessages
        self.maxBytes = maxBytes
    }

    var hasWork: Bool { head < pending.count }
    var unconfirmedCount: Int { messagesOut }

    mutating func add(batch: UInt64, bodies: [[UInt8]], exchange: String, routingKey: String) {
        batches[batch] = Batch(unconfirmed: bodies.count, exchange: exchange, routingKey: routingKey)
        pending.append(contentsOf: bodies.map { Message(batch: batch, body: $0) })
    }

    /// Whoever waited for it has given up: what is not sent yet is not sent, what is out is not awaited.
    mutating func abandon(batch: UInt64) {
        guard batches[batch] != nil else { return }
        batches[batch]?.isAbandoned = true
        let kept = pending[head...].filter { $0.batch != batch }
        let dropped = pending.count - head - kept.count
        pending = Array(kept)
        head = 0
        settle(batch, count: dropped)
    }

    /// The next message to publish, with its sequence number; `nil` when there is none or the window is full.
    mutating func next() -> (sequence: UInt64, body: [UInt8], exchange: String, routingKey: String)? {
        guard head < pending.count, messagesOut < maxMessages else { return nil }
        let message = pending[head]
        // One message may be larger than the window: it goes alone.
        guard messagesOut == 0 || bytesOut + message.body.count <= maxBytes else { return nil }
        guard let batch = batches[message.batch] else {
            head += 1
            return next()
        }
        head += 1
        if head > 512, head * 2 > pending.count {
            pending.removeFirst(head)
            head = 0
        }
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
        let messages = take(tag, multiple: multiple).map(\.message)
        pending = messages + pending[head...]
        head = 0
    }

    /// A message came back; the broker confirms it all the same right after.
    mutating func cameBack(_ id: String) { if let sequence = UInt64(id) { returned.insert(sequence) } }

    /// What is unconfirmed goes again, on a new channel that counts from 1.
    mutating func lost() {
        pending = out.compactMap { $0 } + pending[head...]
        head = 0
        out = []
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
            guard let message = out[index] else { continue }
            out[index] = nil
            messagesOut -= 1
            bytesOut -= message.body.count
            taken.append((first + UInt64(index), message))
        }
        let done = out.prefix { $0 == nil }.count
        // Not for each confirmation: removing from the front moves the rest.
        if done == out.count || done > 512 {
            out.removeFirst(done)
            first += UInt64(done)
        }
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
