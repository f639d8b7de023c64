// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
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
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/sallyport-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BenchFailure("no temporary folder in \(base)") }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let broker = try Subprocess(
            python, ["Benchmarks/broker.py", folder],
            environment: ["PATH": getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"])
        guard let line = await broker.nextLine(), let port = Int(line) else {
            throw BenchFailure("RabbitMQ did not start")
        }
        var figures: JSONObject = [:]
        do {
            figures["publish"] = try await publish(port)
            for (name, latency, settings) in Self.cases {
                figures[name] = try await enrich(port, "\(folder)/\(name)", latency, settings)
            }
        } catch {
            broker.signal(SIGTERM)
            _ = await broker.exitStatus()
            throw error
        }
        broker.signal(SIGTERM)
        _ = await broker.exitStatus()
        let removal = try Subprocess("/bin/rm", ["-r", folder], environment: [:])
        _ = await removal.exitStatus()
        return .object(figures)
    }

    // MARK: Publisher

    private func publish(_ port: Int) async throws -> JSONValue {
        let address = BrokerAddress(host: "127.0.0.1", port: port, user: Secret("guest"), password: Secret("guest"))
        try await BrokerTopology.assert([.init(exchange: "bench", queue: "bench", routingKey: "bench")], at: address)
        let now = { @Sendable in SystemTime().uptime.inSeconds }
        let bare = try BareClient.publish(
            Self.messages, bytes: Self.messageBytes, port: port, routingKey: "bench", exchange: "bench", now: now)
        try await BrokerTopology.delete(["bench"], at: address)
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
            "baseline_confirmed_per_second": .int(Int(Double(Self.messages) / bare)),
            "confirmed_per_second": .int(Int(Double(Self.messages) / ours)), "ratio": .double(bare / ours),
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

    private func enrich(
        _ port: Int, _ folder: String, _ latency: Int, _ settings: [String: String]
    ) async throws -> JSONValue {
        guard mkdir(folder, 0o700) == 0 else { throw BenchFailure("no folder \(folder)") }
        var configuration = HTTPConfiguration()
        configuration.proxy = .none
        let web = Web(transport: try CurlTransport(configuration: configuration))
        let (platform, url) = try await simulator("opencti", ["--amqp-port", "\(port)"], folder)
        let (service, serviceURL) = try await simulator("crowdsec", ["--latency-ms", "\(latency)"], folder)
        defer {
            platform.signal(SIGKILL)
            service.signal(SIGKILL)
        }
        try await web.post("\(url)/_admin/settings", ["capabilities": ["BYPASS"]])
        let metrics = "http://127.0.0.1:\(20_000 + Int.random(in: 0..<20_000))"
        let connector = try Subprocess(
            program, ["run", "--connector", "crowdsec"],
            environment: settings.merging([
                "OPENCTI_URL": url, "OPENCTI_TOKEN": "7d3f0a52-1c9b-4b7e-9f60-2e5a8c4d1b39",
                // A queue of its own: what another case left must not count.
                "CONNECTOR_ID": "9b2f6c1e-3d4a-4f7b-8c1d-\(Int.random(in: 100_000_000_000...999_999_999_999))",
                "CONNECTOR_NAME": "CrowdSec", "CROWDSEC_KEY": "cs-cti-key-EXAMPLE", "CROWDSEC_API_URL": serviceURL,
                "SALLYPORT_STATE_DIR": "\(folder)/state",
                "SALLYPORT_HTTP_LISTEN": String(metrics.dropFirst("http://".count)),
            ]) { $1 }, errors: .file("\(folder)/connector.log"))
        defer { connector.signal(SIGKILL) }
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
            while await web.ended(metrics) < (round + 1) * Self.requests {
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
        return [
            "requests": .int(Self.requests), "service_latency_ms": .int(latency),
            "enrichments_per_second": .double(rates[1]), "enrichments_per_second_cold": .double(rates[0]),
            "platform_calls_per_enrichment": .double(Double(calls) / Double(Self.requests)),
            "peak_rss_mib": .double(Double(peak) / 1_048_576),
        ]
    }

    private func simulator(
        _ name: String, _ options: [String], _ folder: String
    ) async throws -> (Subprocess, String) {
        let process = try Subprocess(
            program, ["simulate", name, "--port", "0", "--json"] + options, environment: [:],
            errors: .file("\(folder)/\(name).log"))
        guard let line = await process.nextLine(), let url = (try? JSONValue(parsing: line))?["url"]?.string else {
            throw BenchFailure("the \(name) simulator did not start")
        }
        return (process, url)
    }

    private struct Web {
        let transport: CurlTransport

        func get(_ url: String) async throws -> JSONValue {
            try JSONValue(parsing: try await transport.send(HTTPRequest(.get, url), by: .after(.seconds(60))).body)
        }

        @discardableResult
        func post(_ url: String, _ body: JSONValue) async throws -> JSONValue {
            let request = HTTPRequest(.post, url, body: .bytes(body.bytes))
            return try JSONValue(parsing: try await transport.send(request, by: .after(.seconds(60))).body)
        }

        func ended(_ metrics: String) async -> Int {
            let request = HTTPRequest(.get, "\(metrics)/metrics")
            guard let body = try? await transport.send(request, by: .after(.seconds(5))).body else { return 0 }
            var sum = 0.0
            for line in String(decoding: body, as: UTF8.self).split(separator: "\n")
            where line.hasPrefix("sallyport_enrichments_total{") {
                sum += line.split(separator: " ").last.flatMap { Double($0) } ?? 0
            }
            return Int(sum)
        }
    }
}
