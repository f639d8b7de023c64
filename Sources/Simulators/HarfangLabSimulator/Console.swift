// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON
import SimulatorKit

/// One request at the console.
struct Console {
    let request: ServerRequest
    let body: JSONValue
    let now: String

    func answer(_ operation: ConsoleOperation, _ state: inout HarfangLabVendor.State) -> ServerResponse {
        do throws(RuleTable.Refusal) {
            return try serve(operation, &state)
        } catch {
            return .json(error.body, status: error.status)
        }
    }

    private func serve(
        _ operation: ConsoleOperation, _ state: inout HarfangLabVendor.State
    ) throws(RuleTable.Refusal) -> ServerResponse {
        let folds = state.settings.normalisesHashCase
        switch operation {
        case .version: return .json(["version": "9.11.0"])
        case .me: return .json(["id": 3, "username": "opencti"])
        case .makeToken: return .json(["api_token": .string(HarfangLabConfiguration.defaultToken)])
        case .listSources(let kind):
            let name = request.query["name__exact"]
            let word = request.query["search"]?.lowercased()
            let found = (state.tables[kind]?.sources ?? []).filter { source in
                (name.map { source["name"]?.string == $0 } ?? true)
                    && (word.map { (source["name"]?.string ?? "").lowercased().contains($0) } ?? true)
            }
            return page(found, state)
        case .createSource(let kind):
            let source = try state.with(kind) { table throws(RuleTable.Refusal) in try table.addSource(body) }
            return .json(.object(source), status: 201)
        case .listRules(let kind): return page(state.tables[kind]?.find { request.query[$0] } ?? [], state)
        case .createRule(let kind): return try create(kind, folds, &state)
        case .getRule(let kind, let id):
            return state.tables[kind]?.row(id).map { .json(.object($0)) } ?? notFound
        case .updateRule(let kind, let id):
            let row = try state.with(kind) { table throws(RuleTable.Refusal) in
                try table.update(id, body, now: now, foldsHashes: folds)
            }
            return row.map { .json(.object($0)) } ?? notFound
        case .deleteRule(let kind, let id):
            let isGone = try state.with(kind) { table throws(RuleTable.Refusal) in table.remove(id) }
            return isGone ? ServerResponse(status: 204) : notFound
        case .wrongMethod: return HarfangLabVendor.detail(405, "Method \"\(request.method)\" not allowed.")
        case .missingSlash:
            var response = ServerResponse(status: 301)
            response.headers["Location"] = request.rawPath + "/"
            return response
        default: return events(operation, &state)
        }
    }

    private func create(
        _ kind: RuleCollection, _ folds: Bool, _ state: inout HarfangLabVendor.State
    ) throws(RuleTable.Refusal) -> ServerResponse {
        if let problem = state.tables[kind]?.contentProblem(body) {
            return .json(
                [
                    "status": [
                        ["status": false, "code": .string(problem.code), "content": .string(problem.message)]
                    ]
                ], status: 201)
        }
        let row = try state.with(kind) { table throws(RuleTable.Refusal) in
            try table.insert(body, now: now, foldsHashes: folds)
        }
        guard kind != .ioc else { return .json(.object(row), status: 201) }
        return .json(
            [
                "status": [
                    [
                        "id": row["id"] ?? .null, "filename": row["name"] ?? .null, "content": row["content"] ?? .null,
                        "status": true, "code": .null,
                    ]
                ]
            ], status: 201)
    }

