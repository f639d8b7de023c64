// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// Security events, threats, their notes and comments, and agents.
struct EventTable: Sendable {
    var alerts: [JSONObject] = []
    var threats: [JSONObject] = []
    var notes: [String: JSONValue] = [:]
    var comments: [String: [String]] = [:]
    var agents: [JSONObject] = []
    var users: [String: [JSONValue]] = [:]
    private var sortedBy: [String: [Place]] = [:]

    mutating func add(alert: JSONObject) {
        alerts.append(alert)
        sortedBy = [:]
    }

    /// - Returns: whether there is such an event.
    mutating func setStatus(_ status: String, of id: String, now: String) -> Bool {
        guard let index = alerts.firstIndex(where: { $0["id"]?.string == id }) else { return false }
        alerts[index]["status"] = .string(status)
        alerts[index]["last_update"] = .string(now)
        sortedBy = [:]
        return true
    }

    /// The events that a query names, in its order.
    mutating func findAlerts(_ query: (String) -> String?) -> [JSONObject] {
        let lists = [("status", "status"), ("alert_type", "alert_type"), ("maturity", "maturity"), ("level", "level")]
            .compactMap { name, field in query(name).map { (field, Self.words($0)) } }
        let threat = query("threat_key")
        let from = Self.moment(query("from")) ?? Self.moment(query("alert_time__gte"))
        let before = Self.moment(query("alert_time__lt"))
        let updated = Self.moment(query("last_update__gte"))
        let order = query("ordering") ?? "alert_time"
        var places = sorted(order)[...]
        // The usual start lies on the order itself: what comes before it is never looked at.
        let start = order == "alert_time" ? from : order == "last_update" ? updated : nil
        if let start { places = places[Self.firstIndex(in: places, from: start)...] }
        var found: [JSONObject] = []
        for place in places {
            let alert = alerts[place.index]
            guard lists.allSatisfy({ $0.1.contains((alert[$0.0]?.string ?? "").lowercased()) }),
                threat.map({ alert["threat_key"]?.string == $0 }) ?? true,
                order == "alert_time" || Self.isFrom(alert["alert_time"], from),
                order == "last_update" || Self.isFrom(alert["last_update"], updated),
                before.map({ (Self.moment(alert["alert_time"]?.string) ?? $0) < $0 }) ?? true
            else { continue }
            found.append(alert)
        }
        return found
    }

    private struct Place: Sendable {
        let index: Int
        let moment: String
    }

    private mutating func sorted(_ order: String) -> [Place] {
        if let known = sortedBy[order] { return known }
        let isDescending = order.hasPrefix("-")
        let field = isDescending ? String(order.dropFirst()) : order
        var places = alerts.indices.map { Place(index: $0, moment: Self.moment(alerts[$0][field]?.string) ?? "") }
        places.sort { $0.moment == $1.moment ? $0.index < $1.index : $0.moment < $1.moment }
        if isDescending { places.reverse() }
        sortedBy[order] = places
        return places
    }

    private static func firstIndex(in places: ArraySlice<Place>, from start: String) -> Int {
        var (low, high) = (places.startIndex, places.endIndex)
        while low < high {
            let middle = (low + high) / 2
            if places[middle].moment < start { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func findThreats(_ query: (String) -> String?) -> [JSONObject] {
        let from = Self.moment(query("from")) ?? Self.moment(query("creation_date__gte"))
        let updated = Self.moment(query("last_update__gte"))
        let lists = [("status", "status"), ("level", "level")]
            .compactMap { name, field in query(name).map { (field, Self.words($0)) } }
        let order = query("ordering") ?? "creation_date"
        return threats.filter { threat in
            Self.isFrom(threat["creation_date"], from) && Self.isFrom(threat["last_update"], updated)
                && lists.allSatisfy { $0.1.contains(threat[$0.0]?.string ?? "") }
        }.sorted { (Self.moment($0[order]?.string) ?? "") < (Self.moment($1[order]?.string) ?? "") }
    }

    private static func words(_ list: String) -> Set<String> {
        Set(list.split(separator: ",").map { $0.filter { !$0.isWhitespace }.lowercased() })
    }

    private static func isFrom(_ value: JSONValue?, _ start: String?) -> Bool {
        guard let start else { return true }
        guard let moment = moment(value?.string) else { return false }
        return moment >= start
    }

    /// A moment as a text that sorts, microseconds kept: `2026-03-02T07:26:01.276000`. `nil` when it is no date.
    static func moment(_ text: String?) -> String? {
        guard let text, let instant = Instant(parsing: text) else { return nil }
        var digits = ""
        if let point = text.firstIndex(of: ".") {
            digits = String(text[text.index(after: point)...].prefix { $0.isNumber }.prefix(6))
        }
        return instant.secondsDescription.dropLast() + "." + digits + String(repeating: "0", count: 6 - digits.count)
    }
}
