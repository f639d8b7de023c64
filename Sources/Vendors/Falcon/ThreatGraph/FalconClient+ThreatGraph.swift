// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

/// What leads from one vertex to another. Source: Falcon API surface, 11; Sekoia.io module, 2.1.
public struct GraphEdge: Sendable, Hashable {
    /// The vertex it leads to.
    public let id: String
    public let sourceVertexID: String

    init?(_ element: JSONElement) {
        guard let id = element["id"]?.string, !id.isEmpty else { return nil }
        self.id = id
        sourceVertexID = element["source_vertex_id"]?.string ?? ""
    }
}

/// ThreatGraph, and the graph's entry points that alerts and detections name.
extension FalconClient {
    public static let maxEdges = 100
    public static let maxVertices = 100

    /// `GET /threatgraph/queries/edge-types/v1` → names such as `child_process`; the API knows 267.
    public func edgeTypes() async throws(FalconError) -> [String] {
        let call = FalconCall(
            .get, "/threatgraph/queries/edge-types/v1", operation: "falcon.edge_type_query", scope: .threatGraphRead)
        return try await list(call) { $0.string }.rows
    }

    /// One page of the edges of one vertex, and the offset of the next.
    ///
    /// `GET /threatgraph/combined/edges/v1?ids&edge_type&scope=device[&offset]`; pages with a text offset.
    public func edges(
        of vertexID: String, type: String, offset: String? = nil
    ) async throws(FalconError) -> (edges: [GraphEdge], next: String?) {
        var query = [
            (name: "ids", value: vertexID), (name: "edge_type", value: type), (name: "scope", value: "device"),
        ]
        if let offset { query.append((name: "offset", value: offset)) }
        let call = FalconCall(
            .get, "/threatgraph/combined/edges/v1", query: query, operation: "falcon.edge_get", scope: .threatGraphRead)
        let envelope = try await list(call, row: GraphEdge.init)
        // An offset that does not move would be read for ever.
        let next = envelope.offset.flatMap { $0.isEmpty || $0 == offset || envelope.rows.isEmpty ? nil : $0 }
        return (envelope.rows, next)
    }

    /// Whole vertices; those that are gone are missing, or, where one is asked for alone, 404 or 410.
    ///
    /// `GET /threatgraph/entities/{type}/v1?ids=…&scope=device`, at most ``maxVertices``
    ///
    /// - Parameter type: the path's segment: `processes`, `modules`, `domains`, …
    public func vertices(_ ids: [String], type: String) async throws(FalconError) -> [JSONValue] {
        try Self.check(ids, atMost: Self.maxVertices)
        let call = FalconCall(
            .get, "/threatgraph/entities/\(type)/v1", query: Self.idsQuery(ids) + [(name: "scope", value: "device")],
            operation: "falcon.vertex_get", scope: .threatGraphRead)
        return try await list(call, missing: [404, 410]) { $0.value }.rows
    }

    /// Detections as the decommissioned API has them; 404, 405 and 410 where it is gone.
    ///
    /// `POST /detects/entities/summaries/GET/v1` `{"ids": […]}`, at most 1,000
    public func detectionSummaries<Row: Sendable>(
        _ ids: [String], row: @Sendable (JSONElement) -> Row?
    ) async throws(FalconError) -> [Row] {
        try Self.check(ids, atMost: 1000)
        let call = FalconCall(
            .post, "/detects/entities/summaries/GET/v1", body: Self.idsBody(ids), operation: "falcon.detect_get",
            scope: .detectsRead, isIdempotent: true)
        return try await list(call, row: row).rows
    }
}
