// SPDX-License-Identifier: Apache-2.0

import Base
import Synchronization

/// A message taken from a queue. It stays the broker's until it is acknowledged.
public struct Delivery: Sendable {
    /// Names it towards ``QueueConsumer/acknowledge(_:)``; worthless once the connection is another.
    public struct Tag: Sendable, Hashable {
        let connection: Int
        let number: UInt64
    }
    public var tag: Tag
    public var body: [UInt8]
    /// It was delivered before, to us or somebody else.
    public var isRedelivered: Bool
    /// How often a quorum queue has delivered it before; `nil` of a classic one, which does not count.
    public var deliveryCount: Int?
    /// The whole size of a body over the limit, of which only the beginning is here.
    public var cutFrom: Int?
}

/// Reads one queue with manual acknowledgement, over whatever connections that takes.
///
/// At most `prefetch` messages are out at a time; that bounds memory. What was out when a connection was lost comes again,
/// marked as redelivered.
public final class QueueConsumer: Sendable {
    public struct Options: Sendable {
        public var queue: String
        /// Messages out at a time, 1…65535.
        public var prefetch: Int
        /// Larger bodies come cut, with ``Delivery/cutFrom`` set.
        public var maxMessageBytes: Int
        /// Shown by RabbitMQ's console.
        public var name: String
        public var observe: @Sendable (BrokerState) -> Void

        public init(
            queue: String, prefetch: Int, maxMessageBytes: Int = 64 << 20, name: String = "sallyport",
            observe: @escaping @Sendable (BrokerState) -> Void = { _ in }
        ) {
            self.queue = queue
            self.prefetch = prefetch
            self.maxMessageBytes = maxMessageBytes
            self.name = name
            self.observe = observe
        }
    }

    private let link: BrokerLink
    private let shared = Shared()
    private let deliveries: BoundedChannel<Delivery>

    /// Starts at once. - Parameter address: asked for each connection, so that a fresh password takes effect.
    ///
    /// - Throws: ``BrokerError/unreachable(broker:reason:)`` when the process is out of file descriptors.
    public init(_ address: @escaping @Sendable () -> BrokerAddress, _ options: Options) throws(BrokerError) {
        // The broker never has more out than the prefetch of this connection and what was left of the last one.
        let deliveries = BoundedChannel<Delivery>(capacity: 2 * max(1, options.prefetch))
        self.deliveries = deliveries
        link = try BrokerLink(
            .init(
                address: address, name: options.name, limits: .init(maxMessageBytes: options.maxMessageBytes),
                observe: options.observe))
        let shared = shared
        link.start { ConsumerRole(options, shared, deliveries) }
    }

    /// The next message; `nil` once closed or when the task is cancelled.
    public func next() async -> Delivery? { await deliveries.receive() }

    /// The broker may forget it. Does nothing when its connection is gone: then it comes again.
    public func acknowledge(_ tag: Delivery.Tag) { settle(tag, isDone: true) }

    /// The broker may give it to somebody else at once.
    public func giveBack(_ tag: Delivery.Tag) { settle(tag, isDone: false) }

    private func settle(_ tag: Delivery.Tag, isDone: Bool) {
        let isFirst = shared.settled.withLock { settled in
            settled.append((tag, isDone))
            return settled.count == 1
        }
        // The thread takes all of them at once.
        if isFirst { link.wake() }
    }

    /// Takes no more. What is out may still be acknowledged until ``close()``.
    public func stopTaking() { deliveries.finish() }

    /// Sends what is settled and lets go of the queue; everything else goes back to it.
    public func close() async {
        deliveries.finish()
        await link.close()
    }

    final class Shared: Sendable {
        let settled = Mutex<[(tag: Delivery.Tag, isDone: Bool)]>([])
    }
}

/// The thread's side of a ``QueueConsumer``.
private final class ConsumerRole: BrokerRole {
    private let options: QueueConsumer.Options
    private let shared: QueueConsumer.Shared
    private let deliveries: BoundedChannel<Delivery>
    private var connection = 0

    init(_ options: QueueConsumer.Options, _ shared: QueueConsumer.Shared, _ deliveries: BoundedChannel<Delivery>) {
        self.options = options
        self.shared = shared
        self.deliveries = deliveries
    }

    func opened(_ session: AMQPSession) throws(BrokerError) {
        connection += 1
        try session.consume(options.queue, prefetch: options.prefetch)
    }

    func send(_ session: AMQPSession) throws(BrokerError) -> Bool {
        let settled = shared.settled.withLock { settled in
            defer { settled = [] }
            return settled
        }
        for (tag, isDone) in settled where tag.connection == connection {
            if isDone { try session.acknowledge(tag.number) } else { try session.giveBack(tag.number) }
        }
        return false
    }

    func received(_ event: AMQPEvent) throws(BrokerError) {
        switch event {
        case .message(let message):
            let delivery = Delivery(
                tag: Delivery.Tag(connection: connection, number: message.tag), body: message.body,
                isRedelivered: message.isRedelivered, deliveryCount: message.deliveryCount, cutFrom: message.cutFrom)
            // Refused only while closing: the broker gets it back with the connection's end.
            _ = deliveries.offer(delivery)
        case .cancelled: throw .noQueue(options.queue)
        case .blocked(let reason): options.observe(.blocked(reason: reason))
        case .unblocked: options.observe(.connected)
        case .returned, .confirmed, .nacked: break
        }
    }

    func lost() {
        // Messages of the lost connection that nobody has taken yet come again: the old ones are dropped.
        while deliveries.poll() != nil {}
        shared.settled.withLock { $0 = [] }
    }

    func ended() { deliveries.finish() }
}
