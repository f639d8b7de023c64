// SPDX-License-Identifier: Apache-2.0

/// The operations served, under the contract's names, with the scope that each needs.
enum FalconOperation: String, CaseIterable, Sendable {
    case token = "oauth2AccessToken"
    case revoke = "oauth2RevokeToken"
    case search = "indicator_search_v1"
    case combined = "indicator_combined_v1"
    case get = "indicator_get_v1"
    case create = "indicator_create_v1"
    case update = "indicator_update_v1"
    case delete = "indicator_delete_v1"
    case aggregate = "indicator_aggregate_v1"
    case report = "GetIndicatorsReport"
    case actions = "action_get_v1"
    case actionIDs = "action_query_v1"
    case types = "ioc_type_query_v1"
    case platforms = "platform_query_v1"
    case severities = "severity_query_v1"
    case deviceCount = "indicator_get_device_count_v1"
    case devices = "indicator_get_devices_ran_on_v1"
    case processes = "indicator_get_processes_ran_on_v1"
    case legacyDeviceCount = "DevicesCount"
    case legacyDevices = "DevicesRanOn"
    case legacyProcesses = "ProcessesRanOn"
    case processDetails = "entities_processes"

    var method: String {
        switch self {
        case .token, .revoke, .create, .aggregate, .report: "POST"
        case .update: "PATCH"
        case .delete: "DELETE"
        default: "GET"
        }
    }

    var path: String {
        switch self {
        case .token: "/oauth2/token"
        case .revoke: "/oauth2/revoke"
        case .search: "/iocs/queries/indicators/v1"
        case .combined: "/iocs/combined/indicator/v1"
        case .get, .create, .update, .delete: "/iocs/entities/indicators/v1"
        case .aggregate: "/iocs/aggregates/indicators/v1"
        case .report: "/iocs/entities/indicators-reports/v1"
        case .actions: "/iocs/entities/actions/v1"
        case .actionIDs: "/iocs/queries/actions/v1"
        case .types: "/iocs/queries/ioc-types/v1"
        case .platforms: "/iocs/queries/platforms/v1"
        case .severities: "/iocs/queries/severities/v1"
        case .deviceCount: "/iocs/aggregates/indicators/device-count/v1"
        case .devices: "/iocs/queries/indicators/devices/v1"
        case .processes: "/iocs/queries/indicators/processes/v1"
        case .legacyDeviceCount: "/indicators/aggregates/devices-count/v1"
        case .legacyDevices: "/indicators/queries/devices/v1"
        case .legacyProcesses: "/indicators/queries/processes/v1"
        case .processDetails: "/processes/entities/processes/v1"
        }
    }

    /// Any of these will do; none for the token endpoints.
    var scopes: Set<String> {
        switch self {
        case .token, .revoke: []
        case .create, .update, .delete: ["ioc:write"]
        case .report: ["ioc:read", "ioc:write"]
        case .legacyDeviceCount, .legacyDevices, .legacyProcesses, .processDetails: ["iocs:read"]
        default: ["ioc:read"]
        }
    }

    private static let byRoute = Dictionary(uniqueKeysWithValues: allCases.map { ("\($0.method) \($0.path)", $0) })
    private static let paths = Set(allCases.map(\.path))

    static func at(_ method: String, _ path: String) -> FalconOperation? { byRoute["\(method) \(path)"] }
    static func isPath(_ path: String) -> Bool { paths.contains(path) }
}
