// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import JSON
import Synchronization

/// Reads what ThreatGraph knows around a detection: entry points, edges of each type, the vertices they lead to.
final class GraphReader: Sendable {
    enum Result: Sendable {
        /// Events to send, one a vertex; none when the graph is empty there.
        case found([[UInt8]])
        /// Tried again after so long.
        case later(Duration, FalconError)
        /// There will never be any.
        case nothing(reason: String)
    }

    /// Not walked: they lead to everything or to nothing of use. Source: Sekoia.io module, 2.1.
    static let leftOut: Set<String> = ["device", "hunting_lead"]
    static let maxPages = 50
    static let keptFor = Duration.seconds(600)
    static let kept = 256
    /// Prefix of a vertex id → the path's segment.
    static let segments = [
        "pid": "processes", "mod": "modules", "dns": "domains", "aid": "devices", "uid": "users",
        "uses": "user-sessions",
        "ctg": "control-graphs",
    ]

    private struct Vertex: Sendable {
        let edgeType: String
        let sourceVertexID: String
        let value: JSONValue
    }
    private struct Known: Sendable {
        let vertices: [Vertex]
        let at: Duration
    }
    private struct State {
        var edgeTypes: [String]?
        var graphs: [String: Known] = [:]
        /// The alerts API has refused us; asked again after this.
        var alertsClosedUntil: Duration = .zero
    }

    private let falcon: FalconClient
    private let options: VertexWalker.Options
    private let events: Events
    private let time: any TimeSource
    private let budget: TokenBucket
    private let state = Mutex(State())

    init(falcon: FalconClient, options: VertexWalker.Options, events: Events, time: any TimeSource) {
        self.falcon = falcon
        self.options = options
        self.events = events
        self.time = time
        budget = TokenBucket(
            name: "vertices", limit: options.callsPerSecond, per: .seconds(1), burst: options.callsPerSecond,
            followsServer: false, time: time)
    }

    /// - Parameter attempt: how often this walk was put off: with it grows what is left out rather than waited for.
    func vertices(of walk: VertexWalk, attempt: Int) async -> Result {
        do throws(FalconError) {
            let ids = try await graphIDs(of: walk)
            guard !ids.isEmpty else {
                // The alert may come to be a moment after its event.
                guard attempt >= 3 else {
                    return .later(.seconds(30), .notFound([], traceID: nil))
                }
                return .nothing(reason: "neither alert nor detection names a vertex")
            }
            let types = try await edgeTypes()
            var lines: [[UInt8]] = []
            for id in ids {
                for vertex in try await around(id, types, attempt: attempt) {
                    lines.append(
                        walk.line(
                            vertex: vertex.value, sourceVertexID: vertex.sourceVertexID, edgeType: vertex.edgeType))
                }
            }
            return .found(lines)
        } catch {
            if error.isGone {
                return .nothing(reason: "the detections API is decommissioned: \(error.description)")
            }
            return .later(Self.wait(after: error, attempt: attempt), error)
        }
    }

    // MARK: Entry points

    private func graphIDs(of walk: VertexWalk) async throws(FalconError) -> [String] {
        switch walk.kind {
        case .alert:
            let isClosed = state.withLock { $0.alertsClosedUntil } > time.uptime
            do throws(FalconError) {
                if isClosed { throw .missingScope(.alertsRead, traceID: nil) }
                return try await alertIDs([walk.id])
            } catch {
                guard case .missingScope = error else { throw error }
                if !isClosed {
                    state.withLock { $0.alertsClosedUntil = time.uptime + .seconds(3600) }
                    events.cannotWalk(error, until: .seconds(3600))
                }
                guard let detectID = walk.detectID, options.legacyAPI != .off else { throw error }
                return try await detectionIDs(detectID)
            }
        case .detection:
            if options.legacyAPI == .force { return try await detectionIDs(walk.id) }
            let found = try await alertsOfDetection(walk.id)
            if !found.isEmpty || options.legacyAPI == .off { return found }
            return try await detectionIDs(walk.id)
        }
    }

    private func alertIDs(_ compositeIDs: [String]) async throws(FalconError) -> [String] {
        try await turn()
        let rows = try await falcon.alerts(compositeIDs) { alert in
            Self.texts(alert["triggering_process_graph_id"], alert["parent_details"]?["process_graph_id"])
        }.rows
        return Self.unique(rows)
    }

    /// Today's form of `ldt:<aid>:<n>`: alerts whose aggregate repeats both parts. Nothing where that is refused.
    private func alertsOfDetection(_ id: String) async throws(FalconError) -> [String] {
        let parts = id.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "ldt",
            let filter = try? FQL.exact(.init("aggregate_id"), "aggind:\(parts[1]):\(parts[2])")
        else { return [] }
        do throws(FalconError) {
            try await turn()
            let ids = try await falcon.queryAlerts(filter).ids
            return ids.isEmpty ? [] : try await alertIDs(ids)
        } catch {
            switch error {
            case .missingScope, .notFound, .badRequest: return []
            default: throw error
            }
        }
    }

