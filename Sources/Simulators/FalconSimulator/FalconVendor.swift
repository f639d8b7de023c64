// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import JSON
import SimulatorKit
import Synchronization

/// The simulated tenant behind the shared server.
final class FalconVendor: SimulatedVendor {
    private struct Tenants {
        var tables: [String: IOCTable] = [:]
        var totals: [String: Totals] = [:]
        var sightings = Sightings()
        var entities = Entities()
    }
    private let initial: FalconConfiguration
    private let clock: SimulatorClock
    private let settings: Mutex<FalconConfiguration>
    private let access = Mutex(Access())
    private let tenants = Mutex(Tenants())
    private let parsers = [ParserBox(), ParserBox(), ParserBox(), ParserBox()]
    private let answered = Atomic<UInt64>(0)
    private let feeds: EventFeeds
    private let graph = ThreatGraph()

    init(_ configuration: FalconConfiguration, clock: SimulatorClock) {
        initial = configuration
        feeds = EventFeeds(configuration.feeds, clock: clock)
        self.clock = clock
        settings = Mutex(configuration)
    }

    // MARK: Requests

    func operation(of request: ServerRequest) -> String {
        FalconOperation.at(request.method, request.path)?.rawValue
            ?? StreamOperation.at(request.method, request.path)?.0.rawValue ?? "unknown"
    }

    func answer(to request: ServerRequest, operation name: String) -> Answer {
        let settings = settings.withLock { $0 }
        if request.rawPath.utf8.count + request.rawQuery.utf8.count > settings.maxTargetBytes {
            let page = "<html><head><title>414 Request-URI Too Large</title></head></html>\n"
            return .now(ServerResponse(status: 414, contentType: "text/html", bytes: Array(page.utf8)))
        }
        let trace = trace()
        let operation = FalconOperation(rawValue: name)
        let isToken = operation == .token || operation == .revoke
        let limit = isToken ? settings.tokenRequestsPerMinute : settings.requestsPerMinute
        let budget = access.withLock { $0.take(isToken: isToken, limit: limit, at: clock.uptime) }
        guard case .left(let left) = budget else {
            if case .spent(let wait) = budget { return .now(spent(wait, limit ?? 0, trace)) }
            return .now(Envelope.refused(429, ["rate limit"]).response(trace))
        }
        var response: ServerResponse
        if let stream = StreamOperation.at(request.method, request.path),
            operation == nil || isOfStream(request, stream.0)
        {
            response = serve(request, stream.0, stream.part, trace)
        } else if let operation {
            response =
                isToken
                ? answer(token: request, operation, settings, trace) : serve(request, operation, settings, trace)
        } else {
            let status = FalconOperation.isPath(request.path) ? 405 : 404
            let message = status == 404 ? "404: Page Not Found" : "method not allowed"
            response = Envelope.refused(status, [message], hasResources: false).response(trace)
        }
        response.headers["X-Ratelimit-Limit"] = "\(limit ?? Access.usualLimit)"
        response.headers["X-Ratelimit-Remaining"] = "\(left)"
        return .now(response)
    }

    private func serve(
        _ request: ServerRequest, _ operation: FalconOperation, _ settings: FalconConfiguration, _ trace: String
    ) -> ServerResponse {
        let header = request.headers["Authorization"] ?? ""
        let isBearer = header.prefix(7).lowercased() == "bearer "
        let token = isBearer ? String(header.dropFirst(7)) : ""
        guard let grant = access.withLock({ $0.grant(of: token, at: clock.now) }) else {
            return gateway(401, "access denied, invalid bearer token", trace)
        }
        guard !grant.scopes.isDisjoint(with: operation.scopes) else {
            return gateway(403, "access denied, authorization failed", trace)
        }
        let caller = Caller(
            client: grant.client, cid: grant.cid, now: clock.now.milliseconds, trace: trace, settings: settings)
        if let response = Catalogue(caller: caller, query: request.query).answer(to: operation) { return response }
        let entity = tenants.withLock { $0.entities.answer(to: operation, request, caller) }
        if let entity { return entity }
        switch operation {
        case .create, .update, .aggregate, .report: return serve(body: request, operation, caller)
        default: return serve(query: request, operation, caller)
        }
    }

