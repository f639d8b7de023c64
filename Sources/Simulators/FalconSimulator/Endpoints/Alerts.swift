// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// Alerts, and the incidents API that goes away (Falcon API, 5, 6).
extension Entities {
    mutating func answerAlerts(_ operation: FalconOperation, _ call: EntityCall) -> ServerResponse? {
        switch operation {
        case .alertQuery, .alertDetails, .alertCombined, .alertUpdate, .alertUpdateV2:
            if call.caller.settings.refusesAlerts { return call.refuse(403, "access denied, authorization failed") }
        default: break
        }
        switch operation {
        case .alertCombined: return combinedAlerts(call)
        case .alertQuery:
            do throws(Refusal) {
                let ids = try call.selected(alerts.rows).compactMap { $0["composite_id"]?.string }
                return call.page(ids, most: 10_000, window: 10_000)
            } catch { return call.refuse(400, error.message) }
        case .alertDetails:
            // Unknown ids are missing, no errors.
            let ids = call.ids("composite_ids")
            guard !ids.isEmpty, ids.count <= 1000 else {
                return call.refuse(400, "composite_ids: 1 to 1000 are allowed")
            }
            return call.give(ids.compactMap { alerts[$0].map(JSONValue.object) })
        case .alertUpdate: return updateAlerts(call, call.ids("composite_ids"))
        case .alertUpdateV2: return updateAlerts(call, call.ids())
        case .incidentDetails: return call.entities(call.ids(), limit: 500) { incidents[$0] }
        case .behaviorDetails: return call.entities(call.ids(), limit: 500) { behaviors[$0] }
        default: return nil
        }
    }

    /// Pages by a cursor that every full one carries, so that an empty page may be the last.
    private func combinedAlerts(_ call: EntityCall) -> ServerResponse {
        let limit = call.body?["limit"]?.int.map { Int($0) } ?? 100
        guard (1...1000).contains(limit) else { return call.refuse(400, "invalid limit: must be between 1 and 1000") }
        let after = call.body?["after"]?.string ?? ""
        guard let start = after.isEmpty ? 0 : Int(after.dropFirst("alerts-".count)), start >= 0 else {
            return call.refuse(400, "invalid after")
        }
        let found: [JSONObject]
        do throws(Refusal) {
            found = try EntityCall.selected(
                alerts.rows, call.body?["filter"]?.string, call.body?["sort"]?.string)
        } catch { return call.refuse(400, error.message) }
        let page = found.dropFirst(start).prefix(call.capped(limit))
        var envelope = Envelope()
        envelope.paging = .init(limit: limit, total: found.count)
        if page.count == call.capped(limit) { envelope.paging?.after = "alerts-\(start + page.count)" }
        envelope.poweredBy = "detectsapi"
        return envelope.response(call.caller.trace) { writer in for alert in page { writer.value(.object(alert)) } }
    }

    private mutating func updateAlerts(_ call: EntityCall, _ ids: [String]) -> ServerResponse {
        guard !ids.isEmpty, ids.count <= 1000 else { return call.refuse(400, "composite_ids: 1 to 1000 are allowed") }
        let parameters = (call.body?["action_parameters"]?.array ?? []).map {
            (name: $0["name"]?.string ?? "", value: $0["value"]?.string ?? "")
        }
        guard !parameters.isEmpty else { return call.refuse(400, "action_parameters is required") }
        for parameter in parameters {
            guard Self.alertActions.contains(parameter.name) else {
                return call.refuse(400, "invalid action parameter '\(parameter.name)'")
            }
            guard parameter.name != "update_status" || Self.alertStatuses.contains(parameter.value) else {
                return call.refuse(400, "invalid status '\(parameter.value)'")
            }
        }
        var affected = 0
        var problems: [Envelope.Problem] = []
        for id in ids {
            guard var alert = alerts[id] else {
                problems.append(.init(code: 404, message: "alert not found", id: id))
                continue
            }
            affected += 1
            for parameter in parameters { Self.apply(parameter, to: &alert) }
            alert["updated_timestamp"] = .string(EntityText.timestamp(call.caller.now / 1000))
            alerts[id] = alert
        }
        var envelope = Envelope()
        envelope.hasResources = false
        envelope.problems = problems
        envelope.affected = affected
        envelope.poweredBy = "detectsapi"
        return envelope.response(call.caller.trace)
    }

    static let alertStatuses: Set = ["new", "in_progress", "reopened", "closed"]

    private static let alertActions: Set<String> = [
        "add_tag", "append_comment", "assign_to_name", "assign_to_user_id", "assign_to_uuid", "remove_tag",
        "remove_tags_by_prefix", "show_in_ui", "unassign", "update_status",
    ]

    private static func apply(_ parameter: (name: String, value: String), to alert: inout JSONObject) {
        func list(_ key: String) -> [JSONValue] { alert[key]?.array ?? [] }
        let value = JSONValue.string(parameter.value)
        switch parameter.name {
        case "update_status": alert["status"] = value
        case "append_comment": alert["comments"] = .array(list("comments") + [["value": value]])
        case "add_tag": if !list("tags").contains(value) { alert["tags"] = .array(list("tags") + [value]) }
        case "remove_tag": alert["tags"] = .array(list("tags").filter { $0 != value })
        case "remove_tags_by_prefix":
            alert["tags"] = .array(list("tags").filter { !($0.string ?? "").hasPrefix(parameter.value) })
        case "show_in_ui": alert["show_in_ui"] = .bool(parameter.value == "true")
        case "unassign": alert["assigned_to_uuid"] = nil
        default: alert["assigned_to_uuid"] = value
        }
    }
}
