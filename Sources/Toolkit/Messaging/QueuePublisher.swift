// SPDX-License-Identifier: Apache-2.0

import Base
import Synchronization

/// Publishes persistent messages with confirmation: a call returns when the broker has taken responsibility for each.
///
/// Calls share one channel and many messages are out at once. When the connection is lost, what is unconfirmed is sent
/// again on the next one, so that a message may arrive twice but none is lost.
public final class QueuePublisher: Sendable {
    public struct Options: Sendable {
        /// Messages out unconfirmed; with `maxBytesOut` the bound of memory.
        public var maxOut = 1024
        public var maxBytesOut = 8 << 20
        public var maxMessageBytes = 64 << 20
        public var name = "sallyport"
        public var observe: @Sendable (BrokerState) -> Void = { _ in }

        public init() {}
    }

    private let link: BrokerLink
    private let shared = Shared()
    private let options: Options

    /// Starts at once.
    ///
    /// - Throws: ``BrokerError/unreachable(broker:reason:)`` when the process is out of file descriptors.
    public init(
        _ address: @escaping @Sendable () -> BrokerAddress, _ options: Options = Options()
    ) throws(BrokerError) {
        self.options = options
        link = try BrokerLink(
            .init(
                address: address, name: options.name, limits: .init(maxMessageBytes: 1 << 20),
                observe: options.observe))
        let shared = shared
        link.start { PublisherRole(options, shared) }
    }

    /// Publishes in order and waits for every confirmation.
    ///
    /// - Throws: ``BrokerError/unroutable(exchange:routingKey:)`` when a message found no queue,
    ///   ``BrokerError/tooLarge(bytes:limit:)`` before anything is sent, ``BrokerError/closed`` after ``close()``, and
    ///   `CancellationError`: what was sent by then may arrive all the same.
    public func publish(_ bodies: [[UInt8]], exchange: String, routingKey: String) async throws {
        guard !bodies.isEmpty else { return }
        if let large = bodies.first(where: { $0.count > options.maxMessageBytes }) {
            throw BrokerError.tooLarge(bytes: large.count, limit: options.maxMessageBytes)
        }
        let id = shared.nextID()
        let end = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Ending, Never>) in
                let isRefused = shared.state.withLock { state in
                    if state.hasEnded || state.cancelled.remove(id) != nil { return true }
                    state.waiting[id] = continuation
                    state.requests.append(
                        .publish(id: id, bodies: bodies, exchange: exchange, routingKey: routingKey))
                    return false
                }
                if isRefused {
                    continuation.resume(returning: Task.isCancelled ? .cancelled : .closed)
                } else {
                    link.wake()
                }
            }
        } onCancel: {
            shared.cancel(id)
            link.wake()
        }
        shared.forget(id)
        switch end {
        case .confirmed: return
        case .unroutable: throw BrokerError.unroutable(exchange: exchange, routingKey: routingKey)
        case .closed: throw BrokerError.closed
        case .cancelled: throw CancellationError()
        }
    }

    public func close() async { await link.close() }

    enum Ending: Sendable {
        case confirmed
        case unroutable
        case closed
        case cancelled
    }

    enum Request: Sendable {
        case publish(id: UInt64, bodies: [[UInt8]], exchange: String, routingKey: String)
        case abandon(id: UInt64)
    }

    final class Shared: Sendable {
        struct State {
            var lastID: UInt64 = 0
            var requests: [Request] = []
            var waiting: [UInt64: CheckedContinuation<Ending, Never>] = [:]
            /// Cancelled before they waited.
            var cancelled: Set<UInt64> = []
            var hasEnded = false
        }
        let state = Mutex(State())

        func nextID() -> UInt64 {
            state.withLock { state in
                state.lastID += 1
                return state.lastID
            }
        }

        func cancel(_ id: UInt64) {
            let continuation = state.withLock { state -> CheckedContinuation<Ending, Never>? in
                guard let continuation = state.waiting.removeValue(forKey: id) else {
                    state.cancelled.insert(id)
                    return nil
                }
                state.requests.append(.abandon(id: id))
                return continuation
            }
            continuation?.resume(returning: .cancelled)
        }

        func forget(_ id: UInt64) { state.withLock { _ = $0.cancelled.remove(id) } }

        func end(_ id: UInt64, _ ending: Ending) {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(returning: ending)
        }
    }
}

/// The thread's side of a ``QueuePublisher``.
private final class PublisherRole: BrokerRole {
    private let options: QueuePublisher.Options
    private let shared: QueuePublisher.Shared
    private var window: PublishWindow
    private var isBlocked = false
    /// After a refusal: not again before this moment. A full queue would be asked without end.
    private var notBefore: Duration = .zero
    private let time = SystemTime()

    init(_ options: QueuePublisher.Options, _ shared: QueuePublisher.Shared) {
        self.options = options
        self.shared = shared
        window = PublishWindow(maxMessages: options.maxOut, maxBytes: options.maxBytesOut)
    }

    func opened(_ session: AMQPSession) throws(BrokerError) { try session.selectConfirms() }

    func send(_ session: AMQPSession) throws(BrokerError) -> Bool {
        takeRequests()
        guard !isBlocked, window.hasWork, time.uptime >= notBefore else { return false }
        // In small portions: confirmations and alarms are read in between, or both sides could wait for each other.
        var bytes = 0
        for _ in 0..<64 where bytes < 256 << 10 {
            guard let message = window.next() else { return false }
            bytes += message.body.count
            try session.publish(
                message.body, id: String(message.sequence), exchange: message.exchange, routingKey: message.routingKey)
        }
        return true
    }

    private func takeRequests() {
        let requests = shared.state.withLock { state in
            defer { state.requests = [] }
            return state.requests
        }
        for request in requests {
            switch request {
            case .publish(let id, let bodies, let exchange, let key):
                window.add(batch: id, bodies: bodies, exchange: exchange, routingKey: key)
            case .abandon(let id): window.abandon(batch: id)
            }
        }
    }

    func received(_ event: AMQPEvent) throws(BrokerError) {
        switch event {
        case .confirmed(let tag, let multiple):
            for (batch, end) in window.confirmed(tag, multiple: multiple) {
                shared.end(batch, end == .confirmed ? .confirmed : .unroutable)
            }
        case .nacked(let tag, let multiple):
            window.nacked(tag, multiple: multiple)
            notBefore = time.uptime + .seconds(1)
        case .returned(let id): window.cameBack(id)
        case .blocked(let reason):
            isBlocked = true
            options.observe(.blocked(reason: reason))
        case .unblocked:
            isBlocked = false
            options.observe(.connected)
        case .message, .cancelled: break
        }
    }

    func lost() {
        isBlocked = false
        takeRequests()
        window.lost()
    }

    func ended() {
        let waiting = shared.state.withLock { state in
            state.hasEnded = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume(returning: .closed) }
    }
}
