// SPDX-License-Identifier: Apache-2.0

import FalconActions
import JSON
import Testing

@Suite("Arguments of actions") struct ArgumentTests {
    private func refusal(_ slug: String, _ arguments: JSONObject) async throws -> String? {
        let tenant = try Tenant { _ in Tenant.envelope([]) }
        do {
            _ = try await tenant.actions().run(slug, arguments)
            return nil
        } catch let error as ActionError {
            #expect(tenant.calls.isEmpty, "nothing may be sent")
            return error.description
        }
    }

    // covers: act:schemas (every host action is one that we know, so none can become another)
    @Test func `each host action of the schema is sent under its own name`() async throws {
        let action = try #require(FalconAction.named("perform_host_action"))
        let names = try #require(action.schema["properties"]?["action_name"]?["enum"]?.array).compactMap(\.string)
        for name in names {
            let tenant = try Tenant { call in Tenant.envelope(call.ids.map { ["id": .string($0)] }, status: 202) }
            _ = try await tenant.actions().run("perform_host_action", ["ids": ["a"], "action_name": .string(name)])
            #expect(tenant.calls[0].query.map(\.value) == [name])
        }
    }

    // covers: act:errors
    @Test(arguments: Breach.worded)
    func `are refused in the original's words`(_ breach: Breach) async throws {
        #expect(try await refusal(breach.slug, breach.arguments) == breach.text)
    }

    // covers: act:schema-check
    @Test(arguments: Breach.shaped)
    func `are checked against the schema`(_ breach: Breach) async throws {
        #expect(try await refusal(breach.slug, breach.arguments)?.contains(breach.text) == true)
    }

    // covers: act:unknown-keys
    @Test func `that nobody declared are ignored, and null counts as missing`() async throws {
        #expect(try await refusal("query_devices_by_filter", ["limit": nil, "colour": "red"]) == nil)
        #expect(try await refusal("push_iocs_for_detection", ["stix_objects": [], "valid_for": nil]) == nil)
    }

    @Test func `of an action that nobody knows are not looked at`() async throws {
        #expect(try await refusal("wipe", [:])?.contains("no action “wipe”") == true)
    }
}

/// Arguments that are refused, and what is said of them.
struct Breach: Sendable, CustomTestStringConvertible {
    let slug: String
    let arguments: JSONObject
    let text: String
    var testDescription: String { "\(slug): \(text)" }

    init(_ slug: String, _ arguments: JSONObject, _ text: String) {
        self.slug = slug
        self.arguments = arguments
        self.text = text
    }

    static let worded: [Breach] = [
        Breach("isolate_endpoints", [:], "List of ID`s should not be empty."),
        Breach("update_alert_status", ["ids": [], "new_status": "new"], "List of ID`s should not be empty."),
        Breach("get_incidents", ["ids": nil], "List of ID`s should not be empty."),
        Breach("add_new_comment_to_alert", ["ids": ["a"], "comment": ""], "Comment should not be empty."),
        Breach("add_new_comment_to_alert", ["ids": ["a"]], "Comment should not be empty."),
        Breach("update_alert_status", ["ids": ["a"], "new_status": "gone"], "'gone' is not a valid UpdateAlertStatus"),
        Breach(
            "block_ioc", ["value": "a.example", "type": "Domain"],
            "Type Domain is not supported. Refer to the documentation for supported types."),
        Breach(
            "monitor_ioc", ["value": "x", "type": "url"],
            "Type url is not supported. Refer to the documentation for supported types."),
        Breach(
            "perform_prevention_policy_action", ["ids": ["a"], "action_name": "add-host-group"],
            "perform_prevention_policy_action: add-host-group needs group_id."),
    ]

    static let shaped: [Breach] = [
        Breach("isolate_endpoints", ["ids": "a"], "ids: is no array"),
        Breach("get_device_details", ["ids": [""]], "ids[0]: is empty"),
        Breach("get_device_details", ["ids": .array(Array(repeating: "a", count: 5001))], "ids: holds 5001"),
        Breach("query_devices_by_filter", ["limit": 0], "limit: is below 1"),
        Breach("perform_host_action", ["ids": ["a"], "action_name": "wipe"], "action_name: “wipe” is not one of"),
        Breach("create_prevention_policies", ["resources": [["name": "n"]]], "resources[0].platform_name: is missing"),
        Breach("create_indicators", ["indicators": [["type": "url"]]], "indicators[0].type: “url” is not one of"),
        Breach(
            "update_indicators", ["indicators": [["id": "i", "expiration": "soon"]]],
            "indicators[0].expiration: is no date-time"),
        Breach("push_iocs_for_detection", [:], "one of stix_objects_path, stix_objects: is missing"),
        Breach("push_iocs_for_detection", ["stix_objects": [], "valid_for": 0], "valid_for: is below 1"),
    ]
}
