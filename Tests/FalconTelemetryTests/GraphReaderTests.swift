// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import JSON
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import FalconTelemetry

@Suite("Walking ThreatGraph") struct GraphReaderTests {
    private static let host = "8c84a2247885263b597cc4685f4d1147"
    private static let composite = "8f3c1d2e4b5a69788796a5b4c3d2e1f0:ind:\(host):1-2-3"
    private static let detection = "ldt:\(host):42"
    private static let process = "pid:\(host):1"

    private let time = TestTime(jumping: true)

    /// What the tenant answers by path; anything else is an empty list.
    private func reader(
        _ legacyAPI: FalconTelemetrySettings.LegacyAPI = .auto, edgeTypes: Set<String> = [],
        _ answers: @escaping @Sendable (String, [String: String]) -> ScriptedTransport.Answer?
    ) throws -> (GraphReader, ScriptedTransport) {
        let transport = ScriptedTransport { call in
            let parts = URLParts(call.request.url)
            let path = parts?.path ?? ""
            if path.hasSuffix("/oauth2/token") {
                return .status(201, #"{"access_token":"token","expires_in":1799,"token_type":"bearer"}"#)
            }
            let query = Dictionary(parts?.query.map { ($0.name, $0.value) } ?? []) { first, _ in first }
            return answers(path, query) ?? Self.list([])
        }
        let falcon = try FalconClient(
            transport: transport, credentials: FalconCredentials(clientID: "id", clientSecret: Secret("secret")),
            time: time)
        let events = Events(log: .silent, metrics: Metrics(time: time), flow: "f", key: Secret(""), time: time)
        return (
            GraphReader(
                falcon: falcon, options: .init(callsPerSecond: 20, edgeTypes: edgeTypes, legacyAPI: legacyAPI),
                events: events, time: time), transport
        )
    }

    private static func list(_ rows: [JSONValue], offset: String = "") -> ScriptedTransport.Answer {
        let body: JSONValue = [
            "meta": ["query_time": 0.1, "trace_id": "t", "pagination": ["limit": "100", "offset": .string(offset)]],
            "errors": [], "resources": .array(rows),
        ]
        return .status(200, body.text)
    }

    private static let alert: JSONValue = [
        "triggering_process_graph_id": .string(process), "parent_details": ["process_graph_id": .string(process)],
    ]

    private static func edge(_ id: String) -> JSONValue { ["id": .string(id), "source_vertex_id": .string(process)] }

    private func walk(_ type: String, _ event: JSONValue) throws -> VertexWalk {
        let line: JSONValue = ["metadata": ["eventType": .string(type)], "event": event]
        return try #require(
            try JSONParser().withDocument(line.bytes) { root in
                root["metadata"].flatMap { VertexWalk($0, root["event"]) }
            })
    }
    private func alertWalk() throws -> VertexWalk {
        try walk("EppDetectionSummaryEvent", ["CompositeId": .string(Self.composite)])
    }
    private func detectionWalk() throws -> VertexWalk {
        try walk("DetectionSummaryEvent", ["DetectId": .string(Self.detection)])
    }

    private func paths(_ transport: ScriptedTransport) -> [String] {
        transport.requests.compactMap { URLParts($0.request.url)?.path }.filter { !$0.hasSuffix("token") }
    }

    // covers: vertex:edge-types, vertex:entry-points
    @Test(arguments: [([], ["child_process", "dns"]), (["dns"], ["dns"])])
    func `follows each edge type but the two that lead everywhere, from each entry point once`(
        _ wanted: [String], _ expected: [String]
    ) async throws {
        let (reader, transport) = try reader(edgeTypes: Set(wanted)) { path, _ in
            switch path {
            case "/alerts/entities/alerts/v2": Self.list([Self.alert])
            case "/threatgraph/queries/edge-types/v1":
                Self.list(["child_process", "device", "dns", "hunting_lead"])
            default: nil
            }
        }
        guard case .found(let lines) = await reader.vertices(of: try alertWalk(), attempt: 0) else {
            Issue.record("not found")
            return
        }
        #expect(lines.isEmpty)
        let edges = transport.requests.compactMap { URLParts($0.request.url) }.filter { $0.path.contains("edges/v1") }
        #expect(edges.map { $0.query.first { $0.name == "edge_type" }?.value } == expected)
        for edge in edges {
            #expect(edge.query.map(\.name) == ["ids", "edge_type", "scope"])
            #expect(edge.query.first?.value == Self.process && edge.query.last?.value == "device")
        }
    }