    private func detectionIDs(_ id: String) async throws(FalconError) -> [String] {
        try await turn()
        let rows = try await falcon.detectionSummaries([id]) { detection in
            var ids: [String] = []
            detection["behaviors"]?.forEachElement { behavior in
                ids += Self.texts(
                    behavior["triggering_process_graph_id"], behavior["parent_details"]?["parent_process_graph_id"])
            }
            return ids
        }
        return Self.unique(rows)
    }

    // MARK: The graph

    private func edgeTypes() async throws(FalconError) -> [String] {
        if let known = state.withLock({ $0.edgeTypes }) { return known }
        try await turn()
        let types = try await falcon.edgeTypes().filter {
            !Self.leftOut.contains($0) && (options.edgeTypes.isEmpty || options.edgeTypes.contains($0))
        }
        state.withLock { $0.edgeTypes = types }
        return types
    }

    private func around(_ id: String, _ types: [String], attempt: Int) async throws(FalconError) -> [Vertex] {
        let now = time.uptime
        if let known = state.withLock({ $0.graphs[id] }), now - known.at < Self.keptFor { return known.vertices }
        var vertices: [Vertex] = []
        for type in types {
            do throws(FalconError) {
                vertices += try await follow(id, type)
            } catch {
                if case .missingScope = error { throw error }
                if error.isRetryable, attempt < options.patience { throw error }
                events.noEdges(id, type, error)
            }
        }
        let found = Known(vertices: vertices, at: now)
        state.withLock { state in
            if state.graphs.count >= Self.kept {
                state.graphs = state.graphs.filter { now - $0.value.at < Self.keptFor }
                if state.graphs.count >= Self.kept { state.graphs = [:] }
            }
            // A few large ones would take the room of many.
            if vertices.count <= 200 { state.graphs[id] = found }
        }
        return vertices
    }

    private func follow(_ id: String, _ type: String) async throws(FalconError) -> [Vertex] {
        var edges: [GraphEdge] = []
        var offset: String?
        for _ in 0..<Self.maxPages {
            try await turn()
            let page = try await falcon.edges(of: id, type: type, offset: offset)
            edges += page.edges
            guard let next = page.next else { break }
            offset = next
        }
        var bySegment: [String: [String: GraphEdge]] = [:]
        var order: [String: [String]] = [:]
        for edge in edges {
            let parts = edge.id.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 3, let segment = Self.segments[String(parts[0])] else { continue }
            if bySegment[segment, default: [:]].updateValue(edge, forKey: edge.id) == nil {
                order[segment, default: []].append(edge.id)
            }
        }
        var vertices: [Vertex] = []
        for (segment, ids) in order.sorted(by: { $0.key < $1.key }) {
            for begin in stride(from: 0, to: ids.count, by: FalconClient.maxVertices) {
                let part = Array(ids[begin..<min(begin + FalconClient.maxVertices, ids.count)])
                for value in try await whole(part, segment) {
                    guard let id = value["id"]?.string, let edge = bySegment[segment]?[id] else { continue }
                    vertices.append(Vertex(edgeType: type, sourceVertexID: edge.sourceVertexID, value: value))
                }
            }
        }
        return vertices
    }

    /// Vertices by id. One that is gone may refuse the whole call: it is halved down to the others.
    private func whole(_ ids: [String], _ segment: String) async throws(FalconError) -> [JSONValue] {
        do throws(FalconError) {
            try await turn()
            return try await falcon.vertices(ids, type: segment)
        } catch {
            guard error.isGone else { throw error }
            guard ids.count > 1 else { return [] }
            let middle = ids.count / 2
            return try await whole(Array(ids[..<middle]), segment) + whole(Array(ids[middle...]), segment)
        }
    }

    // MARK: Small things

    private func turn() async throws(FalconError) {
        do throws(HTTPError) { try await budget.take() } catch { throw .transport(error) }
    }

    private static func texts(_ elements: JSONElement?...) -> [String] {
        elements.compactMap { $0?.string }.filter { !$0.isEmpty }
    }

    private static func unique(_ rows: [[String]]) -> [String] {
        var seen: Set<String> = []
        return rows.flatMap(\.self).filter { seen.insert($0).inserted }
    }

    private static func wait(after error: FalconError, attempt: Int) -> Duration {
        switch error {
        case .missingScope, .unauthorized, .credentialsRefused: .seconds(3600)
        case .rateLimited(let asked): max(.seconds(60), asked ?? .zero)
        default: .seconds(min(3600, 5 << min(attempt, 9)))
        }
    }
}