    private func events(_ operation: ConsoleOperation, _ state: inout HarfangLabVendor.State) -> ServerResponse {
        switch operation {
        case .listAlerts: return page(state.events.findAlerts { request.query[$0] }, state)
        case .getAlert(let id):
            return state.events.alerts.first { $0["id"]?.string == id }.map { .json(["alert": .object($0)]) }
                ?? notFound
        case .tagAlerts:
            guard let ids = body["ids"]?.array?.compactMap(\.string), let status = body["new_status"]?.string else {
                return .json(["ids": ["This field is required."]], status: 400)
            }
            for id in ids { _ = state.events.setStatus(status, of: id, now: now) }
            return .json(["updated": .int(ids.count)])
        case .listThreats: return page(state.events.findThreats { request.query[$0] }, state)
        case .getThreat(let id):
            return state.events.threats.first { $0["id"]?.int.map { "\($0)" } == id }.map { .json(.object($0)) }
                ?? notFound
        case .threatNote(let id):
            guard let note = state.events.notes[id] else { return ServerResponse(status: 200) }
            return .json(note)
        case .threatRules:
            let threat = state.events.threats.first { $0["id"]?.int.map { "\($0)" } == request.query["threat_id"] }
            return page((threat?["top_rules"]?.array ?? []).compactMap(\.object), state)
        case .threatStatus:
            guard let ids = body["threat_ids"]?.array, let status = body["new_status"] else {
                return .json(["threat_ids": ["This field is required."]], status: 400)
            }
            for index in state.events.threats.indices where ids.contains(state.events.threats[index]["id"] ?? .null) {
                state.events.threats[index]["status"] = status
                state.events.threats[index]["last_update"] = .string(now)
            }
            return .json(["updated": .int(ids.count)])
        case .commentThreat(let id):
            state.events.comments[id, default: []].append(body["comment"]?.string ?? "")
            return .json(["comment": body["comment"] ?? .null], status: 201)
        case .listAgents:
            let name = request.query["hostname"]
            return page(
                state.events.agents.filter { agent in name.map { agent["hostname"]?.string == $0 } ?? true }, state)
        case .getAgent(let id):
            return state.events.agents.first { $0["id"]?.string == id }.map { .json(.object($0)) } ?? notFound
        case .listUsers:
            return page((state.events.users[request.query["threat_id"] ?? ""] ?? []).compactMap(\.object), state)
        default: return notFound
        }
    }

    private var notFound: ServerResponse { HarfangLabVendor.detail(404, "Not found.") }

    private func page(_ rows: [JSONObject], _ state: HarfangLabVendor.State) -> ServerResponse {
        let offset = request.query["offset"].flatMap { Int($0) } ?? 0
        let limit = request.query["limit"].flatMap { Int($0) } ?? 100
        guard offset >= 0, limit > 0, offset + limit <= 10_000 else {
            return HarfangLabVendor.detail(
                400, "Result window is too large, from + size must be less than or equal to 10000.")
        }
        let most = min(limit, state.settings.pageCap ?? limit)
        let end = min(rows.count, offset + most)
        var next = JSONValue.null
        if end < rows.count {
            var items = request.query.items.filter { $0.name != "offset" && $0.name != "limit" }
                .map { (name: $0.name, value: $0.value) }
            items += [("limit", "\(most)"), ("offset", "\(end)")]
            next = .string(request.rawPath + "?" + Self.query(items))
        }
        var writer = JSONWriter(reserving: 64 << 10)
        writer.beginObject()
        writer.key("count")
        writer.int(rows.count)
        writer.key("next")
        writer.value(next)
        writer.key("previous")
        writer.null()
        writer.key("results")
        writer.beginArray()
        for row in rows[min(offset, end)..<end] { writer.value(.object(fields(row))) }
        writer.endArray()
        writer.endObject()
        return .json(writer.bytes, status: 200)
    }

    private func fields(_ row: JSONObject) -> JSONObject {
        guard let list = request.query["fields"] else { return row }
        let names = Set(list.split(separator: ",").map(String.init))
        return JSONObject(row.filter { names.contains($0.key) })
    }

    private static func query(_ items: [(name: String, value: String)]) -> String {
        func encoded(_ text: String) -> String {
            text.utf8.map { byte in
                let isPlain =
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-._~".utf8.contains(byte)
                if isPlain { return String(UnicodeScalar(byte)) }
                let digits = String(byte, radix: 16, uppercase: true)
                return "%" + (digits.count < 2 ? "0" : "") + digits
            }.joined()
        }
        return items.map { encoded($0.name) + "=" + encoded($0.value) }.joined(separator: "&")
    }
}
