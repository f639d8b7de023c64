// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// Prevention policies (Falcon API, 9).
extension Entities {
    mutating func answerPolicies(_ operation: FalconOperation, _ call: EntityCall) -> ServerResponse? {
        switch operation {
        case .policyGet: call.entities(call.ids(), limit: 100, missing: 404) { policies[$0] }
        case .policyCreate: createPolicies(call)
        case .policyUpdate: updatePolicies(call)
        case .policyDelete: deletePolicies(call)
        case .policyAction: act(onPolicies: call)
        default: nil
        }
    }

    private mutating func createPolicies(_ call: EntityCall) -> ServerResponse {
        let wanted = (call.body?["resources"]?.array ?? []).compactMap(\.object)
        guard !wanted.isEmpty else { return call.refuse(400, "resources is required") }
        for policy in wanted {
            guard let name = policy["name"]?.string, !name.isEmpty else { return call.refuse(400, "name is required") }
            guard ["Windows", "Mac", "Linux"].contains(policy["platform_name"]?.string ?? "") else {
                return call.refuse(400, "invalid platform_name")
            }
            if policies.rows.contains(where: { $0["name"] == policy["name"] }) {
                return call.refuse(409, "a policy of that name exists: '\(name)'")
            }
        }
        let now = JSONValue.string(EntityText.timestamp(call.caller.now / 1000))
        let created = wanted.map { policy -> JSONValue in
            made += 1
            let number = String(made, radix: 16)
            let id = String(repeating: "0", count: 32 - number.count) + number
            var object: JSONObject = [
                "id": .string(id), "cid": "8f3c1d2e4b5a69788796a5b4c3d2e1f0", "name": policy["name"] ?? "",
                "description": policy["description"] ?? "", "platform_name": policy["platform_name"] ?? "",
                "enabled": false, "groups": [], "ioa_rule_groups": [], "created_by": .string(call.caller.client),
                "created_timestamp": now, "modified_by": .string(call.caller.client), "modified_timestamp": now,
            ]
            object["prevention_settings"] = Self.settings(policy["settings"])
            policies[id] = object
            return .object(object)
        }
        return call.give(created, status: 201)
    }

    private static func settings(_ given: JSONValue?) -> JSONValue {
        let settings = (given?.array ?? []).map { setting -> JSONValue in
            let isSlider = setting["value"]?["enabled"] == nil
            return [
                "id": setting["id"] ?? "", "name": setting["id"] ?? "", "description": "",
                "type": isSlider ? "mlslider" : "toggle", "value": setting["value"] ?? [:],
            ]
        }
        return settings.isEmpty ? [] : [["name": "Settings", "settings": .array(settings)]]
    }

    private mutating func updatePolicies(_ call: EntityCall) -> ServerResponse {
        let wanted = (call.body?["resources"]?.array ?? []).compactMap(\.object)
        guard !wanted.isEmpty else { return call.refuse(400, "resources is required") }
        for policy in wanted where policies[policy["id"]?.string ?? ""] == nil {
            return call.refuse(404, "policy not found", id: policy["id"]?.string)
        }
        let changed = wanted.map { policy -> JSONValue in
            let id = policy["id"]?.string ?? ""
            var object = policies[id] ?? [:]
            for key in ["name", "description"] { if let value = policy[key] { object[key] = value } }
            if let settings = policy["settings"] { object["prevention_settings"] = Self.settings(settings) }
            policies[id] = object
            return .object(object)
        }
        return call.give(changed)
    }

    /// A policy that is enabled stays.
    private mutating func deletePolicies(_ call: EntityCall) -> ServerResponse {
        let ids = call.ids()
        guard !ids.isEmpty else { return call.refuse(400, "ids is required") }
        for id in ids {
            guard let policy = policies[id] else { return call.refuse(404, "policy not found", id: id) }
            if policy["enabled"] == true { return call.refuse(400, "an enabled policy cannot be deleted", id: id) }
        }
        for id in ids { policies[id] = nil }
        return call.give(ids.map { .string($0) })
    }

    private mutating func act(onPolicies call: EntityCall) -> ServerResponse {
        let name = call.query["action_name"] ?? ""
        let isRule = name.hasSuffix("rule-group")
        let parameter = (call.body?["action_parameters"]?.array ?? []).first {
            $0["name"]?.string == (isRule ? "rule_group_id" : "group_id")
        }?["value"]
        let needsGroup = name.hasSuffix("-group")
        guard needsGroup || name == "enable" || name == "disable" else {
            return call.refuse(400, "invalid action_name: '\(name)'")
        }
        if needsGroup, parameter == nil { return call.refuse(400, "a group is required") }
        let ids = call.ids()
        for id in ids where policies[id] == nil { return call.refuse(404, "policy not found", id: id) }
        let changed = ids.map { id -> JSONValue in
            var policy = policies[id] ?? [:]
            let list = isRule ? "ioa_rule_groups" : "groups"
            let others = (policy[list]?.array ?? []).filter { $0["id"] != parameter }
            switch name {
            case "enable": policy["enabled"] = true
            case "disable": policy["enabled"] = false
            default:
                let group: JSONValue = ["id": parameter ?? "", "name": parameter ?? ""]
                policy[list] = .array(name.hasPrefix("add") ? others + [group] : others)
            }
            policies[id] = policy
            return .object(policy)
        }
        return ids.isEmpty ? call.refuse(400, "ids is required") : call.give(changed)
    }
}
