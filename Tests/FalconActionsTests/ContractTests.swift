// SPDX-License-Identifier: Apache-2.0

import Falcon
import FalconActions
import Foundation
import HTTPClient
import JSON
import TestKit
import Testing
import Vectors

/// An action of the shared table.
struct ContractCase: Sendable, CustomTestStringConvertible {
    let json: JSONValue
    var slug: String { json["slug"]?.string ?? "" }
    var testDescription: String { slug }

    static let all: [ContractCase] = {
        let table = try? JSONValue(parsing: Array(Vectors.data("falcon-actions.json")))
        return (table?.array ?? []).map { ContractCase(json: $0) }
    }()
}

@Suite("The 28 actions and their contract") struct ContractTests {
    // covers: act:names
    @Test func `every action of the table is there, and no other`() {
        #expect(ContractCase.all.count == 28)
        #expect(Set(FalconAction.all.map(\.slug)) == Set(ContractCase.all.map(\.slug)))
        #expect(Set(FalconAction.all.map(\.dockerParameter)).count == 28)
    }

    // covers: act:schemas, act:docker-parameters
    @Test(arguments: ContractCase.all)
    func `is declared as the table has it`(_ wanted: ContractCase) throws {
        let action = try #require(FalconAction.named(wanted.slug))
        #expect(action.dockerParameter == wanted.json["docker_parameter"]?.string)
        #expect(FalconAction.named(action.dockerParameter)?.slug == action.slug)
        #expect(action.name == wanted.json["name"]?.string)
        #expect(action.schema == wanted.json["arguments"])
    }

    // covers: act:scopes
    @Test(arguments: ContractCase.all)
    func `names the scopes that it needs`(_ wanted: ContractCase) throws {
        let action = try #require(FalconAction.named(wanted.slug))
        let text = try #require(wanted.json["falcon_scope"]?.string).lowercased()
        for scope in action.scopes {
            let parts = scope.description.lowercased().split(separator: ": ")
            #expect(text.contains(parts[0]) && text.contains(parts[1]), "\(scope)")
        }
    }

    // covers: act:calls, act:results, act:add_new_comment_to_alert, act:update_alert_status, act:block_ioc,
    // act:monitor_ioc, act:isolate_endpoints, act:deisolate_endpoints, act:push_iocs_for_prevention,
    // act:push_iocs_for_detection, act:perform_host_action, act:get_alerts_v2, act:get_behaviors, act:get_incidents,
    // act:get_device_details, act:get_online_state, act:query_devices_by_filter, act:query_device_login_history,
    // act:get_prevention_policies, act:create_prevention_policies, act:update_prevention_policies,
    // act:delete_prevention_policies, act:perform_prevention_policy_action, act:create_indicators,
    // act:update_indicators, act:delete_indicators, act:get_indicators, act:search_indicators, act:get_ioc_actions,
    // act:get_indicators_report
    @Test(arguments: ContractCase.all)
    func `sends the example's requests and gives its result`(_ wanted: ContractCase) async throws {
        let example = try #require(wanted.json["example"])
        let result = try #require(wanted.json["result"]?["example"])
        let tenant = try Tenant { Self.answer($0, result) }
        let arguments = try #require(example["arguments"]?.object)
        let given = try await tenant.actions().run(wanted.slug, arguments)
        #expect(given.json == result)
        let requests = try #require(example["requests"]?.array)
        #expect(tenant.calls.count == requests.count)
        for (call, request) in zip(tenant.calls, requests) {
            #expect(call.request.method.rawValue == request["method"]?.string)
            #expect(call.path == request["path"]?.string)
            let query: [JSONValue] = call.query.map { [.string($0.name), .string($0.value)] }
            #expect(query == request["query"]?.array)
            #expect(call.json == request["body"])
            #expect(try FalconContract.shared.get().problems(call).isEmpty)
        }
    }

    /// The example's result as the API would give it; look-ups before it find nothing, but for the alert of a behaviour.
    private static func answer(_ call: ScriptedTransport.Recorded, _ result: JSONValue) -> ScriptedTransport.Answer {
        let isPush = result["skipped"] != nil
        if call.path == "/alerts/queries/alerts/v2" {
            return Tenant.envelope([result["resources"]?[0]?["composite_id"] ?? .null])
        }
        if isPush, call.request.method == .get { return Tenant.envelope([]) }
        var meta: JSONObject = [:]
        if let total = result["total"] { meta["pagination"] = ["limit": 100, "offset": 1, "total": total] }
        if let affected = result["resources_affected"] { meta["writes"] = ["resources_affected": affected] }
        let resources = (result["resources"]?.array ?? []).map { resource -> JSONValue in
            guard case .object(var object) = resource, call.path.hasPrefix("/alerts/") else { return resource }
            object["behavior_id"] = nil
            object["aid"] = nil
            return .object(object)
        }
        return Tenant.envelope(resources, meta: meta)
    }
}
