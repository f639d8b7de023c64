// SPDX-License-Identifier: Apache-2.0

import Falcon
import JSON

extension FalconAction {
    static let hosts: [FalconAction] = [
        FalconAction(
            slug: "isolate_endpoints", dockerParameter: "isolate_hosts", name: "Isolate hosts",
            summary: "Contain hosts on the network.", schema: agentIDs(FalconClient.maxHostActionIDs),
            scopes: [.hostsWrite], isWrite: true),
        FalconAction(
            slug: "deisolate_endpoints", dockerParameter: "deisolate_hosts", name: "Deisolate hosts",
            summary: "Lift network containment of hosts.", schema: agentIDs(FalconClient.maxHostActionIDs),
            scopes: [.hostsWrite], isWrite: true),
        FalconAction(
            slug: "perform_host_action", dockerParameter: "perform_host_action", name: "Perform Host Action",
            summary: "Contain, release, hide or restore hosts.",
            schema: ArgumentSchema.object(
                [
                    "ids": ArgumentSchema.ids("Agent ids", perRequest: FalconClient.maxHostActionIDs),
                    "action_name": ArgumentSchema.choice(HostAction.allCases.map(\.rawValue)),
                ], required: ["ids", "action_name"]), scopes: [.hostsWrite], isWrite: true),
        FalconAction(
            slug: "get_device_details", dockerParameter: "get_device_details", name: "Get Device Details",
            summary: "Fetch hosts by agent id.", schema: agentIDs(FalconClient.maxDeviceDetails, atMost: 5000),
            scopes: [.hostsRead], isWrite: false),
        FalconAction(
            slug: "get_online_state", dockerParameter: "get_online_state", name: "Get Online State",
            summary: "Online state of hosts.", schema: agentIDs(FalconClient.maxOnlineStates), scopes: [.hostsRead],
            isWrite: false),
        FalconAction(
            slug: "query_devices_by_filter", dockerParameter: "query_devices_by_filter",
            name: "Query Devices By Filter", summary: "Search agent ids.",
            schema: ArgumentSchema.object(
                [
                    "filter": ArgumentSchema.text(),
                    "sort": ArgumentSchema.text("field|asc (seed) or field.asc (API)"),
                    "limit": [
                        "type": "integer", "minimum": 1, "description": "Total wanted (page size max 5000)",
                    ],
                    "offset": ArgumentSchema.text("Integer offset as text"),
                ], required: []), scopes: [.hostsRead], isWrite: false),
        FalconAction(
            slug: "query_device_login_history", dockerParameter: "query_device_login_history",
            name: "Query Device Login History", summary: "Recent logins of devices.",
            schema: agentIDs(FalconClient.maxLoginHistory), scopes: [.hostsRead], isWrite: false),
    ]

    private static func agentIDs(_ perRequest: Int, atMost: Int? = nil) -> JSONValue {
        guard let atMost, case .object(var ids) = ArgumentSchema.ids("Agent ids", perRequest: perRequest) else {
            return ArgumentSchema.onlyIDs("Agent ids", perRequest: perRequest)
        }
        ids["maxItems"] = .int(atMost)
        return ArgumentSchema.object(["ids": .object(ids)], required: ["ids"])
    }
}
