// SPDX-License-Identifier: Apache-2.0

/// What a broker tells us on an open connection.
enum AMQPEvent: Sendable, Hashable {
    case message(ReceivedMessage)
    /// A published message came back: it found no queue. `id` is the one it was sent with.
    case returned(id: String)
    case confirmed(tag: UInt64, multiple: Bool)
    case nacked(tag: UInt64, multiple: Bool)
    /// The queue that we read from was deleted.
    case cancelled
    /// Memory or disk is short there: nothing may be published until it is over.
    case blocked(reason: String)
    case unblocked
}

/// A message as it came from a queue.
struct ReceivedMessage: Sendable, Hashable {
    var tag: UInt64
    var isRedelivered: Bool
    /// How often a quorum queue has delivered it before; `nil` of a classic one, which does not count.
    var deliveryCount: Int?
    var body: [UInt8]
    /// The whole body's size, when it was more than the limit and only its beginning was kept.
    var cutFrom: Int?
}

/// Puts messages together from frames: a method, a header with the size, then fragments of the body.
///
/// A value without I/O. A body over the limit is not kept (but for its beginning, which names the work), so that a message of
/// any size costs no more memory than its frames.
struct MessageAssembler: Sendable {
    enum Kind: Sendable, Hashable {
        case delivery(tag: UInt64, isRedelivered: Bool)
        case returned
    }

    /// Bytes kept of a body over the limit.
    static let keptOfLarge = 4096

    let maxBytes: Int
    private var kind: Kind?
    private var expected: UInt64?
    private var seen: UInt64 = 0
    private var body: [UInt8] = []
    private var messageID = ""
    private var deliveryCount: Int?

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    /// A method that a header follows.
    mutating func begin(_ kind: Kind) throws(FrameError) {
        guard self.kind == nil else { throw FrameError() }
        self.kind = kind
    }

    /// - Returns: the message, when it has no body.
    mutating func header(bodyBytes: UInt64, messageID: String, deliveryCount: Int?) throws(FrameError) -> AMQPEvent? {
        guard kind != nil, expected == nil else { throw FrameError() }
        expected = bodyBytes
        self.messageID = messageID
        self.deliveryCount = deliveryCount
        if bodyBytes <= UInt64(maxBytes) { body.reserveCapacity(Int(bodyBytes)) }
        return finishIfComplete()
    }

    /// - Returns: the message, with its last fragment.
    mutating func fragment(_ bytes: UnsafeRawBufferPointer) throws(FrameError) -> AMQPEvent? {
        guard let expected, seen + UInt64(bytes.count) <= expected else { throw FrameError() }
        seen += UInt64(bytes.count)
        let limit = expected <= UInt64(maxBytes) ? maxBytes : Self.keptOfLarge
        body.append(contentsOf: bytes.prefix(max(0, limit - body.count)))
        return finishIfComplete()
    }

    /// Frames that break the protocol's order: the connection can't be trusted any more.
    struct FrameError: Error {}

    private mutating func finishIfComplete() -> AMQPEvent? {
        guard let kind, let expected, seen == expected else { return nil }
        defer {
            self.kind = nil
            self.expected = nil
            seen = 0
            body = []
            messageID = ""
            deliveryCount = nil
        }
        switch kind {
        case .returned: return .returned(id: messageID)
        case .delivery(let tag, let isRedelivered):
            return .message(
                ReceivedMessage(
                    tag: tag, isRedelivered: isRedelivered, deliveryCount: deliveryCount, body: body,
                    cutFrom: expected > UInt64(maxBytes) ? Int(clamping: expected) : nil))
        }
    }
}
