// SPDX-License-Identifier: Apache-2.0

import Falcon
import JSON

extension FalconAction {
    static let policies: [FalconAction] = [
        FalconAction(
            slug: "get_prevention_policies", dockerParameter: "get_prevention_policies",
            name: "Get Prevention Policies", summary: "Fetch prevention policies by id.",
            schema: ArgumentSchema.onlyIDs("Policy ids", perRequest: FalconClient.maxPolicies),
            scopes: [.policiesRead], isWrite: false),
        FalconAction(
            slug: "create_prevention_policies", dockerParameter: "create_prevention_policies",
            name: "Create Prevention Policies", summary: "Create prevention policies.",
            schema: policies(
                [
                    "name": ArgumentSchema.text(), "description": ArgumentSchema.text(),
                    "platform_name": ArgumentSchema.choice(["Windows", "Mac", "Linux"]),
                    "clone_id": ArgumentSchema.text(), "settings": settings,
                ], required: ["name", "platform_name"]), scopes: [.policiesWrite], isWrite: true),
        FalconAction(
            slug: "update_prevention_policies", dockerParameter: "update_prevention_policies",
            name: "Update Prevention Policies",
            summary: "Change name, description or settings of prevention policies.",
            schema: policies(
                [
                    "id": ArgumentSchema.text(), "name": ArgumentSchema.text(), "description": ArgumentSchema.text(),
                    "settings": settings,
                ], required: ["id"]), scopes: [.policiesWrite], isWrite: true),
        FalconAction(
            slug: "delete_prevention_policies", dockerParameter: "delete_prevention_policies",
            name: "Delete Prevention Policies",
            summary: "Delete prevention policies (a policy must be disabled first: inferred).",
            schema: ArgumentSchema.onlyIDs("Policy ids", perRequest: FalconClient.maxPolicies),
            scopes: [.policiesWrite], isWrite: true),
        FalconAction(
            slug: "perform_prevention_policy_action", dockerParameter: "perform_prevention_policy_action",
            name: "Perform Prevention Policy Action", summary: "Enable, disable, or attach and detach groups.",
            schema: ArgumentSchema.object(
                [
                    "action_name": ArgumentSchema.choice(PreventionPolicyAction.allCases.map(\.rawValue)),
                    "ids": ArgumentSchema.ids("Policy ids", perRequest: FalconClient.maxPolicies),
                    "group_id": ArgumentSchema.text("Host group or rule group id; needed by the *-group actions"),
                ], required: ["action_name", "ids"]), scopes: [.policiesWrite], isWrite: true,
            additions: ["group_id"]),
    ]

    private static func policies(_ properties: JSONObject, required: [String]) -> JSONValue {
        let item: JSONValue = [
            "type": "object", "properties": .object(properties), "required": .array(required.map { .string($0) }),
        ]
        return ArgumentSchema.object(
            ["resources": ["type": "array", "minItems": 1, "items": item]], required: ["resources"])
    }

    private static let settings: JSONValue = [
        "type": "array",
        "items": [
            "type": "object",
            "properties": [
                "id": ["type": "string"],
                "value": [
                    "description":
                        "Toggle: {\"enabled\": bool}; slider: {\"detection\": level, \"prevention\": level}",
                    "type": "object",
                ],
            ],
            "required": ["id", "value"],
        ],
    ]
}
