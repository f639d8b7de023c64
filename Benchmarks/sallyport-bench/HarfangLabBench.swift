// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Subprocesses

#if canImport(Glibc)
    import Glibc
#endif

/// Rules out to a console and security events back, simulators and connectors in processes of their own.
struct HarfangLabBench {
    let program: String
    let python: String?
    private let time = SystemTime()
    private static let rules = 20_000
    private static let events = 10_000

    init(_ program: String, python: String?) {
        self.program = program
        self.python = python
    }

    func run() async throws -> JSONValue {
        let stand = try await Stand(program)
        var figures: JSONObject = [:]
        figures["rules_first"] = try await rules(stand, maturity: "stable", counter: "create_IOCRule")
        // Everything comes again and is written otherwise: one call a rule, by the ledger's ids.
        try await stand.web.post("\(stand.platform)/_admin/connector-state/reset", [:])
        figures["rules_warm_ledger"] = try await rules(stand, maturity: "testing", counter: "update_IOCRule")
        figures["events_over_api"] = try await events(stand)
        if let python {
            let process = try Subprocess(
                python, ["Benchmarks/baseline_harfanglab.py", stand.console, "8"], environment: [:])
            guard let line = await process.nextLine(), let rate = Double(line), rate > 0 else {
                throw BenchFailure("the baseline of HarfangLab gave no figure")
            }
            _ = await process.exitStatus()
            let own = figures["rules_warm_ledger"]?["rules_per_second"]?.double ?? 0
            figures["baseline"] =
                "requests, a search and a create per rule, one after the other, as the Python original does"
            figures["baseline_rules_per_second"] = .double(rate)
            figures["ratio"] = .double(own / rate)
        }
        try await stand.tearDown()
        if let python {
            let measured = try await BenchBroker.during(program, python: python) { try await eventsOverRabbitMQ($0) }
            for (name, value) in measured { figures[name] = value }
        }
        return .object(figures)
    }

    // MARK: RabbitMQ

    /// Split, one message an object, and whole. The bare client sends messages of the same size to the same queue: what the
    /// platform's worker reads there costs broker and processors as much as what is published.
    private func eventsOverRabbitMQ(_ broker: BenchBroker) async throws -> JSONObject {
        let message = Self.message
        var read = 0.0
        var split = try await events(broker, form: "split") { connector in
            read = try broker.bareRate(
                40_000, of: message, exchange: "amqp.worker.exchange", routingKey: "push_routing_" + connector)
        }
        let unread = try await broker.bareRate(40_000, bytes: message.count)
        let rate = split["messages_per_second"]?.double ?? 0
        split["baseline"] =
            "librabbitmq in a loop, window 1024, to the same queue with the same reader, same broker, same run"
        split["baseline_message_bytes"] = .int(message.count)
        split["baseline_confirmed_per_second"] = .int(Int(read))
        split["ratio"] = .double(rate / read)
        split["unread_baseline"] = "the same to a queue that nobody reads"
        split["unread_baseline_confirmed_per_second"] = .int(Int(unread))
        split["ratio_to_unread_baseline"] = .double(rate / unread)
        return [
            "events_over_rabbitmq_split": .object(split),
            "events_over_rabbitmq_whole": .object(try await events(broker, form: "whole")),
        ]
    }

    /// One object for the platform's worker, of the size that an import's messages have on average.
    private static var message: [UInt8] {
        let object: JSONValue = [
            "type": "relationship", "id": "relationship--0c2d9f6e-0b8a-5d5c-8a1e-3f0f2a7c9d11", "spec_version": "2.1",
            "relationship_type": "related-to", "source_ref": "indicator--5b6f5f0e-7d0c-5b1a-9b5a-0a4f4c0e7b21",
            "target_ref": "incident--8e2c6b1d-4a5f-5e3b-8c7d-6f1e2d3c4b5a",
            "description": .string(String(repeating: "x", count: 640)),
        ]
        let bundle: JSONValue = ["type": "bundle", "spec_version": "2.1", "x_opencti_seq": 1, "objects": [object]]
        let message: JSONValue = [
            "bundle_type": "QUEUE_BUNDLE", "action_sequence": 1, "entities_types": [], "update": true,
            "content": .string(Base64.encode(bundle.bytes)),
        ]
        return message.bytes
    }

    /// - Parameter after: told the connector's id once it has ended, while the platform still reads its queue.
    private func events(
        _ broker: BenchBroker, form: String, after: (String) async throws -> Void = { _ in }
    ) async throws -> JSONObject {
        // A queue of its own: what another case left must not count.
        let connector = "0c2d9f6e-0b8a-4d5c-8a1e-\(Int.random(in: 100_000_000_000...999_999_999_999))"
        let scene = try Scene(program)
        let platform = try await scene.simulator("opencti", ["--amqp-port", "\(broker.port)"])
        let console = try await scene.simulator("harfanglab", ["--alerts", "\(Self.events)"])
        let metrics = "http://127.0.0.1:\(try Loopback.freePort())"
        let started = time.uptime
        let process = try scene.start(
            ["run", "harfanglab-incidents"],
            [
                "OPENCTI_URL": platform, "OPENCTI_TOKEN": "7d3f0a52-1c9b-4b7e-9f60-2e5a8c4d1b39",
                "CONNECTOR_ID": connector, "CONNECTOR_DURATION_PERIOD": "PT60S", "CONNECTOR_BUNDLE_FORM": form,
                "HARFANGLAB_INCIDENTS_URL": console, "HARFANGLAB_INCIDENTS_TOKEN": Stand.token,
                "SALLYPORT_STATE_DIR": "\(scene.folder)/state",
                "SALLYPORT_HTTP_LISTEN": String(metrics.dropFirst("http://".count)),
            ])
        var messages = 0
        // The run has reported its end: everything is confirmed and durable.
        let (seconds, peak) = try await watch(process, since: started) {
            messages = max(messages, await scene.web.counter("sallyport_bundle_messages_total", at: metrics))
            let works = try await scene.web.get("\(platform)/_admin/state")["works"]?.array ?? []
            return works.contains { $0["processed_time"]?.string != nil }
        }
        try await after(connector)
        try await scene.tearDown()
        return [
            "events": .int(Self.events), "messages": .int(messages), "seconds": .double(seconds),
            "events_per_second": .int(Int(Double(Self.events) / seconds)),
            "messages_per_second": .int(Int(Double(messages) / seconds)),
            "peak_rss_mib": .double(Double(peak) / 1_048_576),
        ]
    }

