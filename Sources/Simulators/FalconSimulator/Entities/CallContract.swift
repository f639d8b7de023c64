// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// What an operation takes. Anything else is refused and counted: `GET /_admin/violations` tells what clients got wrong.
///
/// Source: Falcon API, the contract table (`CrowdStrike/falconpy: src/falconpy/_endpoint`, `CrowdStrike/gofalcon:
/// falcon/models`).
struct CallContract: Sendable {
    enum Kind: Sendable {
        case text, number, flag, texts, object, objects

        func takes(_ value: JSONValue) -> Bool {
            switch self {
            case .text: value.string != nil
            case .number: value.int != nil
            case .flag: value.bool != nil
            case .texts: value.array.map { $0.allSatisfy { $0.string != nil } } ?? false
            case .object: value.object != nil
            case .objects: value.array.map { $0.allSatisfy { $0.object != nil } } ?? false
            }
        }
    }

    var query: Set<String> = []
    /// `nil`: no body belongs to it.
    var members: [String: Kind]?
    /// Members without which it is refused.
    var required: Set<String> = []

    /// What is wrong with a call; `nil` when it keeps to the contract.
    func problem(_ call: EntityCall) -> String? {
        for item in call.query.items {
            guard query.contains(item.name) else { return "unknown query parameter '\(item.name)'" }
            let isNumber = item.name == "limit" || item.name == "offset"
            if isNumber, Int(item.value) == nil { return "\(item.name) must be an integer" }
        }
        guard let members else { return call.hasBody ? "no body is expected" : nil }
        guard let object = call.body?.object else { return "the body must be a JSON object" }
        for (name, value) in object {
            guard let kind = members[name] else { return "unknown field '\(name)' in body" }
            guard kind.takes(value) else { return "\(name) in body has a wrong type" }
        }
        return required.first { object[$0] == nil }.map { "\($0) in body is required" }
    }
}

extension FalconOperation {
    /// `nil` for operations that are not judged here.
    var contract: CallContract? {
        switch self {
        case .alertQuery: CallContract(query: ["include_hidden", "offset", "limit", "sort", "filter", "q"])
        case .alertDetails:
            CallContract(query: ["include_hidden"], members: ["composite_ids": .texts], required: ["composite_ids"])
        case .alertCombined:
            CallContract(members: ["after": .text, "filter": .text, "limit": .number, "sort": .text])
        case .alertUpdate:
            CallContract(
                query: ["include_hidden"], members: ["composite_ids": .texts, "action_parameters": .objects],
                required: ["composite_ids"])
        case .alertUpdateV2: CallContract(members: ["ids": .texts, "action_parameters": .objects], required: ["ids"])
        case .detectQuery: CallContract(query: ["offset", "limit", "sort", "filter", "q"])
        case .detectDetails, .quarantineDetails, .messageCaseDetails, .deviceDetails:
            CallContract(members: ["ids": .texts], required: ["ids"])
        case .detectUpdate:
            CallContract(members: [
                "ids": .texts, "comment": .text, "status": .text, "show_in_ui": .flag, "assigned_to_uuid": .text,
                "new_behaviors_processed": .texts,
            ])
        case .quarantineQuery, .caseQuery: CallContract(query: ["offset", "limit", "sort", "filter", "q"])
        case .quarantineUpdate: CallContract(members: ["ids": .texts, "action": .text, "comment": .text])
        case .sampleGet: CallContract(query: ["ids", "password_protected"])
        case .messageCaseCreate:
            CallContract(
                members: [
                    "title": .text, "body": .text, "type": .text, "user_uuid": .text, "detections": .objects,
                    "incidents": .objects, "malware_submission_id": .text, "recon_rule_type": .text,
                ], required: ["title", "body", "type"])
        case .messageCaseQuery: CallContract(query: ["offset", "limit", "sort", "filter"])
        case .caseCreate:
            CallContract(
                members: [
                    "access_tags": .objects, "assigned_to_user_uuid": .text, "description": .text,
                    "description_format": .text, "description_tagged_users": .texts, "evidence": .object,
                    "name": .text, "severity": .number, "severity_info": .object, "status": .text, "tags": .texts,
                    "template": .object,
                ], required: ["name"])
        case .deviceAction:
            CallContract(
                query: ["action_name"], members: ["ids": .texts, "action_parameters": .objects], required: ["ids"])
        default: nil
        }
    }
}
