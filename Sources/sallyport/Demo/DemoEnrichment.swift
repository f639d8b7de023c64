// SPDX-License-Identifier: Apache-2.0

import Base
import CrowdSecSimulator
import JSON
import OpenCTISimulator
import Subprocesses

#if canImport(Glibc)
    import Glibc
#endif

/// The second part of the demo: OpenCTI asks about addresses over HTTP, CrowdSec knows them, the bundles go back.
extension DemoCommand {
    private static let connectorID = "a3c2a1d6-9d53-4c1c-8d2e-0f6f7f3f5b21"

    /// Where the parts of it are.
    private struct Scene {
        let openCTI: String
        let crowdSec: String
        let port: UInt16
    }

    /// - Returns: whether every request ended, and each address that may be asked about was enriched.
    func enrich(openCTI: String) async throws -> Bool {
        Console.write("\nEnrichment: OpenCTI asks about addresses, CrowdSec answers; over HTTP, without RabbitMQ.\n")
        let (crowdSec, url) = try await simulator("crowdsec", ["--latency-ms", "20"])
        defer { crowdSec.signal(SIGKILL) }
        try await web.post("\(url)/_admin/faults", ["status=503,times=1,skip=10"])
        let scene = Scene(openCTI: openCTI, crowdSec: url, port: try freePort())
        var connector = try startEnrichment(scene)
        defer { connector.signal(SIGKILL) }
        try await waitUntilItListens(scene)
        let entities = try await observables(scene)
        let order: JSONValue = ["entities": .array(entities), "connector": .string(Self.connectorID)]
        try await web.post("\(openCTI)/_admin/enrichments", order)
        try await time.sleep(for: .milliseconds(60))
        await end(connector, SIGKILL)
        Console.write("  kill -9 in the middle … and a new start\n")
        connector = try startEnrichment(scene)
        let works = try await ended(entities.count, scene)
        await end(connector)
        return try await judge(works, scene)
    }

    private func startEnrichment(_ scene: Scene) throws -> Subprocess {
        try start(
            "crowdsec", as: "enrichment",
            [
                "OPENCTI_URL": scene.openCTI, "OPENCTI_TOKEN": OpenCTIConfiguration.defaultToken,
                "CONNECTOR_ID": Self.connectorID, "CONNECTOR_LOG_LEVEL": "info", "CONNECTOR_QUEUE_PROTOCOL": "api",
                "CONNECTOR_LISTEN_PROTOCOL": "api", "CONNECTOR_LISTEN_PROTOCOL_API_ADDR": "127.0.0.1",
                "CONNECTOR_LISTEN_PROTOCOL_API_PORT": "\(scene.port)", "CROWDSEC_API_URL": scene.crowdSec,
                "CROWDSEC_KEY": CrowdSecConfiguration.defaultKey, "CROWDSEC_LABELS_REPUTATION": "true",
                "CROWDSEC_INDICATOR_CREATE_FROM": "malicious",
            ])
    }

    private func waitUntilItListens(_ scene: Scene) async throws {
        for _ in 0..<100 {
            if (try? await web.text("http://127.0.0.1:\(scene.port)/health")) != nil { return }
            try await time.sleep(for: .milliseconds(100))
        }
        throw DemoFailure("The enrichment connector does not listen. Log: \(folder)/enrichment.log")
    }

    /// Forty public addresses, one that nobody may be asked about, one that is private.
    private func observables(_ scene: Scene) async throws -> [JSONValue] {
        var observables: [JSONValue] = (1...40).map { number in
            number % 8 == 0
                ? ["type": "IPv6-Addr", "value": .string("2001:db8::\(number)")]
                : ["type": "IPv4-Addr", "value": .string("203.0.113.\(number)")]
        }
        observables.append(["type": "IPv4-Addr", "value": "203.0.113.200", "markings": ["TLP:RED"]])
        observables.append(["type": "IPv4-Addr", "value": "10.1.2.3"])
        try await web.post("\(scene.openCTI)/_admin/observables", .array(observables))
        let knowledge = try await web.json("\(scene.openCTI)/_admin/knowledge")
        return (knowledge["entities"]?.array ?? []).compactMap { $0["id"] }
    }

    /// Returns the works once all have ended, or after 20 s.
    private func ended(_ count: Int, _ scene: Scene) async throws -> [JSONValue] {
        let query = """
            query C($id: String!) { connector(id: $id) { works { processed_time messages { message } errors { message } } } }
            """
        var works: [JSONValue] = []
        for _ in 0..<200 {
            let answer = try await web.ask(
                "\(scene.openCTI)/graphql", token: OpenCTIConfiguration.defaultToken,
                ["query": .string(query), "variables": ["id": .string(Self.connectorID)]])
            works = answer["data"]?["connector"]?["works"]?.array ?? []
            if works.count == count, works.allSatisfy({ $0["processed_time"]?.string != nil }) { break }
            try await time.sleep(for: .milliseconds(100))
        }
        return works
    }

    private func judge(_ works: [JSONValue], _ scene: Scene) async throws -> Bool {
        var ends: [String: Int] = [:]
        for work in works {
            let texts = ((work["messages"]?.array ?? []) + (work["errors"]?.array ?? [])).compactMap {
                $0["message"]?.string
            }
            ends[Self.kind(of: texts.last ?? ""), default: 0] += 1
        }
        let entities = try await web.json("\(scene.openCTI)/_admin/knowledge")["entities"]?.array ?? []
        let enriched = entities.count { $0["description"]?.string?.contains("Last CrowdSec enrichment") == true }
        let usage = try await web.json("\(scene.crowdSec)/_admin/usage")
        for (kind, count) in ends.sorted(by: { $0.key < $1.key }) { Console.write("  \(count) × \(kind)\n") }
        let isRight =
            enriched == 40 && works.allSatisfy { $0["processed_time"]?.string != nil } && works.count == 42
            && ends["a marking that forbids asking"] == 1 && ends["not a public address"] == 1
        let calls = usage["requests"]?.int ?? 0
        Console.write(
            isRight
                ? "  \(enriched) observables enriched, \(calls) look-ups, every request answered.\n"
                : "  \(enriched) of 40 enriched: the enrichment is NOT right. Log: \(folder)/enrichment.log\n")
        return isRight
    }

    private static func kind(of text: String) -> String {
        if text.contains("not found in CrowdSec") { return "enriched: not found in CrowdSec CTI" }
        if text.contains("completed for IP") {
            let reputation = text.split(separator: "(").last?.prefix { $0 != "," } ?? ""
            return "enriched: \(reputation)"
        }
        if text.hasPrefix("Last enrichment was") { return "enriched before the kill" }
        if text.contains("MAX TLP") { return "a marking that forbids asking" }
        if text.hasPrefix("Not a public") { return "not a public address" }
        return text
    }
}