    private func rules(_ stand: Stand, maturity: String, counter: String) async throws -> JSONValue {
        let started = time.uptime
        let process = try stand.start(
            "harfanglab-intel",
            [
                "CONNECTOR_LIVE_STREAM_ID": "1d0a53c4-6b62-4a3c-b0c5-7a7d1e5d9a20",
                "HARFANGLAB_INTEL_URL": stand.console, "HARFANGLAB_INTEL_TOKEN": Stand.token,
                "HARFANGLAB_INTEL_RULE_MATURITY": maturity, "CONNECTOR_ID": "6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11",
            ])
        let (seconds, peak) = try await watch(process, since: started) {
            try await stand.calls(counter) >= Self.rules
        }
        return [
            "rules": .int(Self.rules), "seconds": .double(seconds),
            "rules_per_second": .int(Int(Double(Self.rules) / seconds)),
            "peak_rss_mib": .double(Double(peak) / 1_048_576),
        ]
    }

    private func events(_ stand: Stand) async throws -> JSONValue {
        try await stand.web.post("\(stand.console)/_admin/alerts/generate", ["count": .int(Self.events)])
        let started = time.uptime
        let process = try stand.start(
            "harfanglab-incidents",
            [
                "CONNECTOR_QUEUE_PROTOCOL": "api", "CONNECTOR_DURATION_PERIOD": "PT60S",
                "HARFANGLAB_INCIDENTS_URL": stand.console, "HARFANGLAB_INCIDENTS_TOKEN": Stand.token,
                "CONNECTOR_ID": "0c2d9f6e-0b8a-4d5c-8a1e-5d2f7c3b9e44",
            ])
        let bundles = Self.events / 100
        let (seconds, peak) = try await watch(process, since: started) {
            try await stand.count("\(stand.platform)", "stixBundlePush") >= bundles
        }
        return [
            "events": .int(Self.events), "seconds": .double(seconds),
            "events_per_second": .int(Int(Double(Self.events) / seconds)),
            "peak_rss_mib": .double(Double(peak) / 1_048_576),
        ]
    }

    private func watch(
        _ process: Subprocess, since started: Duration, until isDone: () async throws -> Bool
    ) async throws -> (seconds: Double, peak: Int) {
        var peak = 0
        while try await !isDone() {
            peak = max(peak, process.memory?.peak ?? 0)
            guard process.isRunning else { throw BenchFailure("the connector ended") }
            guard time.uptime - started < .seconds(300) else { throw BenchFailure("the connector is stuck") }
            try await time.sleep(for: .milliseconds(50))
        }
        let seconds = (time.uptime - started).inSeconds
        peak = max(peak, process.memory?.peak ?? 0)
        process.signal(SIGTERM)
        _ = await process.exitStatus()
        return (seconds, peak)
    }

    /// The two simulators.
    private final class Stand {
        static let token = "8f2e6a0c5d9b4f17a3c8e1d06b7f94a2c5e8d013"
        let platform: String
        let console: String
        private let scene: Scene
        var web: BenchWeb { scene.web }

        init(_ program: String) async throws {
            scene = try Scene(program)
            platform = try await scene.simulator("opencti", ["--plain", "\(HarfangLabBench.rules)"])
            console = try await scene.simulator("harfanglab")
        }

        func start(_ connector: String, _ environment: [String: String]) throws -> Subprocess {
            let common = [
                "OPENCTI_URL": platform, "OPENCTI_TOKEN": "7d3f0a52-1c9b-4b7e-9f60-2e5a8c4d1b39",
                "SALLYPORT_STATE_DIR": "\(scene.folder)/\(connector)",
                "SALLYPORT_HTTP_LISTEN": "127.0.0.1:\(try Loopback.freePort())",
            ]
            return try scene.start(["run", connector], common.merging(environment) { $1 })
        }

        func calls(_ operation: String) async throws -> Int { try await count(console, operation) }

        func count(_ server: String, _ operation: String) async throws -> Int {
            let counters = try await web.get("\(server)/_admin/counters")
            let statuses = counters["operations"]?[operation]?["statuses"]?.object ?? [:]
            return statuses.reduce(0) { $0 + ($1.key.hasPrefix("2") ? Int($1.value.int ?? 0) : 0) }
        }

        func tearDown() async throws { try await scene.tearDown() }
    }
}
