// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import Hashing
import JSON
import Messaging
import SimulatorKit
import Synchronization

/// The platform's side of the message bus: queues on a real RabbitMQ, the worker that takes bundles from them, and the one
/// that carries requests to connectors which listen over HTTP.
///
/// Source: OpenCTI protocol, 2.3, 5.6 and 7.
actor SimulatedBus {
    nonisolated let address: BrokerAddress?
    private let vendor: OpenCTIVendor
    private var publisher: QueuePublisher?
    private var workers: [String: (consumer: QueueConsumer, task: Task<Void, Never>)] = [:]
    private var transport: CurlTransport?
    private var deliveries: [Task<Void, Never>] = []
    private let key: SigningKey
    private var isClosed = false

    /// - Parameter key: signs callbacks from version 7 on.
    init(_ broker: SimulatedBroker?, key: SigningKey, vendor: OpenCTIVendor) {
        address = broker.map {
            BrokerAddress(
                host: $0.host, port: $0.port, virtualHost: $0.virtualHost, user: Secret($0.user),
                password: Secret($0.password))
        }
        self.key = key
        self.vendor = vendor
    }

    /// The keys that sign callbacks, as `jwks`.
    static func keySet(of key: SigningKey) -> String {
        let key: JSONValue = [
            "keys": [
                [
                    "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "simulated",
                    "x": .string(urlSafe(key.publicBytes)),
                ]
            ]
        ]
        return key.text
    }

    private static func urlSafe(_ bytes: [UInt8]) -> String {
        Base64.encode(bytes).replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    // MARK: Queues

    /// As the platform does at registrations and pings; then its worker reads what the connector sends.
    func assertQueues(of connector: String) async {
        guard let address, !isClosed else { return }
        do {
            try await BrokerTopology.assert(
                [
                    .init(
                        exchange: "amqp.connector.exchange", queue: "listen_" + connector,
                        routingKey: "listen_routing_" + connector),
                    .init(
                        exchange: "amqp.worker.exchange", queue: "push_" + connector,
                        routingKey: "push_routing_" + connector),
                ], at: address)
            if publisher == nil { publisher = try QueuePublisher({ address }) }
            guard workers[connector] == nil, !isClosed else { return }
            let consumer = try QueueConsumer({ address }, .init(queue: "push_" + connector, prefetch: 500))
            let vendor = vendor
            let task = Task {
                while let delivery = await consumer.next() {
                    vendor.take(delivery.body)
                    consumer.acknowledge(delivery.tag)
                }
            }
            workers[connector] = (consumer, task)
        } catch {
            // The broker is away: the next ping tries again.
            return
        }
    }

    func deleteQueues(of connector: String) async throws {
        guard let address else { return }
        try await BrokerTopology.delete(["listen_" + connector, "push_" + connector], at: address)
    }

    /// Ends the workers and deletes the queues with all that is in them, as if no connector had ever been.
    func forgetConnectors() async throws {
        guard let address else { return }
        let known = workers
        workers = [:]
        for worker in known.values {
            await worker.consumer.close()
            // What it took last is taken before this returns.
            await worker.task.value
        }
        try await BrokerTopology.delete(known.keys.flatMap { ["listen_" + $0, "push_" + $0] }, at: address)
    }

    // MARK: Requests

    /// Puts messages where the connector listens. Those over HTTP are carried until they are taken.
    func send(_ messages: [[UInt8]], to connector: String, callback: String?) async throws {
        if let callback {
            let token = authorization()
            let transport = try client()
            for message in messages {
                deliveries.append(Task { await Self.carry(message, to: callback, token: token, over: transport) })
            }
            deliveries.removeAll { $0.isCancelled }
            return
        }
        await assertQueues(of: connector)
        guard let publisher else { throw BrokerError.closed }
        try await publisher.publish(
            messages, exchange: "amqp.connector.exchange", routingKey: "listen_routing_" + connector)
    }

    private func client() throws -> CurlTransport {
        if let transport { return transport }
        let made = try CurlTransport(configuration: HTTPConfiguration(userAgent: "pycti/simulated"))
        transport = made
        return made
    }

    /// The connector user's token up to 6.9; from 7 on a token signed by the platform.
    private func authorization() -> String {
        let (token, isSigned) = vendor.read {
            ($0.configuration.token, $0.release >= .keySet)
        }
        let now = vendor.clock.now
        guard isSigned else { return token }
        let header: JSONValue = ["alg": "EdDSA", "kid": "simulated", "typ": "JWT"]
        let claims: JSONValue = [
            "iss": "opencti", "sub": "connector", "iat": .int(now.milliseconds / 1000),
            "exp": .int(now.milliseconds / 1000 + 3600),
        ]
        let text = Self.urlSafe(header.bytes) + "." + Self.urlSafe(claims.bytes)
        return text + "." + Self.urlSafe(key.signature(over: Array(text.utf8)))
    }

    private static func carry(
        _ message: [UInt8], to callback: String, token: String, over transport: CurlTransport
    ) async {
        var request = HTTPRequest(
            .post, callback,
            headers: ["Authorization": "Bearer " + token, "Content-Type": "application/json"], body: .bytes(message),
            operation: "callback")
        request.isIdempotent = true
        while !Task.isCancelled {
            if let answer = try? await transport.send(request, by: .after(.seconds(30))),
                answer.status == 200 || answer.status == 202
            {
                return
            }
            // The real worker waits for 10 to 30 s.
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    func close() async {
        isClosed = true
        for delivery in deliveries { delivery.cancel() }
        for worker in workers.values {
            await worker.consumer.close()
            worker.task.cancel()
        }
        workers = [:]
        await publisher?.close()
        publisher = nil
    }
}

extension OpenCTIVendor {
    /// One message of the push queue, as the worker takes it: a bundle of one object, or a whole one that it splits.
    func take(_ body: [UInt8]) {
        guard let message = try? JSONValue(parsing: body).object, let content = message["content"]?.string,
            let text = Base64.decode(content), let bundle = try? JSONValue(parsing: text),
            let objects = bundle["objects"]?.array
        else { return }
        let now = clock.now.description
        read { platform in
            var plain = message
            plain["content"] = nil
            plain["x_opencti_seq"] = bundle["x_opencti_seq"]
            platform.take(TakenBundle(way: "amqp", message: plain, objects: objects), at: now)
        }
    }
}

extension Platform {
    mutating func take(_ bundle: TakenBundle, at now: String) {
        knowledge.bundles.append(bundle)
        knowledge.apply(bundle.objects)
        guard let id = bundle.message["work_id"]?.string, var work = works[id] else { return }
        // A bundle of several objects is split by the worker, which then announces the parts itself.
        if bundle.objects.count > 1 { work.expected += bundle.objects.count }
        work.done += bundle.objects.count
        if !work.isMultiPart, work.done >= work.expected { work.complete(at: now) }
        works[id] = work
    }
}
