// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// Alerts, cases, and the incidents API that goes away (Falcon API, 5, 6, 12).
extension Entities {
    mutating func answerAlerts(_ operation: FalconOperation, _ call: EntityCall) -> ServerResponse? {
        switch operation {
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
        case .alertUpdate: return updateAlerts(call)
        case .caseDetails: return call.entities(call.ids(), limit: 500) { cases[$0] }
        case .incidentDetails: return call.entities(call.ids(), limit: 500) { incidents[$0] }
        case .behaviorDetails: return call.entities(call.ids(), limit: 500) { behaviors[$0] }
        default: return nil
        }
    }

    private mutating func updateAlerts(_ call: EntityCall) -> ServerResponse {
        let ids = call.ids("composite_ids")
        guard !ids.isEmpty, ids.count <= 1000 else { return call.refuse(400, "composite_ids: 1 to 1000 are allowed") }
        let parameters = (call.body?["action_parameters"]?.array ?? []).map {
            (name: $0["name"]?.string ?? "", value: $0["value"]?.string ?? "")
        }
        guard !parameters.isEmpty else { return call.refuse(400, "action_parameters is required") }
        let statuses = ["new", "in_progress", "reopened", "closed"]
        for parameter in parameters {
            guard Self.alertActions.contains(parameter.name) else {
                return call.refuse(400, "invalid action parameter '\(parameter.name)'")
            }
            guard parameter.name != "update_status" || statuses.contains(parameter.value) else {
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