    /// Alerts that the stream's events name, or that were given with their graph; all others are the tenant's own.
    private func isOfStream(_ request: ServerRequest, _ operation: StreamOperation) -> Bool {
        switch operation {
        case .alerts:
            let ids = request.json?["composite_ids"]?.array?.compactMap(\.string) ?? []
            return !ids.isEmpty && ids.allSatisfy { graph.knows($0) || feeds.names($0) }
        case .alertQuery: return (request.query["filter"] ?? "").hasPrefix("aggregate_id:")
        case .detections: return graph.hasDetections
        default: return true
        }
    }

    private func serve(
        _ request: ServerRequest, _ operation: StreamOperation, _ part: String, _ trace: String
    ) -> ServerResponse {
        if operation == .read {
            return Int(part).map { feeds.read(partition: $0, request, trace: trace) }
                ?? gateway(404, "404: Page Not Found", trace)
        }
        let token = (request.headers["Authorization"] ?? "").split(separator: " ").dropFirst().first.map(String.init)
        guard let grant = access.withLock({ $0.grant(of: token ?? "", at: clock.now) }) else {
            return gateway(401, "access denied, invalid bearer token", trace)
        }
        guard let scope = operation.scope, grant.scopes.contains(scope) else {
            return gateway(403, "access denied, authorization failed", trace)
        }
        switch operation {
        case .list:
            let origin = "http://" + (request.headers["Host"] ?? "127.0.0.1")
            return feeds.list(appID: request.query["appId"] ?? "", origin: origin, trace: trace)
        case .refresh:
            guard request.query["action_name"] == "refresh_active_stream_session", let partition = Int(part) else {
                return gateway(400, "invalid action_name", trace)
            }
            return feeds.refresh(partition: partition, appID: request.query["appId"] ?? "", trace: trace)
        default: return graph.answer(to: operation, part: part, request, trace: trace)
        }
    }

    private func serve(query request: ServerRequest, _ operation: FalconOperation, _ caller: Caller) -> ServerResponse {
        tenants.withLock { tenants in
            if let response = tenants.sightings.answer(to: operation, request.query, caller) { return response }
            let reads = IndicatorReads(caller: caller, query: request.query)
            return with(&tenants.tables[caller.cid, default: newTable(caller.cid)]) { table in
                switch operation {
                case .search, .combined:
                    return reads.search(
                        table, isCombined: operation == .combined,
                        totals: &tenants.totals[caller.cid, default: Totals()])
                case .get: return reads.get(table)
                default: return IndicatorWrites(caller: caller, query: request.query).delete(in: &table)
                }
            }
        }
    }

    private func serve(body request: ServerRequest, _ operation: FalconOperation, _ caller: Caller) -> ServerResponse {
        do {
            return try parser.parse(request.body) { root in
                tenants.withLock { tenants in
                    let writes = IndicatorWrites(caller: caller, query: request.query)
                    let reads = IndicatorReads(caller: caller, query: request.query)
                    return with(&tenants.tables[caller.cid, default: newTable(caller.cid)]) { table in
                        switch operation {
                        case .create: return writes.create(root, in: &table)
                        case .update: return writes.update(root, in: &table)
                        case .aggregate: return reads.aggregate(root, table)
                        default: return reads.report(root)
                        }
                    }
                }
            }
        } catch {
            return Envelope.refused(400, ["invalid JSON in request body"]).response(caller.trace)
        }
    }

    private func with<Result>(_ table: inout IOCTable, _ body: (inout IOCTable) -> Result) -> Result { body(&table) }

    private func newTable(_ cid: String) -> IOCTable {
        IOCTable(salt: cid.utf8.reduce(initial.options.seed << 33) { $0 &* 31 &+ UInt64($1) })
    }

