// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import HTTPClient
import JSON
import Storage
import Telemetry
import TestKit
import Testing

@testable import FalconTelemetry

@Suite("Pending walks") struct VertexWalkerTests {
    private static let host = "8c84a2247885263b597cc4685f4d1147"

    private static func answer(_ call: ScriptedTransport.Recorded) -> ScriptedTransport.Answer {
        let path = URLParts(call.request.url)?.path ?? ""
        if path.hasSuffix("/oauth2/token") {
            return .status(201, #"{"access_token":"token","expires_in":1799,"token_type":"bearer"}"#)
        }
        let resources =
            switch path {
            case "/alerts/entities/alerts/v2": #"[{"triggering_process_graph_id":"pid:\#(host):1"}]"#
            case "/threatgraph/queries/edge-types/v1": #"["dns"]"#
            case "/threatgraph/combined/edges/v1":
                #"[{"id":"dns:\#(host):bad.example","source_vertex_id":"pid:\#(host):1","edge_type":"dns"}]"#
            default: #"[{"id":"dns:\#(host):bad.example","vertex_type":"domains"}]"#
            }
        return .status(200, #"{"meta":{"query_time":0.1,"trace_id":"t"},"errors":[],"resources":\#(resources)}"#)
    }

    // covers: vertex:once
    @Test func `a walk whose vertices wait for the target for hours is not walked again`() async throws {
        let time = TestTime(jumping: true)
        let transport = ScriptedTransport { Self.answer($0) }
        let falcon = try FalconClient(
            transport: transport, credentials: FalconCredentials(clientID: "id", clientSecret: Secret("secret")),
            time: time)
        let store = try await SQLiteStore.open(path: ":memory:")
        let flow = try await store.number(of: "flow", in: .flow)
        let target = try await store.number(of: "target", in: .target)
        let event = #"{"metadata":{"eventType":"EppDetectionSummaryEvent"},"event":{"CompositeId":"c:ind:a:1"}}"#
        let walk = try #require(
            try JSONParser().withDocument(Array(event.utf8)) { root in
                root["metadata"].flatMap { VertexWalk($0, root["event"]) }
            })
        var commit = FlowCommit(flow: flow, target: target, fencingToken: 0)
        commit.jobs = [walk.job(runner: VertexWalker.runner(flow), flow: flow, offset: 7, at: time.now)]
        try await store.commit(commit)
        let metrics = Metrics(time: time)
        let walker = VertexWalker(
            falcon: falcon, store: store, flow: flow,
            options: .init(callsPerSecond: 20, edgeTypes: [], legacyAPI: .auto),
            batch: { lines in
                var batcher = LineBatcher(.init(partition: "", flow: flow, frame: .lines))
                return batcher.body(lines)
            },
            events: Events(log: .silent, metrics: metrics, flow: "f", key: Secret(""), time: time), metrics: metrics,
            flowName: "f", time: time)
        let output = BoundedChannel<RelayBatch>(capacity: 8)
        let stop = StopSignal()
        async let end: Void = walker.run(into: output, until: stop)
        let batch = await output.receive()
        #expect(batch?.count == 1 && batch?.origin == .job(runner: VertexWalker.runner(flow), id: "c:ind:a:1/7"))
        let begin = time.uptime
        while time.uptime - begin < .seconds(7200) { await Task.yield() }
        stop.raise()
        await end
        #expect(output.count == 0)
        #expect(try await store.countJobs(runner: VertexWalker.runner(flow)) == 1)
    }
}
