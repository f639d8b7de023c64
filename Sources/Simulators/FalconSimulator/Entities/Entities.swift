// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// What a tenant holds besides IOCs. A value: the vendor guards it with a lock.
struct Entities: Sendable {
    var hosts = HostTable()
    var groups = EntityTable(key: "id")
    var alerts = EntityTable(key: "composite_id")
    var cases = EntityTable(key: "id")
    var incidents = EntityTable(key: "incident_id")
    var behaviors = EntityTable(key: "behavior_id")
    var policies = EntityTable(key: "id")
    var users = EntityTable(key: "uuid")
    var identities = EntityTable(key: "entityId")
    /// Logins by host.
    var logins = EntityTable(key: "device_id")
    /// Open scrolls: the ids that are left, by cursor.
    var scrolls: [String: Scroll] = [:]
    var made = 0

    struct Scroll: Sendable {
        let ids: [String]
        let total: Int
        let expires: Int64
    }

    /// Loads objects of a kind; `nil` for a kind that is not there, else how many were taken.
    mutating func load(_ kind: String, _ objects: [JSONObject]) -> Int? {
        func put(_ table: inout EntityTable) -> Int { objects.count { table.put($0) } }
        return switch kind {
        case "hosts": objects.count { hosts.put($0) }
        case "host_groups": put(&groups)
        case "alerts": put(&alerts)
        case "cases": put(&cases)
        case "incidents": put(&incidents)
        case "behaviors": put(&behaviors)
        case "policies": put(&policies)
        case "users": put(&users)
        case "identities": put(&identities)
        case "logins": put(&logins)
        default: nil
        }
    }

    /// Every object of a kind.
    func dump(_ kind: String) -> [JSONObject]? {
        switch kind {
        case "hosts": hosts.loaded.rows
        case "host_groups": groups.rows
        case "alerts": alerts.rows
        case "cases": cases.rows
        case "incidents": incidents.rows
        case "behaviors": behaviors.rows
        case "policies": policies.rows
        case "users": users.rows
        case "identities": identities.rows
        case "logins": logins.rows
        default: nil
        }
    }

    mutating func answer(
        to operation: FalconOperation, _ request: ServerRequest, _ caller: Caller
    ) -> ServerResponse? {
        let call = EntityCall(request, caller)
        return answerHosts(operation, call) ?? answerAlerts(operation, call) ?? answerPolicies(operation, call)
            ?? answerUsers(operation, call)
    }
}

/// A request with its body, and the forms of answers.
struct EntityCall {
    let query: QueryItems
    let body: JSONValue?
    let caller: Caller

    init(_ request: ServerRequest, _ caller: Caller) {
        query = request.query
        body = request.body.isEmpty ? nil : try? JSONValue(parsing: request.body)
        self.caller = caller
    }

    /// The ids of the body, or of the query.
    func ids(_ key: String = "ids") -> [String] {
        (body?[key]?.array).map { $0.compactMap(\.string) } ?? query.all(key)
    }

    func refuse(_ status: Int, _ message: String, id: String? = nil) -> ServerResponse {
        var envelope = Envelope.refused(status, [])
        envelope.problems = [.init(code: status, message: message, id: id)]
        return envelope.response(caller.trace)
    }

    func give(_ resources: [JSONValue], _ problems: [Envelope.Problem] = [], status: Int = 200) -> ServerResponse {
        var envelope = Envelope()
        envelope.status = status
        envelope.problems = problems
        envelope.poweredBy = "simulator"
        return envelope.response(caller.trace) { writer in for resource in resources { writer.value(resource) } }
    }

    /// Entities by id; those that are not there are named in the errors.
    ///
    /// - Parameters:
    ///   - limit: more are refused.
    ///   - missing: the status when none is known; 200 where the API answers an empty list.
    func entities(
        _ ids: [String], limit: Int, missing: Int = 200, _ find: (String) -> JSONObject?
    ) -> ServerResponse {
        guard !ids.isEmpty else { return refuse(400, "ids is required") }
        guard ids.count <= limit else { return refuse(400, "too many ids: \(ids.count), at most \(limit)") }
        guard Set(ids).count == ids.count else { return refuse(400, "ids must be unique") }
        var found: [JSONValue] = []
        var problems: [Envelope.Problem] = []
        for id in ids {
            if let object = find(id) {
                found.append(.object(object))
            } else {
                problems.append(.init(code: 404, message: "not found: '\(id)'", id: id))
            }
        }
        return give(found, problems, status: found.isEmpty ? missing : 200)
    }

    /// A page of ids by offset, with the rules of those endpoints.
    ///
    /// - Parameters:
    ///   - window: `offset + limit` may not exceed it.
    ///   - echoes: the answer repeats the offset instead of counting on.
    func page(_ ids: [String], most: Int, window: Int? = nil, echoes: Bool = false) -> ServerResponse {
        let limit = query["limit"].flatMap { Int($0) } ?? 100
        let offset = query["offset"].flatMap { Int($0) } ?? 0
        guard (1...most).contains(limit) else { return refuse(400, "invalid limit: must be between 1 and \(most)") }
        guard offset >= 0, window.map({ offset + limit <= $0 }) ?? true else {
            return refuse(400, "limit + offset must be less than 10000")
        }
        let page = ids.dropFirst(offset).prefix(limit)
        var envelope = Envelope()
        envelope.paging = .init(limit: limit, offset: echoes ? offset : offset + page.count, total: ids.count)
        envelope.poweredBy = "simulator"
        return envelope.response(caller.trace) { writer in for id in page { writer.string(id) } }
    }

    /// Objects that a request's filter takes, in its order.
    func selected(_ objects: [JSONObject]) throws(Refusal) -> [JSONObject] {
        let filter = try EntityFilter(query["filter"] ?? "")
        let taken = filter.isEmpty ? objects : objects.filter { filter.matches($0) }
        return query["sort"].flatMap { EntityOrder($0) }?.sorted(taken) ?? taken
    }
}