    // One parser a request at a time; there are more of them than threads that serve.
    private var parser: ParserBox {
        parsers[Int(answered.load(ordering: .relaxed) % UInt64(parsers.count))]
    }

    // MARK: Tokens

    private func answer(
        token request: ServerRequest, _ operation: FalconOperation, _ settings: FalconConfiguration, _ trace: String
    ) -> ServerResponse {
        let endpoint = TokenEndpoint(settings: settings, now: clock.now, trace: trace)
        return access.withLock { access in
            operation == .token ? endpoint.issue(request, &access) : endpoint.revoke(request, &access)
        }
    }

    private func trace() -> String {
        let number = answered.add(1, ordering: .relaxed).newValue
        let seed = initial.options.seed
        return Digest128(high: RowID.scramble(number &+ seed), low: RowID.scramble(number &+ seed << 7)).uuidDescription
    }

    // MARK: Errors

    func refusal(status: Int, message: String?, retryAfter: Int) -> ServerResponse {
        let usual = [
            429: "API rate limit exceeded.", 401: "access denied, invalid bearer token",
            403: "access denied, authorization failed",
        ]
        let text = message ?? usual[status] ?? "Internal Server Error: Please provide trace-id to support"
        var response = gateway(status, text, trace())
        if status == 429 {
            response.headers["X-Ratelimit-Limit"] = "\(Access.usualLimit)"
            response.headers["X-Ratelimit-Remaining"] = "0"
            // Epoch seconds; the service sends no Retry-After (Falcon API, 2).
            response.headers["X-Ratelimit-Retryafter"] = "\(clock.now.milliseconds / 1000 + Int64(retryAfter))"
        }
        return response
    }

    private func gateway(_ status: Int, _ message: String, _ trace: String) -> ServerResponse {
        Envelope.refused(status, [message], hasResources: false).response(trace)
    }

    private func spent(_ wait: Duration, _ limit: Int, _ trace: String) -> ServerResponse {
        var response = refusal(status: 429, message: nil, retryAfter: 0)
        response.headers["X-Ratelimit-Limit"] = "\(limit)"
        let free = clock.now.advanced(by: wait).milliseconds
        response.headers["X-Ratelimit-Retryafter"] = "\((free + 999) / 1000)"
        return response
    }

    // MARK: Admin

    func administer(_ router: inout Router) {
        FalconAdmin(vendor: self).add(to: &router)
        StreamAdmin(feeds: feeds, graph: graph).add(to: &router)
    }

    func reset() {
        settings.withLock { $0 = initial }
        access.withLock { $0 = Access() }
        tenants.withLock { $0 = Tenants() }
        feeds.reset()
        graph.reset()
    }

    var now: Int64 { clock.now.milliseconds }

    func change(_ changes: JSONObject) -> String? {
        settings.withLock { settings in
            var changed = settings
            let problem = changed.apply(changes)
            if problem == nil { settings = changed }
            return problem
        }
    }

    func revokeAll() { access.withLock { $0.revokeAll() } }

    func addSighting(_ value: JSONValue) -> Bool { tenants.withLock { $0.sightings.add(value) } }

    func withEntities<Result: Sendable>(_ body: (inout Entities) -> Result) -> Result {
        tenants.withLock { body(&$0.entities) }
    }

    func withTable<Result: Sendable>(_ cid: String, _ body: (inout IOCTable) -> Result) -> Result {
        tenants.withLock { tenants in with(&tenants.tables[cid, default: newTable(cid)], body) }
    }

    func parse<Result: Sendable>(_ bytes: [UInt8], _ body: (JSONElement) throws -> Result) throws -> Result {
        try parser.parse(bytes, body)
    }
}

/// A parser that threads take turns with.
final class ParserBox: @unchecked Sendable {
    // Safe because: the parser (simdjson's handle) is used under the lock only.
    private let parser = JSONParser()
    private let lock = Mutex<Void>(())

    func parse<Result: Sendable>(_ bytes: [UInt8], _ body: (JSONElement) throws -> Result) throws -> Result {
        try lock.withLock { _ in try parser.withDocument(bytes, body) }
    }
}
