// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// Cases of the message center and of the Cases API (Falcon API, 12).
extension Entities {
    mutating func answerCases(_ operation: FalconOperation, _ call: EntityCall) -> ServerResponse? {
        switch operation {
        case .messageCaseCreate: return createMessageCase(call)
        case .messageCaseQuery:
            do throws(Refusal) {
                // `case.created_time.desc`
                let sort = call.query["sort"].map { $0.hasPrefix("case.") ? String($0.dropFirst(5)) : $0 }
                let ids = try EntityCall.selected(messageCases.rows, call.query["filter"], sort).compactMap {
                    $0["id"]?.string
                }
                return call.page(ids, most: 500)
            } catch { return call.refuse(400, error.message) }
        case .messageCaseDetails: return call.entities(call.ids(), limit: 500) { messageCases[$0] }
        case .caseCreate: return createCase(call)
        case .caseQuery:
            do throws(Refusal) {
                let ids = try call.selected(cases.rows).compactMap { $0["id"]?.string }
                return call.page(ids, most: 10_000)
            } catch { return call.refuse(400, error.message) }
        case .caseDetails: return call.entities(call.ids(), limit: 500) { cases[$0] }
        default: return nil
        }
    }

    private static let types = [
        "fc:detection-support", "fc:contact", "fc:falcon-product-support", "fc:incident-support",
    ]

    private mutating func createMessageCase(_ call: EntityCall) -> ServerResponse {
        let type = call.body?["type"]?.string ?? ""
        guard Self.types.contains(type) else { return call.refuse(400, "invalid case type '\(type)'") }
        let detections = call.body?["detections"]?.array ?? []
        guard detections.isEmpty || type == Self.types[0] else {
            return call.refuse(400, "detections belong to \(Self.types[0]) only")
        }
        let incidents = call.body?["incidents"]?.array ?? []
        guard incidents.isEmpty || type == Self.types[3] else {
            return call.refuse(400, "incidents belong to \(Self.types[3]) only")
        }
        guard detections.allSatisfy({ $0["id"]?.string?.isEmpty == false }) else {
            return call.refuse(400, "each detection needs an id")
        }
        made += 1
        let id = "\(5000 + made)"
        let now = JSONValue.string(EntityText.timestamp(call.caller.now / 1000))
        let author: JSONValue = [
            "display_name": "API", "first_name": "", "last_name": "", "uid": .string(call.caller.client),
            "uuid": call.body?["user_uuid"] ?? "",
        ]
        messageCases[id] = [
            "id": .string(id), "key": .string("CASE-\(id)"), "cid": .string(call.caller.cid),
            "title": call.body?["title"] ?? "", "body": call.body?["body"] ?? "", "type": .string(type),
            "status": "open", "created_time": now, "last_modified_time": now, "assigner": author, "aids": [],
            "attachments": [], "hosts": [], "ip_addresses": [], "incidents": .array(incidents),
            "detections": .array(
                detections.map { ["id": $0["id"] ?? "", "url": $0["url"] ?? ""] }),
            "malware_submission_id": call.body?["malware_submission_id"] ?? "", "malware_submission_url": "",
            "recon_rule_type": call.body?["recon_rule_type"] ?? "", "rfi_id": "",
        ]
        return call.give([["id": .string(id), "path": .string("/message-center/entities/cases/GET/v1?ids=\(id)")]])
    }

    private mutating func createCase(_ call: EntityCall) -> ServerResponse {
        guard var made = call.body?.object, made["name"]?.string?.isEmpty == false else {
            return call.refuse(400, "name is required")
        }
        if let status = made["status"]?.string, !Self.alertStatuses.contains(status) {
            return call.refuse(400, "invalid status '\(status)'")
        }
        if let severity = made["severity"]?.int, !(1...100).contains(severity) {
            return call.refuse(400, "severity must be between 1 and 100")
        }
        self.made += 1
        let id = "case-\(self.made)"
        let now = JSONValue.string(EntityText.timestamp(call.caller.now / 1000))
        made["id"] = .string(id)
        made["cid"] = .string(call.caller.cid)
        made["created_timestamp"] = now
        made["updated_timestamp"] = now
        cases[id] = made
        return call.give([.object(made)], status: 201)
    }
}
