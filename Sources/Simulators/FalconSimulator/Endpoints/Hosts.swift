// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// Hosts and host groups (Falcon API, 7).
extension Entities {
    mutating func answerHosts(_ operation: FalconOperation, _ call: EntityCall) -> ServerResponse? {
        switch operation {
        case .deviceQuery: query(call, isHidden: false)
        case .hiddenDevices: query(call, isHidden: true)
        case .deviceScroll: scroll(call)
        case .deviceDetails: call.entities(call.ids(), limit: 5000) { hosts[$0] }
        case .deviceAction: act(call)
        case .onlineState: onlineStates(call)
        case .loginHistory: loginHistory(call, limit: 500)
        case .loginHistoryV2: loginHistory(call, limit: 10)
        case .hostGroups: call.entities(call.ids(), limit: 500, missing: 404) { groups[$0] }
        default: nil
        }
    }

    private func query(_ call: EntityCall, isHidden: Bool) -> ServerResponse {
        do throws(Refusal) {
            return call.page(try deviceIDs(call, isHidden: isHidden), most: 5000, window: 10_000)
        } catch { return call.refuse(400, error.message) }
    }

    private func deviceIDs(_ call: EntityCall, isHidden: Bool) throws(Refusal) -> [String] {
        let filter = call.query["filter"] ?? ""
        let sort = call.query["sort"] ?? ""
        if isHidden { return try call.selected(hosts.hidden.sorted().compactMap { hosts[$0] }).compactMap(Self.id) }
        let references = hosts.references
        // The usual question, answered without looking at each host.
        if filter.isEmpty, sort.isEmpty || sort.hasPrefix("first_seen") && sort.hasSuffix("desc") {
            return references.map { hosts.id(of: $0) }
        }
        return try call.selected(references.map { hosts.object($0) }).compactMap(Self.id)
    }

    private static func id(_ host: JSONObject) -> String? { host["device_id"]?.string }

    /// A cursor that lives for two minutes.
    private mutating func scroll(_ call: EntityCall) -> ServerResponse {
        let limit = call.query["limit"].flatMap { Int($0) } ?? 100
        guard (1...10_000).contains(limit) else {
            return call.refuse(400, "invalid limit: must be between 1 and 10000")
        }
        scrolls = scrolls.filter { $0.value.expires > call.caller.now }
        let ids: [String]
        let total: Int
        if let cursor = call.query["offset"], !cursor.isEmpty {
            guard let open = scrolls.removeValue(forKey: cursor) else {
                return call.refuse(400, "invalid or expired offset")
            }
            (ids, total) = (open.ids, open.total)
        } else {
            do throws(Refusal) { ids = try deviceIDs(call, isHidden: false) } catch {
                return call.refuse(400, error.message)
            }
            total = ids.count
        }
        var cursor = ""
        if ids.count > limit {
            made += 1
            cursor = "scroll-\(made)"
            scrolls[cursor] = Scroll(
                ids: Array(ids.dropFirst(limit)), total: total, expires: call.caller.now + 120_000)
        }
        var envelope = Envelope()
        envelope.paging = .init(limit: limit, offsetText: cursor, total: total)
        envelope.poweredBy = "simulator"
        return envelope.response(call.caller.trace) { writer in for id in ids.prefix(limit) { writer.string(id) } }
    }

    /// Containments that are due have taken place.
    mutating func settle(at now: Int64) {
        for (id, change) in pending where change.moment <= now {
            hosts[id]?["status"] = .string(change.status)
            pending[id] = nil
        }
    }

    /// The state follows at once, unless a containment is told to take its time.
    private mutating func act(_ call: EntityCall) -> ServerResponse {
        let ids = call.ids()
        let known: [String: (member: String, value: String, from: Set<String>)] = [
            "contain": ("status", "contained", ["normal", "lift_containment_pending"]),
            "lift_containment": ("status", "normal", ["contained", "containment_pending"]),
            "detection_suppress": ("detection_suppression_status", "suppressed", []),
            "detection_unsuppress": ("detection_suppression_status", "unsuppressed", []),
            "lift_filesystem_containment_all": ("filesystem_containment_status", "normal", []),
            "hide_host": ("hidden", "", []), "unhide_host": ("hidden", "", []),
        ]
        let name = call.query["action_name"] ?? ""
        guard let action = known[name] else { return call.refuse(400, "invalid action_name: '\(name)'") }
        guard !ids.isEmpty else { return call.refuse(400, "ids is required") }
        guard ids.count <= (name.hasSuffix("hide_host") ? 100 : 500) else { return call.refuse(400, "too many ids") }
        let unknown = ids.filter { hosts[$0] == nil }
        let there = ids.filter { hosts[$0] != nil }
        if !action.from.isEmpty {
            let settled = there.filter { !action.from.contains(hosts[$0]?["status"]?.string ?? "normal") }
            if let id = settled.first { return call.refuse(409, "host is already \(action.value)", id: id) }
        }
        for id in there {
            if action.member == "hidden" {
                if name == "hide_host" { hosts.hidden.insert(id) } else { hosts.hidden.remove(id) }
            } else {
                become(action.value, action.member, id, call.caller)
            }
        }
        return call.give(
            there.map { ["id": .string($0), "path": .string("/devices/entities/devices/v1?ids=\($0)")] },
            unknown.map { .init(code: 404, message: "no such host", id: $0) },
            status: there.isEmpty ? 404 : 202)
    }

    private mutating func become(_ value: String, _ member: String, _ id: String, _ caller: Caller) {
        guard member == "status", caller.settings.containmentMilliseconds > 0 else {
            hosts[id]?[member] = .string(value)
            return
        }
        hosts[id]?[member] = .string(value == "contained" ? "containment_pending" : "lift_containment_pending")
        pending[id] = Pending(status: value, moment: caller.now + Int64(caller.settings.containmentMilliseconds))
    }

    private func onlineStates(_ call: EntityCall) -> ServerResponse {
        call.entities(call.ids(), limit: 100) { id in
            hosts[id].map { host in
                var state: JSONObject = ["id": .string(id), "state": host["online_state"] ?? "online"]
                if let cid = host["cid"] { state["cid"] = cid }
                if let seen = host["last_seen"] { state["last_seen"] = seen }
                return state
            }
        }
    }

    private func loginHistory(_ call: EntityCall, limit: Int) -> ServerResponse {
        call.entities(call.ids(), limit: limit) { id in
            logins[id]
                ?? hosts[id].map { host in
                    ["device_id": .string(id), "cid": host["cid"] ?? "", "recent_logins": []]
                }
        }
    }
}
