// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON
import SimulatorKit

/// Admin endpoints of the event stream and the graph.
///
/// | call | does |
/// | --- | --- |
/// | `GET /_admin/feeds` | partitions, open sessions, connections, refreshes, appIds |
/// | `POST /_admin/feeds` `{"partitions":2,"events":1000,"event_bytes":1300,"rate":0,"session_seconds":60,…}` | changes them |
/// | `POST /_admin/feeds/{n}/events` | appends newline-delimited events |
/// | `POST /_admin/feeds/kill` | ends every session |
/// | `POST /_admin/graph` `{"edge_types":[…],"edges":{"<id> <type>":[…]},"vertices":{…},"alerts":{…},"detections":{…}}` | gives the graph |
struct StreamAdmin {
    let feeds: EventFeeds
    let graph: ThreatGraph

    func add(to router: inout Router) {
        let (feeds, graph) = (feeds, graph)
        router.get("/_admin/feeds") { _ in .now(.json(feeds.json())) }
        router.post("/_admin/feeds/kill") { _ in
            feeds.killSessions()
            return .now(.done())
        }
        router.post("/_admin/feeds/{n}/events") { request in
            let lines = request.body.split(separator: UInt8(ascii: "\n")).map { Array($0) }
            let isThere = feeds.change { state in
                guard let number = Int(request.parameters["n"] ?? ""), state.partitions.indices.contains(number) else {
                    return false
                }
                state.partitions[number].append(lines)
                return true
            }
            return .now(isThere ? .done() : .problem("there is no such partition", status: 404))
        }
        router.post("/_admin/feeds") { request in
            guard let changes = request.json?.object else { return .now(.problem("send an object")) }
            return .now(Self.change(feeds, changes).map { .problem($0) } ?? .done())
        }
        router.post("/_admin/graph") { request in
            guard let given = request.json?.object else { return .now(.problem("send an object")) }
            graph.change { state in Self.change(&state, given) }
            return .now(.done())
        }
    }

    private static func change(_ feeds: EventFeeds, _ changes: JSONObject) -> String? {
        var generation: [(inout FeedConfiguration) -> Void] = []
        for (key, value) in changes {
            guard let number = value.int ?? value.bool.map({ $0 ? 1 : 0 }) else { return "“\(key)” is no number" }
            let count = Int(clamping: number)
            switch key {
            case "partitions": feeds.setPartitions(count)
            case "session_seconds": feeds.change { $0.configuration.sessionSeconds = count }
            case "lingering_seconds": feeds.change { $0.configuration.lingeringSeconds = count }
            case "is_inclusive": feeds.change { $0.configuration.isInclusive = count != 0 }
            case "heartbeat_ms": feeds.change { $0.configuration.heartbeat = .milliseconds(count) }
            case "events": generation.append { $0.events = count }
            case "event_bytes": generation.append { $0.eventBytes = count }
            case "rate": generation.append { $0.rate = Double(count) }
            case "first_offset": generation.append { $0.firstOffset = UInt64(max(0, count)) }
            case "step": generation.append { $0.step = UInt64(max(1, count)) }
            default: return "there is no setting “\(key)”"
            }
        }
        if !generation.isEmpty { feeds.generate { for change in generation { change(&$0) } } }
        return nil
    }

    private static func change(_ state: inout ThreatGraph.State, _ given: JSONObject) {
        if let types = given["edge_types"]?.array { state.edgeTypes = types.compactMap(\.string) }
        for (key, edges) in given["edges"]?.object ?? [:] { state.edges[key] = edges.array ?? [] }
        for (id, vertex) in given["vertices"]?.object ?? [:] { state.vertices[id] = vertex }
        for (id, alert) in given["alerts"]?.object ?? [:] { state.alerts[id] = alert }
        for (id, detection) in given["detections"]?.object ?? [:] { state.detections[id] = detection }
        if let flag = given["has_detections"]?.bool { state.hasDetections = flag }
        if let flag = given["makes_unknown"]?.bool { state.makesUnknown = flag }
        if let count = given["fan_out"]?.int { state.fanOut = Int(clamping: count) }
    }
}
