// SPDX-License-Identifier: Apache-2.0

import Falcon
import JSON

extension FalconActions {
    func createPolicies(_ policies: [JSONValue]) async throws -> ActionResult {
        do throws(FalconError) {
            return ActionResult(try await falcon.createPreventionPolicies(policies))
        } catch {
            guard error.isOutcomeUnknown else { throw error }
            throw ActionError.outcomeUnknown(error.description)
        }
    }

    func policyAction(_ arguments: Arguments) async throws -> ActionResult {
        let name = arguments.text("action_name") ?? ""
        guard let action = PreventionPolicyAction(rawValue: name) else {
            throw ActionError.arguments("There is no action “\(name)” for prevention policies.")
        }
        let group = arguments.text("group_id")
        if action.parameter != nil, group?.isEmpty ?? true {
            throw ActionError.arguments("perform_prevention_policy_action: \(name) needs group_id.")
        }
        return try await inParts(arguments.ids, of: FalconClient.maxPolicies) { ids throws(FalconError) in
            try await falcon.perform(action, onPolicies: ids, group: group)
        }
    }
}
