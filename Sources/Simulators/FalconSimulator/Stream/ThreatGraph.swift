// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON
import SimulatorKit
import Synchronization

/// A graph around each alert that can be asked for: made from the ids, the same each time, or given by a test.
///
/// Source: Falcon API surface, 11; Sekoia.io module, 2.
final class ThreatGraph: Sendable {
    struct State: Sendable {
        var edgeTypes = ["child_process", "dns", "device", "hunting_lead", "module_written", "authenticated_session"]
        /// `<vertex id> <edge type>` → edges.
        var edges: [String: [JSONValue]] = [:]
        var vertices: [String: JSONValue] = [:]
        /// Composite id or detection id → alert or detection.
        var alerts: [String: JSONValue] = [:]
        var detections: [String: JSONValue] = [:]
        /// The decommissioned API still answers.
        var hasDetections = false
        /// Whether unknown alerts and vertices are made.
        var makesUnknown = true
        /// Edges of one vertex and type that are made.
        var fanOut = 2
    }
    private let state = Mutex(State())

    func reset() { state.withLock { $0 = State() } }
    func knows(_ compositeID: String) -> Bool { state.withLock { $0.alerts[compositeID] != nil } }
    var hasDetections: Bool { state.withLock { $0.hasDetections } }
    func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

    func answer(
        to operation: StreamOperation, part: String, _ request: ServerRequest, trace: String
    ) -> ServerResponse {
        let state = state.withLock { $0 }
        switch operation {
        case .edgeTypes: return Envelope().response(trace) { for name in state.edgeTypes { $0.string(name) } }
        case .edges: return edges(request, state, trace)
        case .vertices:
            let ids = request.query.all("ids")
            guard (1...100).contains(ids.count) else { return refused("ids: 1 to 100", trace) }
            return list(ids.compactMap { vertex($0, part, state) }, trace)
        case .alerts: return entities(request, "composite_ids", trace) { alert($0, state) }
        case .alertQuery: return query(request, state, trace)
        case .detections: return entities(request, "ids", trace) { state.detections[$0] }
        case .list, .refresh, .read: return refused("no graph operation", trace)
        }
    }

    private func edges(_ request: ServerRequest, _ state: State, _ trace: String) -> ServerResponse {
        guard let id = request.query["ids"], let type = request.query["edge_type"], request.query["scope"] == "device"
        else { return refused("ids, edge_type and scope are required", trace) }
        guard state.edgeTypes.contains(type) else { return refused("unknown edge_type", trace) }
        let all = state.edges["\(id) \(type)"] ?? made(id, type, state)
        let limit = min(100, request.query["limit"].flatMap { Int($0) } ?? 100)
        let start = request.query["offset"].flatMap { Int($0) } ?? 0
        let page = Array(all.dropFirst(start).prefix(limit))
        var envelope = Envelope()
        envelope.poweredBy = "threatgraph"
        envelope.paging = .init(limit: limit)
        // The graph pages with text.
        envelope.paging?.offsetText = start + page.count < all.count ? String(start + page.count) : ""
        return envelope.response(trace) { for edge in page { $0.value(edge) } }
    }

    private func made(_ id: String, _ type: String, _ state: State) -> [JSONValue] {
        let parts = id.split(separator: ":")
        guard state.makesUnknown, parts.count == 3, parts[0] == "pid" else { return [] }
        let prefix = ["child_process": "pid", "dns": "dns", "module_written": "mod"][type]
        guard let prefix else { return [] }
        return (0..<state.fanOut).map { number in
            let object = prefix == "dns" ? "host\(number).example" : "\(parts[2])\(number)"
            return [
                "id": .string("\(prefix):\(parts[1]):\(object)"), "source_vertex_id": .string(id),
                "edge_type": .string(type), "scope": "device", "direction": "outgoing", "properties": [:],
            ]
        }
    }

    private func vertex(_ id: String, _ segment: String, _ state: State) -> JSONValue? {
        if let known = state.vertices[id] { return known }
        let parts = id.split(separator: ":")
        guard state.makesUnknown, parts.count == 3 else { return nil }
        return [
            "id": .string(id), "customer_id": "8f3c1d2e4b5a69788796a5b4c3d2e1f0", "scope": "device",
            "object_id": .string(String(parts[2])), "device_id": .string(String(parts[1])),
            "vertex_type": .string(segment), "timestamp": "2026-02-14T09:00:00Z", "properties": [:],
        ]
    }

    /// `<cid>:ind:<aid>:<process>-<pattern>-<n>`
    private func alert(_ id: String, _ state: State) -> JSONValue? {
        if let known = state.alerts[id] { return known }
        let parts = id.split(separator: ":")
        guard state.makesUnknown, parts.count == 4, parts[1] == "ind" else { return nil }
        let process = parts[3].prefix { $0 != "-" }
        return [
            "composite_id": .string(id), "id": .string(parts.dropFirst().joined(separator: ":")),
            "triggering_process_graph_id": .string("pid:\(parts[2]):\(process)"),
            "parent_details": ["process_graph_id": .string("pid:\(parts[2]):9\(process)")],
        ]
    }

    /// Alerts whose aggregate is named by the filter, of those that were given.
    private func query(_ request: ServerRequest, _ state: State, _ trace: String) -> ServerResponse {
        let filter = request.query["filter"] ?? ""
        let ids = state.alerts.values.filter { alert in
            (alert["aggregate_id"]?.string).map { filter.contains("aggregate_id:'\($0)'") } ?? false
        }.compactMap { $0["composite_id"]?.string }.sorted()
        var envelope = Envelope()
        envelope.paging = .init(limit: 100, offset: 0, total: ids.count)
        return envelope.response(trace) { for id in ids { $0.string(id) } }
    }

    private func entities(
        _ request: ServerRequest, _ key: String, _ trace: String, _ find: (String) -> JSONValue?
    ) -> ServerResponse {
        guard let ids = request.json?[key]?.array?.compactMap(\.string), (1...1000).contains(ids.count) else {
            return refused("\(key): 1 to 1000", trace)
        }
        return list(ids.compactMap(find), trace)
    }

    private func list(_ values: [JSONValue], _ trace: String) -> ServerResponse {
        Envelope().response(trace) { for value in values { $0.value(value) } }
    }

    private func refused(_ message: String, _ trace: String) -> ServerResponse {
        Envelope.refused(400, [message]).response(trace)
    }
}
