// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import HarfangLab
import JSON
import Synchronization

/// A console without a network, as the vectors describe theirs: exact parameters, a search over everything, paging.
final class FakeConsole: Sendable {
    struct Fault: Sendable {
        let method: String
        let path: String
        let status: Int
        let body: JSONValue
        var times = 1
    }

    struct State {
        var rules: [String: [JSONObject]] = [:]
        var faults: [Fault] = []
        var pageCap: Int?
        var foldsHashes = false
        var calls: [Call] = []
        var serial = 0
    }

    /// A request as the vectors write it.
    struct Call: Sendable, Hashable, CustomStringConvertible {
        var method: String
        var path: String
        var query: JSONObject
        var body: JSONValue
        var description: String { "\(method) \(path) \(JSONValue.object(query).text) \(body.text)" }
    }

    let state = Mutex(State())

    static let token = "console-token"

    func client() throws -> HarfangLabClient {
        let transport = ScriptedTransport { [self] recorded in answer(recorded) }
        return try HarfangLabClient(
            transport: transport, url: "https://hl.example:8443/", token: { Secret(Self.token) })
    }

    private func answer(_ recorded: ScriptedTransport.Recorded) -> ScriptedTransport.Answer {
        let target = recorded.request.url.dropFirst("https://hl.example:8443".count)
        let path = String(target.prefix { $0 != "?" })
        var query = JSONObject()
        for pair in target.drop(while: { $0 != "?" }).dropFirst().split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1).map { String($0).removingPercent }
            query[parts[0]] = .string(parts.count > 1 ? parts[1] : "")
        }
        let body = (try? JSONValue(parsing: recorded.body)) ?? .null
        let method = recorded.request.method.rawValue
        return state.withLock { state in
            let isPage = query["limit"] != nil
            let shown = path.hasSuffix("/") ? String(path.dropLast()) : path
            if recorded.request.headers["Authorization"] != "Token " + Self.token { return .status(401) }
            state.calls.append(Call(method: method, path: shown, query: query, body: body))
            if let index = state.faults.firstIndex(where: {
                $0.times > 0 && $0.method.uppercased() == method && path.contains($0.path)
            }) {
                state.faults[index].times -= 1
                return .status(state.faults[index].status, state.faults[index].body.text)
            }
            let parts = shown.split(separator: "/").map(String.init)
            guard parts.count >= 4 else { return .status(404, #"{"detail":"Not found."}"#) }
            return Self.serve(method, parts[3], parts.count > 4 ? parts[4] : nil, query, body, isPage, &state)
        }
    }

    private static func serve(
        _ method: String, _ collection: String, _ id: String?, _ query: JSONObject, _ body: JSONValue, _ isPage: Bool,
        _ state: inout State
    ) -> ScriptedTransport.Answer {
        var rows = state.rules[collection] ?? []
        switch (method, id) {
        case ("GET", nil):
            let found = rows.filter { matches($0, query) }
            let offset = query["offset"]?.string.flatMap { Int($0) } ?? 0
            let end = min(found.count, offset + (state.pageCap ?? 100))
            var next = JSONValue.null
            if end < found.count {
                var items = query
                items["offset"] = .string("\(end)")
                next = .string(
                    "/api/data/threat_intelligence/\(collection)?"
                        + PercentEncoding.query(items.map { (name: $0.key, value: $0.value.string ?? "") }))
            }
            let page: JSONValue = [
                "count": .int(found.count), "next": next, "previous": .null,
                "results": .array(found[min(offset, end)..<end].map { .object($0) }),
            ]
            return .status(200, page.text)
        case ("POST", nil):
            guard var row = body.object else { return .status(400) }
            if state.foldsHashes, row["type"]?.string == "hash" {
                row["value"] = row["value"]?.string.map { .string($0.lowercased()) }
            }
            if collection == "IOCRule",
                rows.contains(where: { $0["type"] == row["type"] && $0["value"] == row["value"] })
            {
                return .status(
                    400, #"{"__all__":["['Ioc rule with this Type, Value and Source already exists.']"]}"#)
            }
            state.serial += 1
            row["id"] = .string("9e000000-0000-4000-8000-00000000000\(state.serial)")
            rows.append(row)
            state.rules[collection] = rows
            return .status(201, JSONValue.object(row).text)
        case ("PATCH", let id?):
            guard let index = rows.firstIndex(where: { $0["id"]?.string == id }) else {
                return .status(404, #"{"detail":"Not found."}"#)
            }
            for (key, value) in body.object ?? [:] { rows[index][key] = value }
            state.rules[collection] = rows
            return .status(200, JSONValue.object(rows[index]).text)
        case ("DELETE", let id?):
            guard let index = rows.firstIndex(where: { $0["id"]?.string == id }) else {
                return .status(404, #"{"detail":"Not found."}"#)
            }
            rows.remove(at: index)
            state.rules[collection] = rows
            return .status(204)
        default: return .status(405)
        }
    }

    private static func matches(_ row: JSONObject, _ query: JSONObject) -> Bool {
        for (key, field) in [
            ("source_id", "source_id"), ("type", "type"), ("value__exact", "value"), ("name__exact", "name"),
        ] {
            if let wanted = query[key], row[field] != wanted { return false }
        }
        guard let word = query["search"]?.string else { return true }
        return JSONValue.object(row).text.lowercased().contains(word.lowercased())
    }
}

extension String {
    fileprivate var removingPercent: String {
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let high = rest.popFirst().flatMap({ Hex.nibble($0) }),
                let low = rest.popFirst().flatMap({ Hex.nibble($0) })
            {
                bytes.append(high << 4 | low)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
