// SPDX-License-Identifier: Apache-2.0

/// The operations of the event stream, of ThreatGraph and of what leads into it, under the contract's names.
enum StreamOperation: String, CaseIterable, Sendable {
    case list = "listAvailableStreamsOAuth2"
    case refresh = "refreshActiveStreamSession"
    /// The firehose itself, which the contract does not name.
    case read = "readEventStream"
    case edgeTypes = "queries_edgetypes_get"
    case edges = "combined_edges_get"
    case vertices = "entities_vertices_get"
    case alertQuery = "GetQueriesAlertsV2"
    case alerts = "PostEntitiesAlertsV2"
    case detections = "GetDetectSummaries"

    var scope: String? {
        switch self {
        case .list, .refresh: "streaming:read"
        case .read: nil
        case .edgeTypes, .edges, .vertices: "threatgraph:read"
        case .alertQuery, .alerts: "alerts:read"
        case .detections: "detects:read"
        }
    }

    static let scopes: Set<String> = Set(allCases.compactMap(\.scope))

    /// With the path's last variable part: a partition, a vertex type.
    static func at(_ method: String, _ path: String) -> (StreamOperation, part: String)? {
        let fixed: [String: StreamOperation] = [
            "GET /sensors/entities/datafeed/v2": .list, "GET /threatgraph/queries/edge-types/v1": .edgeTypes,
            "GET /threatgraph/combined/edges/v1": .edges, "GET /alerts/queries/alerts/v2": .alertQuery,
            "POST /alerts/entities/alerts/v2": .alerts, "POST /detects/entities/summaries/GET/v1": .detections,
        ]
        if let operation = fixed["\(method) \(path)"] { return (operation, "") }
        let parts = path.split(separator: "/").map(String.init)
        switch (method, parts.count) {
        case ("GET", 5) where path.hasPrefix("/sensors/entities/datafeed/v1/"): return (.read, parts[4])
        case ("POST", 5) where path.hasPrefix("/sensors/entities/datafeed-actions/v1/"): return (.refresh, parts[4])
        case ("GET", 4) where path.hasPrefix("/threatgraph/entities/") && parts[3] == "v1": return (.vertices, parts[2])
        default: return nil
        }
    }
}
