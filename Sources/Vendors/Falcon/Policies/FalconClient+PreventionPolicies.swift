// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

/// What can be done to prevention policies. Source: Falcon API surface, 9.
public enum PreventionPolicyAction: String, Sendable, CaseIterable {
    case addHostGroup = "add-host-group"
    case addRuleGroup = "add-rule-group"
    case disable
    case enable
    case removeHostGroup = "remove-host-group"
    case removeRuleGroup = "remove-rule-group"

    /// The parameter that names the group; `nil` for actions without one.
    /// Source: `CrowdStrike/psfalcon: public/policy-prevention.ps1`.
    public var parameter: String? {
        switch self {
        case .addHostGroup, .removeHostGroup: "group_id"
        case .addRuleGroup, .removeRuleGroup: "rule_group_id"
        case .disable, .enable: nil
        }
    }
}

/// Prevention policies. Source: Falcon API surface, 9.
extension FalconClient {
    public static let maxPolicies = 100

    /// `GET /policy/entities/prevention/v1?ids=…`, 404 for an unknown id
    public func preventionPolicies(_ ids: [String]) async throws(FalconError) -> FalconAnswer {
        try Self.check(ids, atMost: Self.maxPolicies)
        return try await answer(
            FalconCall(
                .get, Self.policyPath, query: Self.idsQuery(ids), operation: "falcon.policy_get", scope: .policiesRead))
    }

    /// `POST /policy/entities/prevention/v1` `{"resources": [{"name", "platform_name", …}]}` → 201
    public func createPreventionPolicies(_ policies: [JSONValue]) async throws(FalconError) -> FalconAnswer {
        try await answer(
            FalconCall(
                .post, Self.policyPath, body: Self.policies(policies), operation: "falcon.policy_create",
                scope: .policiesWrite))
    }

    /// `PATCH /policy/entities/prevention/v1` `{"resources": [{"id", …}]}`; what is left out keeps its value.
    public func updatePreventionPolicies(_ policies: [JSONValue]) async throws(FalconError) -> FalconAnswer {
        try await answer(
            FalconCall(
                .patch, Self.policyPath, body: Self.policies(policies), operation: "falcon.policy_update",
                scope: .policiesWrite, isIdempotent: true))
    }

    /// `DELETE /policy/entities/prevention/v1?ids=…`. A policy has to be disabled first.
    public func deletePreventionPolicies(_ ids: [String]) async throws(FalconError) -> FalconAnswer {
        try Self.check(ids, atMost: Self.maxPolicies)
        return try await answer(
            FalconCall(
                .delete, Self.policyPath, query: Self.idsQuery(ids), operation: "falcon.policy_delete",
                scope: .policiesWrite))
    }

    /// `POST /policy/entities/prevention-actions/v1?action_name=…` `{"ids": […], "action_parameters": […]}`
    ///
    /// - Parameter group: needed by the actions that have a ``PreventionPolicyAction/parameter``.
    public func perform(
        _ action: PreventionPolicyAction, onPolicies ids: [String], group: String? = nil
    ) async throws(FalconError) -> FalconAnswer {
        try Self.check(ids, atMost: Self.maxPolicies)
        var body: JSONObject = ["ids": .array(ids.map { .string($0) })]
        if let parameter = action.parameter {
            guard let group, !group.isEmpty else {
                throw .configuration("The action \(action.rawValue) needs the id of a group; nothing was sent.")
            }
            body["action_parameters"] = [["name": .string(parameter), "value": .string(group)]]
        }
        return try await answer(
            FalconCall(
                .post, "/policy/entities/prevention-actions/v1",
                query: [(name: "action_name", value: action.rawValue)], body: JSONValue.object(body).bytes,
                operation: "falcon.policy_action", scope: .policiesWrite, isIdempotent: true))
    }

    private static let policyPath = "/policy/entities/prevention/v1"

    private static func policies(_ policies: [JSONValue]) -> [UInt8] {
        JSONValue.object(["resources": .array(policies)]).bytes
    }
}
