// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// The decommissioned detections API over the tenant's alerts: those of one aggregate, `aggind:<aid>:<n>`, are the behaviours
/// of the detection `ldt:<aid>:<n>` (Falcon API, 6).
extension Entities {
    mutating func answerDetections(_ operation: FalconOperation, _ call: EntityCall) -> ServerResponse? {
        switch operation {
        case .detectQuery, .detectDetails, .detectUpdate: break
        default: return nil
        }
        guard call.caller.settings.servesDetections else {
            var envelope = Envelope.refused(405, ["method not allowed"], hasResources: false)
            envelope.poweredBy = "legacy-detects"
            return envelope.response(call.caller.trace)
        }
        switch operation {
        case .detectQuery:
            do throws(Refusal) {
                let ids = try call.selected(detections()).compactMap { $0["detection_id"]?.string }
                return call.page(ids, most: 9999, window: 10_000)
            } catch { return call.refuse(400, error.message) }
        case .detectDetails:
            let found = Dictionary(
                detections().map { ($0["detection_id"]?.string ?? "", $0) }, uniquingKeysWith: { $1 })
            return call.entities(call.ids(), limit: 1000) { found[$0] }
        default: return updateDetections(call)
        }
    }

    private static func detectionID(_ alert: JSONObject) -> String? {
        guard let aggregate = alert["aggregate_id"]?.string, aggregate.hasPrefix("aggind:") else { return nil }
        return "ldt:" + aggregate.dropFirst("aggind:".count)
    }

    private func detections() -> [JSONObject] {
        var order: [String] = []
        var behaviors: [String: [JSONObject]] = [:]
        for alert in alerts.rows {
            guard let id = Self.detectionID(alert) else { continue }
            if behaviors[id] == nil { order.append(id) }
            behaviors[id, default: []].append(alert)
        }
        return order.compactMap { id in
            guard let parts = behaviors[id], let first = parts.first else { return nil }
            return [
                "detection_id": .string(id), "cid": first["cid"] ?? "", "device": first["device"] ?? [:],
                "created_timestamp": first["created_timestamp"] ?? "", "status": first["status"] ?? "new",
                "show_in_ui": first["show_in_ui"] ?? true, "max_severity": first["severity"] ?? 0,
                "first_behavior": first["timestamp"] ?? "", "last_behavior": first["timestamp"] ?? "",
                "comments": first["comments"] ?? [],
                "behaviors": .array(
                    parts.map { part in
                        var behavior: JSONObject = [:]
                        for key in ["sha256", "md5", "filename", "filepath", "cmdline", "severity", "timestamp"] {
                            if let value = part[key] { behavior[key] = value }
                        }
                        behavior["behavior_id"] = part["id"] ?? ""
                        return .object(behavior)
                    }),
            ]
        }
    }

    private mutating func updateDetections(_ call: EntityCall) -> ServerResponse {
        let ids = Set(call.ids())
        guard !ids.isEmpty, ids.count <= 1000 else { return call.refuse(400, "ids: 1 to 1000 are allowed") }
        let known = ["new", "in_progress", "true_positive", "false_positive", "ignored", "closed", "reopened"]
        let status = call.body?["status"]?.string
        guard status.map({ known.contains($0) }) ?? true else {
            return call.refuse(400, "invalid status '\(status ?? "")'")
        }
        var affected: Set<String> = []
        for alert in alerts.rows {
            guard let id = Self.detectionID(alert), ids.contains(id), let key = alert["composite_id"]?.string else {
                continue
            }
            // A detection has one list of comments: it stands at the first of its alerts.
            if affected.insert(id).inserted, let comment = call.body?["comment"] {
                alerts[key]?["comments"] = .array((alert["comments"]?.array ?? []) + [["value": comment]])
            }
            if let status { alerts[key]?["status"] = .string(status) }
            if let flag = call.body?["show_in_ui"] { alerts[key]?["show_in_ui"] = flag }
        }
        var envelope = Envelope()
        envelope.hasResources = false
        envelope.affected = affected.count
        envelope.problems = ids.subtracting(affected).sorted().map {
            .init(code: 404, message: "detection not found", id: $0)
        }
        if affected.isEmpty { envelope.status = 404 }
        return envelope.response(call.caller.trace)
    }
}
