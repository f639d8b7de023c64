// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import HTTPClient
import HarfangLab
import JSON
import Synchronization
import TestKit

@testable import HarfangLabIncidents

/// A console whose events and threats change while they are read, with the real one's order, pages and ceiling.
final class LiveConsole: Sendable {
    struct Call: Sendable {
        let path: String
        let query: [String: String]
        /// `Alert`, `Threat`, `SigmaRule`.
        var collection: String { path.split(separator: "/").last.map(String.init) ?? "" }
    }
    struct State: Sendable {
        var alerts: [JSONObject] = []
        var threats: [JSONObject] = []
        var calls: [Call] = []
        /// Looks at each call before it is answered: may change everything, and may answer itself.
        var interfere: @Sendable (Call, inout State) -> ScriptedTransport.Answer? = { _, _ in nil }
        /// Most results that any window shows.
        var ceiling = HarfangLabPage.ceiling
    }
    let state = Mutex(State())

    func client() throws -> HarfangLabClient {
        let transport = ScriptedTransport { [self] recorded in answer(recorded.request.url) }
        return try HarfangLabClient(transport: transport, url: "https://hl.example:8443", token: { Secret("t") })
    }

    func change(_ body: @Sendable (inout State) -> Void) { state.withLock { body(&$0) } }
    var calls: [Call] { state.withLock { $0.calls } }

    private func answer(_ url: String) -> ScriptedTransport.Answer {
        let target = url.dropFirst("https://hl.example:8443".count)
        var query: [String: String] = [:]
        for pair in target.drop(while: { $0 != "?" }).dropFirst().split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1).map { String($0).removingPercentEncoding ?? "" }
            query[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        let call = Call(path: String(target.prefix { $0 != "?" }), query: query)
        return state.withLock { state in
            state.calls.append(call)
            if let answer = state.interfere(call, &state) { return answer }
            switch call.collection {
            case "Alert": return page(state.alerts, "alert_time", call, state.ceiling)
            case "Threat": return page(state.threats, "creation_date", call, state.ceiling)
            case "note": return .status(200, "")
            default:
                let rule: JSONValue = [
                    "id": "r", "name": .string(query["rule_name__exact"] ?? "r"), "content": "title: r",
                    "creation_date": "2026-01-01T00:00:00Z", "last_update": "2026-01-01T00:00:00Z",
                ]
                return .status(200, JSONValue.object(["count": 1, "next": .null, "results": [rule]]).text)
            }
        }
    }

    private func page(
        _ rows: [JSONObject], _ usual: String, _ call: Call, _ ceiling: Int
    ) -> ScriptedTransport.Answer {
        let query = call.query
        func date(_ row: JSONObject, _ field: String) -> StartDate {
            row[field]?.string.flatMap { StartDate($0) } ?? .beginning
        }
        let order = query["ordering"] ?? usual
        let starts = [("from", usual), ("last_update__gte", "last_update")].compactMap { name, field in
            query[name].flatMap { StartDate($0) }.map { (field, $0) }
        }
        let found = rows.filter { row in
            starts.allSatisfy { date(row, $0.0) >= $0.1 }
                && (query["threat_key"].map { row["threat_key"]?.string == $0 } ?? true)
                && (query["status"].map { $0.split(separator: ",").contains(Substring(row["status"]?.string ?? "new")) }
                    ?? true)
        }.enumerated().sorted { left, right in
            (date(left.element, order), left.offset) < (date(right.element, order), right.offset)
        }.map(\.element)
        let offset = query["offset"].flatMap { Int($0) } ?? 0
        guard offset + 100 <= ceiling else { return .status(400, "{\"detail\":\"Result window is too large\"}") }
        let end = min(found.count, offset + 100)
        var next = JSONValue.null
        if end < found.count {
            var items = query
            items["offset"] = "\(end)"
            // The client knows the real ceiling only.
            if end + 100 > ceiling { items["offset"] = "\(HarfangLabPage.ceiling)" }
            next = .string(call.path + "?" + PercentEncoding.query(items.map { (name: $0.key, value: $0.value) }))
        }
        let results = found[min(offset, end)..<end].map { JSONValue.object($0) }
        return .status(
            200, JSONValue.object(["count": .int(found.count), "next": next, "results": .array(results)]).text)
    }

    /// A Sigma event, so many seconds after the beginning of 2026-03-01.
    static func alert(
        _ number: Int, at seconds: Int? = nil, status: String = "new", changed: Int? = nil, threat: Int? = nil
    ) -> JSONObject {
        let time = moment(seconds ?? number)
        return [
            "id": .string("event-\(number)"), "alert_type": "sigma", "alert_time": .string(time),
            "last_update": .string(moment(changed ?? seconds ?? number)), "status": .string(status), "level": "high",
            "msg": .string("event \(number)"), "rule_name": "Rule",
            "threat_key": threat.map { .string("\($0)") } ?? .null,
        ]
    }

    static func threat(_ number: Int, at seconds: Int? = nil, changed: Int? = nil) -> JSONObject {
        [
            "id": .int(number), "slug": .string("threat \(number)"), "level": "high", "status": "new",
            "creation_date": .string(moment(seconds ?? number)),
            "last_update": .string(moment(changed ?? seconds ?? number)),
        ]
    }

    static func moment(_ seconds: Int) -> String {
        StartDate(Instant(milliseconds: 1_772_323_200_000 + Int64(seconds) * 1000)).description
    }
}
