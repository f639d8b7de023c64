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
    case deviceQuery = "QueryDevicesByFilter"
    case deviceScroll = "QueryDevicesByFilterScroll"
    case hiddenDevices = "QueryHiddenDevices"
    case deviceDetails = "PostDeviceDetailsV2"
    case deviceAction = "PerformActionV2"
    case onlineState = "GetOnlineState_V1"
    case loginHistory = "QueryDeviceLoginHistory"
    case loginHistoryV2 = "QueryDeviceLoginHistoryV2"
    case hostGroups = "getHostGroups"
    case alertQuery = "GetQueriesAlertsV2"
    case alertDetails = "PostEntitiesAlertsV2"
    case alertUpdate = "PatchEntitiesAlertsV3"
    case alertUpdateV2 = "PatchEntitiesAlertsV2"
    case alertCombined = "PostCombinedAlertsV1"
    case detectQuery = "QueryDetects"
    case detectDetails = "GetDetectSummaries"
    case detectUpdate = "UpdateDetectsByIdsV2"
    case quarantineQuery = "QueryQuarantineFiles"
    case quarantineDetails = "GetQuarantineFiles"
    case quarantineUpdate = "UpdateQuarantinedDetectsByIds"
    case sampleGet = "GetSampleV3"
    case messageCaseCreate = "CreateCaseV2"
    case messageCaseQuery = "QueryCasesIdsByFilter"
    case messageCaseDetails = "GetCaseEntitiesByIDs"
    case caseCreate = "entities_cases_put_v2"
    case caseQuery = "queries_cases_get_v1"
    case caseDetails = "entities_cases_post_v2"
    case incidentDetails = "GetIncidents"
    case behaviorDetails = "GetBehaviors"
    case policyGet = "getPreventionPolicies"
    case policyCreate = "createPreventionPolicies"
    case policyUpdate = "updatePreventionPolicies"
    case policyDelete = "deletePreventionPolicies"
    case policyAction = "performPreventionPoliciesAction"
    case userQuery = "queryUserV1"
    case userDetails = "retrieveUsersGETV1"
    case graphQL = "post_graphql"

    var method: String {
        switch self {
        case .token, .revoke, .create, .aggregate, .report, .deviceDetails, .deviceAction, .loginHistory,
            .loginHistoryV2, .alertDetails, .caseDetails, .incidentDetails, .behaviorDetails, .policyCreate,
            .policyAction, .userDetails, .graphQL, .alertCombined, .detectDetails, .quarantineDetails,
            .messageCaseCreate, .messageCaseDetails:
            "POST"
        case .update, .alertUpdate, .alertUpdateV2, .policyUpdate, .detectUpdate, .quarantineUpdate: "PATCH"
        case .caseCreate: "PUT"
        case .delete, .policyDelete: "DELETE"
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
        case .deviceQuery: "/devices/queries/devices/v1"
        case .deviceScroll: "/devices/queries/devices-scroll/v1"
        case .hiddenDevices: "/devices/queries/devices-hidden/v1"
        case .deviceDetails: "/devices/entities/devices/v2"
        case .deviceAction: "/devices/entities/devices-actions/v2"
        case .onlineState: "/devices/entities/online-state/v1"
        case .loginHistory: "/devices/combined/devices/login-history/v1"
        case .loginHistoryV2: "/devices/combined/devices/login-history/v2"
        case .hostGroups: "/devices/entities/host-groups/v1"
        case .alertQuery: "/alerts/queries/alerts/v2"
        case .alertDetails, .alertUpdateV2: "/alerts/entities/alerts/v2"
        case .alertCombined: "/alerts/combined/alerts/v1"
        case .detectQuery: "/detects/queries/detects/v1"
        case .detectDetails: "/detects/entities/summaries/GET/v1"
        case .detectUpdate: "/detects/entities/detects/v2"
        case .quarantineQuery: "/quarantine/queries/quarantined-files/v1"
        case .quarantineDetails: "/quarantine/entities/quarantined-files/GET/v1"
        case .quarantineUpdate: "/quarantine/entities/quarantined-files/v1"
        case .sampleGet: "/samples/entities/samples/v3"
        case .messageCaseCreate: "/message-center/entities/case/v2"
        case .messageCaseQuery: "/message-center/queries/cases/v1"
        case .messageCaseDetails: "/message-center/entities/cases/GET/v1"
        case .caseQuery: "/cases/queries/cases/v1"
        case .alertUpdate: "/alerts/entities/alerts/v3"
        case .caseDetails, .caseCreate: "/cases/entities/cases/v2"
        case .incidentDetails: "/incidents/entities/incidents/GET/v1"
        case .behaviorDetails: "/incidents/entities/behaviors/GET/v1"
        case .policyGet: "/policy/entities/prevention/v1"
        case .policyCreate: "/policy/entities/prevention/v1"
        case .policyUpdate: "/policy/entities/prevention/v1"
        case .policyDelete: "/policy/entities/prevention/v1"
        case .policyAction: "/policy/entities/prevention-actions/v1"
        case .userQuery: "/user-management/queries/users/v1"
        case .userDetails: "/user-management/entities/users/GET/v1"
        case .graphQL: "/identity-protection/combined/graphql/v1"
        }
    }

    /// Any of these will do; none for the token endpoints.
    var scopes: Set<String> {
        switch self {
        case .token, .revoke: []
        case .create, .update, .delete: ["ioc:write"]
        case .report: ["ioc:read", "ioc:write"]
        case .legacyDeviceCount, .legacyDevices, .legacyProcesses, .processDetails: ["iocs:read"]
        case .deviceQuery, .deviceScroll, .hiddenDevices, .deviceDetails, .onlineState, .loginHistory, .loginHistoryV2:
            ["devices:read"]
        case .deviceAction: ["devices:write"]
        case .hostGroups: ["host-group:read"]
        case .alertQuery, .alertDetails, .alertCombined: ["alerts:read"]
        case .alertUpdate, .alertUpdateV2: ["alerts:write"]
        case .detectQuery, .detectDetails: ["detects:read"]
        case .detectUpdate: ["detects:write"]
        case .quarantineQuery, .quarantineDetails: ["quarantine:read"]
        case .quarantineUpdate: ["quarantine:write"]
        case .sampleGet: ["samplestore:read"]
        case .messageCaseCreate: ["message-center:write"]
        case .messageCaseQuery, .messageCaseDetails: ["message-center:read"]
        case .caseDetails, .caseQuery: ["cases:read"]
        case .caseCreate: ["cases:write"]
        case .incidentDetails, .behaviorDetails: ["incidents:read"]
        case .policyGet: ["prevention-policies:read"]
        case .policyCreate, .policyUpdate, .policyDelete, .policyAction: ["prevention-policies:write"]
        case .userQuery, .userDetails: ["user-management:read"]
        case .graphQL: ["identity-protection-graphql:write"]
        default: ["ioc:read"]
        }
    }

    private static let byRoute = Dictionary(uniqueKeysWithValues: allCases.map { ("\($0.method) \($0.path)", $0) })
    private static let paths = Set(allCases.map(\.path))

    static func at(_ method: String, _ path: String) -> FalconOperation? { byRoute["\(method) \(path)"] }
    static func isPath(_ path: String) -> Bool { paths.contains(path) }
}
