// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Messaging
import Subprocesses

#if canImport(Glibc)
    import Glibc
#endif

/// Enrichment over a real RabbitMQ, and the publisher against a bare client of the same library on the same broker.
struct EnrichmentBench {
    let program: String
    let python: String
    private let time = SystemTime()
    private static let messages = 40_000
    private static let messageBytes = 2_000
    private static let requests = 3_000

    func run() async throws -> JSONValue {
        .object(try await BenchBroker.during(program, python: python) { try await measure($0) })
    }

    private func measure(_ broker: BenchBroker) async throws -> JSONObject {
        var figures: JSONObject = ["publish": try await publish(broker)]
        for (name, latency, settings) in Self.cases {
            figures[name] = try await enrich(broker.port, latency, settings)
        }
        return figures
    }

    // MARK: Publisher

    private func publish(_ broker: BenchBroker) async throws -> JSONValue {
        let bare = try await broker.bareRate(Self.messages, bytes: Self.messageBytes)
        let address = BrokerAddress(
            host: "127.0.0.1", port: broker.port, user: Secret("guest"), password: Secret("guest"))
        try await BrokerTopology.assert([.init(exchange: "bench", queue: "bench", routingKey: "bench")], at: address)
        let publisher = try QueuePublisher({ address })
        // As enrichments do it: bundles of 25 messages, 40 at a time.
        let bundle = [[UInt8]](repeating: [UInt8](repeating: 0x61, count: Self.messageBytes), count: 25)
        let started = time.uptime
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<(Self.messages / bundle.count) {
                if index >= 40 { try await group.next() }
                group.addTask { try await publisher.publish(bundle, exchange: "bench", routingKey: "bench") }
            }
            try await group.waitForAll()
        }
        let ours = (time.uptime - started).inSeconds
        await publisher.close()
        try await BrokerTopology.delete(["bench"], at: address)
        return [
            "baseline": "librabbitmq in a loop, window 1024, same broker, same run", "messages": .int(Self.messages),
            "message_bytes": .int(Self.messageBytes),
            "baseline_confirmed_per_second": .int(Int(bare)),
            "confirmed_per_second": .int(Int(Double(Self.messages) / ours)),
            "ratio": .double(Double(Self.messages) / ours / bare),
        ]
    }

    // MARK: Enrichment

    private static let recommended = [
        "CROWDSEC_INDICATOR_CREATE_FROM": "malicious,suspicious,known",
        "CROWDSEC_ATTACK_PATTERN_CREATE_FROM_MITRE": "true", "CROWDSEC_VULNERABILITY_CREATE_FROM_CVE": "true",
        "CROWDSEC_CREATE_NOTE": "true", "CROWDSEC_LABELS_CVE": "true", "CROWDSEC_LABELS_MITRE": "true",
        "CROWDSEC_LABELS_REPUTATION": "true", "CROWDSEC_LABELS_SCENARIO_LABEL": "false",
    ]
    private static let minimal = [
        "CROWDSEC_CREATE_TARGETED_COUNTRIES_SIGHTINGS": "false", "CROWDSEC_VULNERABILITY_CREATE_FROM_CVE": "false",
        "CROWDSEC_CREATE_SIGHTING": "false", "CROWDSEC_LABELS_SCENARIO_NAME": "false",
        "CROWDSEC_LABELS_SCENARIO_LABEL": "false",
    ]
    private static let cases: [(String, Int, [String: String])] = [
        ("recommended_split_0ms", 0, recommended), ("minimal_0ms", 0, minimal),
        ("recommended_whole_0ms", 0, recommended.merging(["CONNECTOR_BUNDLE_FORM": "whole"]) { $1 }),
        ("recommended_split_50ms", 50, recommended),
    ]

    private func enrich(_ port: Int, _ latency: Int, _ settings: [String: String]) async throws -> JSONValue {
        let scene = try Scene(program)
        let (web, folder) = (scene.web, scene.folder)
        let url = try await scene.simulator("opencti", ["--amqp-port", "\(port)"])
        let serviceURL = try await scene.simulator("crowdsec", ["--latency-ms", "\(latency)"])
        try await web.post("\(url)/_admin/settings", ["capabilities": ["BYPASS"]])
        let metrics = "http://127.0.0.1:\(try Loopback.freePort())"
        let connector = try scene.start(
            ["run", "--connector", "crowdsec"],
            settings.merging([
                "OPENCTI_URL": url, "OPENCTI_TOKEN": "7d3f0a52-1c9b-4b7e-9f60-2e5a8c4d1b39",
                // A queue of its own: what another case left must not count.
                "CONNECTOR_ID": "9b2f6c1e-3d4a-4f7b-8c1d-\(Int.random(in: 100_000_000_000...999_999_999_999))",
                "CONNECTOR_NAME": "CrowdSec", "CROWDSEC_KEY": "cs-cti-key-EXAMPLE", "CROWDSEC_API_URL": serviceURL,
                "SALLYPORT_STATE_DIR": "\(folder)/state",
                "SALLYPORT_HTTP_LISTEN": String(metrics.dropFirst("http://".count)),
            ]) { $1 })
        while try await web.get("\(url)/_admin/state")["registrations"]?.int == 0 {
            guard connector.isRunning else { throw BenchFailure("the connector ended; log in \(folder)") }
            try await time.sleep(for: .milliseconds(50))
        }
        var calls: Int64 = 0
        var rates: [Double] = []
        // The first round warms labels and organization up; the second counts.
        for round in 0..<2 {
            let addresses: [JSONValue] = (0..<Self.requests).map { number in
                [
                    "type": "IPv4-Addr",
                    "value": .string("4\(5 + round).\(number >> 16).\(number >> 8 & 255).\(number & 255)"),
                ]
            }
            let ids = try await web.post("\(url)/_admin/observables", .array(addresses))["ids"] ?? []
            let before = try await web.get("\(url)/_admin/counters")["total"]?.int ?? 0
            let started = time.uptime
            _ = try await web.post("\(url)/_admin/enrichments", ["entities": ids])
            while await web.counter("sallyport_enrichments_total", at: metrics) < (round + 1) * Self.requests {
                guard connector.isRunning else { throw BenchFailure("the connector ended; log in \(folder)") }
                guard time.uptime - started < .seconds(300) else { throw BenchFailure("stuck; log in \(folder)") }
                try await time.sleep(for: .milliseconds(20))
            }
            rates.append(Double(Self.requests) / (time.uptime - started).inSeconds)
            calls = (try await web.get("\(url)/_admin/counters")["total"]?.int ?? 0) - before
        }
        let peak = connector.memory?.peak ?? 0
        connector.signal(SIGTERM)
        _ = await connector.exitStatus()
        try await scene.tearDown()
        return [
            "requests": .int(Self.requests), "service_latency_ms": .int(latency),
            "enrichments_per_second": .double(rates[1]), "enrichments_per_second_cold": .double(rates[0]),
            "platform_calls_per_enrichment": .double(Double(calls) / Double(Self.requests)),
            "peak_rss_mib": .double(Double(peak) / 1_048_576),
        ]
    }
}