    // covers: vertex:pages, vertex:prefixes, vertex:chunks
    @Test func `reads all pages of edges, and each kind of vertex by its own path, a hundred at a time`() async throws {
        let kinds = ["mod", "dns", "aid", "uid", "uses", "ctg", "zzz"]
        let (reader, transport) = try reader { path, query in
            switch path {
            case "/alerts/entities/alerts/v2": return Self.list([Self.alert])
            case "/threatgraph/queries/edge-types/v1": return Self.list(["dns"])
            case "/threatgraph/combined/edges/v1":
                let page = Int(query["offset"] ?? "0") ?? 0
                let ids = (0..<100).map { Self.edge("pid:\(Self.host):\(page * 100 + $0)") }
                return page < 2
                    ? Self.list(ids, offset: "\(page + 1)")
                    : Self.list(kinds.map { Self.edge("\($0):\(Self.host):1") } + [Self.edge("pid:two-parts")])
            default: return nil
            }
        }
        _ = await reader.vertices(of: try alertWalk(), attempt: 0)
        let calls = transport.requests.compactMap { URLParts($0.request.url) }.filter { $0.path.contains("/entities/") }
            .filter { $0.path.contains("threatgraph") }
        #expect(
            calls.filter { $0.path.contains("processes") }.map { $0.query.count { $0.name == "ids" } } == [100, 100])
        #expect(
            Set(calls.map { $0.path.split(separator: "/")[2] }) == [
                "processes", "modules", "domains", "devices", "users", "user-sessions", "control-graphs",
            ])
        for call in transport.requests where call.request.url.contains("/edges/") {
            #expect(try FalconContract.shared.get().problems(call).isEmpty)
        }
    }

    // covers: vertex:page-cap
    @Test func `stops after fifty pages of a service that never ends`() async throws {
        let (reader, transport) = try reader { path, query in
            switch path {
            case "/alerts/entities/alerts/v2": Self.list([Self.alert])
            case "/threatgraph/queries/edge-types/v1": Self.list(["x"])
            case "/threatgraph/combined/edges/v1":
                Self.list([Self.edge("a")], offset: String((Int(query["offset"] ?? "0") ?? 0) + 1))
            default: nil
            }
        }
        _ = await reader.vertices(of: try alertWalk(), attempt: 0)
        #expect(paths(transport).count { $0.contains("edges") } == GraphReader.maxPages)
    }

    // covers: vertex:cache
    @Test func `walks around a vertex once in ten minutes`() async throws {
        let (reader, transport) = try reader { path, _ in
            switch path {
            case "/alerts/entities/alerts/v2": Self.list([Self.alert])
            case "/threatgraph/queries/edge-types/v1": Self.list(["x"])
            default: nil
            }
        }
        func edges() -> Int { paths(transport).count { $0.contains("edges/") } }
        for _ in 0..<3 { _ = await reader.vertices(of: try alertWalk(), attempt: 0) }
        #expect(edges() == 1 && paths(transport).count { $0.contains("edge-types") } == 1)
        try await time.sleep(for: .seconds(601))
        _ = await reader.vertices(of: try alertWalk(), attempt: 0)
        #expect(edges() == 2)
    }

    // covers: vertex:alerts-403
    @Test func `waits an hour where the alerts are refused, unless the event names its detection too`() async throws {
        let (reader, transport) = try reader { path, _ in
            switch path {
            case "/alerts/entities/alerts/v2": .status(403, "{}")
            case "/detects/entities/summaries/GET/v1":
                Self.list([["behaviors": [["triggering_process_graph_id": .string(Self.process)]]]])
            case "/threatgraph/queries/edge-types/v1": Self.list(["x"])
            default: nil
            }
        }
        guard case .later(.seconds(3600), .missingScope) = await reader.vertices(of: try alertWalk(), attempt: 0) else {
            Issue.record("not put off")
            return
        }
        let both = try walk(
            "EppDetectionSummaryEvent", ["CompositeId": .string(Self.composite), "DetectId": .string(Self.detection)])
        guard case .found = await reader.vertices(of: both, attempt: 0) else {
            Issue.record("not found by its detection")
            return
        }
        #expect(paths(transport).count { $0.contains("alerts/entities") } == 1, "not asked again within the hour")
        try await time.sleep(for: .seconds(3601))
        _ = await reader.vertices(of: both, attempt: 0)
        #expect(paths(transport).count { $0.contains("alerts/entities") } == 2)
    }

    // covers: vertex:legacy-auto, vertex:legacy-force, vertex:legacy-off
    @Test(arguments: [
        (FalconTelemetrySettings.LegacyAPI.auto, ["/alerts/queries/alerts/v2", "/detects/entities/summaries/GET/v1"]),
        (.force, ["/detects/entities/summaries/GET/v1"]), (.off, ["/alerts/queries/alerts/v2"]),
    ])
    func `asks for a detection as the setting says`(
        _ legacyAPI: FalconTelemetrySettings.LegacyAPI, _ expected: [String]
    ) async throws {
        let (reader, transport) = try reader(legacyAPI) { _, _ in nil }
        _ = await reader.vertices(of: try detectionWalk(), attempt: 0)
        #expect(paths(transport) == expected)
        let filter = URLParts(transport.requests.last { $0.request.url.contains("alerts") }?.request.url ?? "")?.query
            .first { $0.name == "filter" }?.value
        if legacyAPI != .force { #expect(filter?.contains("aggind:\(Self.host):42") == true) }
    }

    // covers: vertex:legacy-gone
    @Test(arguments: [404, 405, 410]) func `lets an event go without vertices where the detections API is gone`(
        _ status: Int
    ) async throws {
        let (reader, _) = try reader { path, _ in
            path.hasPrefix("/detects/") ? .status(status, #"{"errors":[],"meta":{},"resources":[]}"#) : nil
        }
        guard case .nothing = await reader.vertices(of: try detectionWalk(), attempt: 0) else {
            Issue.record("not given up")
            return
        }
    }

    // covers: vertex:edge-error
    @Test func `an edge type that fails is put off at first, and left out in the end`() async throws {
        let (reader, _) = try reader { path, query in
            switch path {
            case "/alerts/entities/alerts/v2": Self.list([Self.alert])
            case "/threatgraph/queries/edge-types/v1": Self.list(["bad", "good"])
            case "/threatgraph/combined/edges/v1":
                query["edge_type"] == "bad" ? .status(503, "{}") : Self.list([Self.edge("dns:\(Self.host):x")])
            case "/threatgraph/entities/domains/v1": Self.list([["id": .string("dns:\(Self.host):x")]])
            default: nil
            }
        }
        guard case .later(let wait, _) = await reader.vertices(of: try alertWalk(), attempt: 0) else {
            Issue.record("not put off")
            return
        }
        #expect(wait == .seconds(5))
        guard case .found(let lines) = await reader.vertices(of: try alertWalk(), attempt: 5) else {
            Issue.record("still put off")
            return
        }
        #expect(lines.count == 1)
    }

    // covers: vertex:late-alert
    @Test func `an alert that is not there yet is asked for again before it is given up`() async throws {
        let (reader, _) = try reader { _, _ in nil }
        guard case .later(.seconds(30), _) = await reader.vertices(of: try alertWalk(), attempt: 0) else {
            Issue.record("not put off")
            return
        }
        guard case .nothing = await reader.vertices(of: try alertWalk(), attempt: 3) else {
            Issue.record("not given up")
            return
        }
    }

    // covers: vertex:gone
    @Test(arguments: [404, 410]) func `a vertex that is gone keeps none of the others of its call`(_ status: Int)
        async throws
    {
        let (there, gone) = ("dns:\(Self.host):x", "dns:\(Self.host):y")
        // Of two that are asked for together the call is refused; alone each shows what it is.
        let asked = Mutex(0)
        let (reader, transport) = try reader { path, query in
            switch path {
            case "/alerts/entities/alerts/v2": return Self.list([Self.alert])
            case "/threatgraph/queries/edge-types/v1": return Self.list(["dns"])
            case "/threatgraph/combined/edges/v1": return Self.list([Self.edge(there), Self.edge(gone)])
            case "/threatgraph/entities/domains/v1":
                let isFirst = asked.withLock { asked in
                    asked += 1
                    return asked == 1
                }
                return isFirst || query["ids"] == gone ? .status(status, "{}") : Self.list([["id": .string(there)]])
            default: return nil
            }
        }
        guard case .found(let lines) = await reader.vertices(of: try alertWalk(), attempt: 0) else {
            Issue.record("not found")
            return
        }
        #expect(lines.count == 1)
        #expect(paths(transport).count { $0.hasSuffix("/domains/v1") } == 3)
    }

    // covers: vertex:gone
    @Test func `an error beside vertices that says one is gone keeps none of the others`() async throws {
        let there = "dns:\(Self.host):x"
        let (reader, _) = try reader { path, _ in
            switch path {
            case "/alerts/entities/alerts/v2": return Self.list([Self.alert])
            case "/threatgraph/queries/edge-types/v1": return Self.list(["dns"])
            case "/threatgraph/combined/edges/v1": return Self.list([Self.edge(there)])
            case "/threatgraph/entities/domains/v1":
                let body: JSONValue = [
                    "meta": ["query_time": 0.1, "trace_id": "t"], "resources": [["id": .string(there)]],
                    "errors": [["code": 410, "message": "gone"]],
                ]
                return .status(200, body.text)
            default: return nil
            }
        }
        guard case .found(let lines) = await reader.vertices(of: try alertWalk(), attempt: 0) else {
            Issue.record("not found")
            return
        }
        #expect(lines.count == 1)
    }

    // covers: vertex:stranger
    @Test func `a vertex that nobody asked for is passed over`() async throws {
        let (reader, _) = try reader { path, _ in
            switch path {
            case "/alerts/entities/alerts/v2": Self.list([Self.alert])
            case "/threatgraph/queries/edge-types/v1": Self.list(["dns"])
            case "/threatgraph/combined/edges/v1": Self.list([Self.edge("dns:\(Self.host):x")])
            case "/threatgraph/entities/domains/v1":
                Self.list([["id": "dns:other:y"], ["id": .string("dns:\(Self.host):x")]])
            default: nil
            }
        }
        guard case .found(let lines) = await reader.vertices(of: try alertWalk(), attempt: 0) else {
            Issue.record("not found")
            return
        }
        #expect(lines.count == 1)
        // Neither severity is known, and both keys stay.
        #expect(String(decoding: lines[0], as: UTF8.self).contains(#""severity":{"name":null,"code":null}"#))
    }
}
