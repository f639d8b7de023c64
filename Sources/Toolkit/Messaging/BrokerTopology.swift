// SPDX-License-Identifier: Apache-2.0

import Base

/// Exchanges and queues as a platform makes them. Connectors never do: they use what is there.
public enum BrokerTopology {
    /// A durable queue bound to a durable direct exchange.
    public struct Binding: Sendable {
        public var exchange: String
        public var queue: String
        public var routingKey: String
        public init(exchange: String, queue: String, routingKey: String) {
            self.exchange = exchange
            self.queue = queue
            self.routingKey = routingKey
        }
    }

    /// Makes what is missing, over a connection of its own.
    public static func assert(_ bindings: [Binding], at address: BrokerAddress) async throws {
        try await onThread(address) { (session) throws(BrokerError) in
            for binding in bindings {
                try session.declare(exchange: binding.exchange)
                try session.declare(queue: binding.queue)
                try session.bind(
                    queue: binding.queue, exchange: binding.exchange, routingKey: binding.routingKey)
            }
        }
    }

    /// Deletes queues with everything in them.
    public static func delete(_ queues: [String], at address: BrokerAddress) async throws {
        try await onThread(address) { (session) throws(BrokerError) in
            for queue in queues { try session.delete(queue: queue) }
        }
    }

    private static func onThread(
        _ address: BrokerAddress, _ body: @escaping @Sendable (AMQPSession) throws(BrokerError) -> Void
    ) async throws {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Void, BrokerError>, Never>) in
            startThread(named: "topology") {
                do throws(BrokerError) {
                    let session = try AMQPSession(
                        address, name: "topology", limits: .init(maxMessageBytes: 1 << 20))
                    try body(session)
                    session.close()
                    continuation.resume(returning: .success(()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        try result.get()
    }
}
