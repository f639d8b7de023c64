// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// What a tenant holds besides IOCs. A value: the vendor guards it with a lock.
struct Entities: Sendable {
    var hosts = HostTable()
    var groups = EntityTable(key: "id")
    var alerts = EntityTable(key: "composite_id")
    var cases = EntityTable(key: "id")
    var messageCases = EntityTable(key: "id")
    var quarantinedFiles = EntityTable(key: "id")
    var samples = SampleShelf()
    var incidents = EntityTable(key: "incident_id")
    var behaviors = EntityTable(key: "behavior_id")
    var policies = EntityTable(key: "id")
    var users = EntityTable(key: "uuid")
    var identities = EntityTable(key: "entityId")
    /// Logins by host.
    var logins = EntityTable(key: "device_id")
    /// Open scrolls: the ids that are left, by cursor.
    var scrolls: [String: Scroll] = [:]
    /// Containments that have begun: what the host becomes, and when.
    var pending: [String: Pending] = [:]
    /// What was done, in its order, and what was asked wrongly; the oldest are forgotten.
    private(set) var acts: [JSONObject] = []
    private(set) var violations: [JSONObject] = []
    var made = 0

    struct Pending: Sendable {
        let status: String
        let moment: Int64
    }

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
        case "message_cases": put(&messageCases)
        case "quarantined_files": put(&quarantinedFiles)
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
        case "message_cases": messageCases.rows
        case "quarantined_files": quarantinedFiles.rows
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
        if let problem = operation.contract?.problem(call) {
            Self.note(["operation": .string(operation.rawValue), "problem": .string(problem)], in: &violations)
            return call.refuse(400, problem)
        }
        settle(at: caller.now)
        let response = answer(to: operation, call)
        if Self.acting.contains(operation), let response, response.status < 300 {
            Self.note(
                [
                    "operation": .string(operation.rawValue),
                    "action": call.query["action_name"].map { .string($0) } ?? nil,
                    "body": call.body ?? nil,
                ], in: &acts)
        }
        return response
    }

    private mutating func answer(to operation: FalconOperation, _ call: EntityCall) -> ServerResponse? {
        answerHosts(operation, call) ?? answerAlerts(operation, call) ?? answerPolicies(operation, call)
            ?? answerUsers(operation, call) ?? answerQuarantine(operation, call) ?? answerCases(operation, call)
            ?? answerDetections(operation, call) ?? samples.answer(to: operation, call)
    }

    private static let acting: Set<FalconOperation> = [
        .alertUpdate, .alertUpdateV2, .caseCreate, .detectUpdate, .deviceAction, .messageCaseCreate, .quarantineUpdate,
    ]

    private static func note(_ line: JSONObject, in list: inout [JSONObject]) {
        if list.count == 100_000 { list.removeFirst(50_000) }
        list.append(line)
    }
}

/// A request with its body, and the forms of answers.
struct EntityCall {
    let query: QueryItems
    let body: JSONValue?
    let hasBody: Bool
    let caller: Caller

    init(_ request: ServerRequest, _ caller: Caller) {
        query = request.query
        hasBody = !request.body.isEmpty
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
        let page = ids.dropFirst(offset).prefix(capped(limit))
        var envelope = Envelope()
        envelope.paging = .init(limit: limit, offset: echoes ? offset : offset + page.count, total: ids.count)
        envelope.poweredBy = "simulator"
        return envelope.response(caller.trace) { writer in for id in page { writer.string(id) } }
    }

    func capped(_ limit: Int) -> Int { min(limit, caller.settings.pageCap ?? limit) }

    /// Objects that a request's filter takes, in its order.
    func selected(_ objects: [JSONObject]) throws(Refusal) -> [JSONObject] {
        try Self.selected(objects, query["filter"], query["sort"])
    }

    static func selected(_ objects: [JSONObject], _ filter: String?, _ sort: String?) throws(Refusal) -> [JSONObject] {
        let filter = try EntityFilter(filter ?? "")
        let taken = filter.isEmpty ? objects : objects.filter { filter.matches($0) }
        return sort.flatMap { EntityOrder($0) }?.sorted(taken) ?? taken
    }
}
