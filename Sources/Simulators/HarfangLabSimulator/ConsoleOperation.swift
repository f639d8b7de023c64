// SPDX-License-Identifier: Apache-2.0

import HTTPServer

/// The collections below `/api/data/threat_intelligence`.
enum RuleCollection: String, CaseIterable, Sendable {
    case ioc = "IOCRule"
    case sigma = "SigmaRule"
    case yara = "YaraFile"

    var sources: String {
        switch self {
        case .ioc: "IOCSource"
        case .sigma: "SigmaSource"
        case .yara: "YaraSource"
        }
    }
}

/// What a request asks for.
enum ConsoleOperation: Sendable, Hashable {
    case version
    case me
    case makeToken
    case listSources(RuleCollection)
    case createSource(RuleCollection)
    case listRules(RuleCollection)
    case createRule(RuleCollection)
    case getRule(RuleCollection, String)
    case updateRule(RuleCollection, String)
    case deleteRule(RuleCollection, String)
    case listAlerts
    case getAlert(String)
    case tagAlerts
    case listThreats
    case getThreat(String)
    case threatNote(String)
    case threatRules
    case threatStatus
    case commentThreat(String)
    case listAgents
    case getAgent(String)
    case listUsers
    /// The path exists under other methods.
    case wrongMethod
    /// A POST without the slash that the collection demands.
    case missingSlash
    case unknown

    /// For counters and faults: `list_IOCRule`.
    var name: String {
        switch self {
        case .version: "version"
        case .me: "me"
        case .makeToken: "make_token"
        case .listSources(let kind): "list_\(kind.sources)"
        case .createSource(let kind): "create_\(kind.sources)"
        case .listRules(let kind): "list_\(kind.rawValue)"
        case .createRule(let kind): "create_\(kind.rawValue)"
        case .getRule(let kind, _): "get_\(kind.rawValue)"
        case .updateRule(let kind, _): "update_\(kind.rawValue)"
        case .deleteRule(let kind, _): "delete_\(kind.rawValue)"
        case .listAlerts: "list_Alert"
        case .getAlert: "get_Alert"
        case .tagAlerts: "tag_Alert"
        case .listThreats: "list_Threat"
        case .getThreat: "get_Threat"
        case .threatNote: "get_Threat_note"
        case .threatRules: "list_Threat_rules"
        case .threatStatus: "status_Threat"
        case .commentThreat: "comment_Threat"
        case .listAgents: "list_Agent"
        case .getAgent: "get_Agent"
        case .listUsers: "list_local_users"
        case .wrongMethod: "wrong_method"
        case .missingSlash: "missing_slash"
        case .unknown: "unknown"
        }
    }

    var writes: Bool {
        switch self {
        case .createSource, .createRule, .updateRule, .deleteRule, .tagAlerts, .threatStatus, .commentThreat: true
        default: false
        }
    }

    init(_ request: ServerRequest) {
        var parts = request.path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        let hasSlash = request.path.hasSuffix("/")
        guard parts.first == "api" else {
            self = .unknown
            return
        }
        parts.removeFirst()
        switch (request.method, parts) {
        case ("GET", ["version"]): self = .version
        case ("GET", ["auth", "users", "me"]): self = .me
        case ("POST", ["user", "api_token"]): self = .makeToken
        case (_, let parts) where parts.prefix(2) == ["data", "threat_intelligence"]:
            self = Self.intelligence(request.method, Array(parts.dropFirst(2)), hasSlash)
        case (_, let parts) where parts.prefix(3) == ["data", "alert", "alert"]:
            self = Self.events(request.method, Array(parts.dropFirst(3)))
        case ("GET", ["data", "endpoint", "Agent"]): self = .listAgents
        case ("GET", let parts) where parts.count == 4 && parts.prefix(3) == ["data", "endpoint", "Agent"]:
            self = .getAgent(parts[3])
        case ("GET", ["data", "host_properties", "local_users", "windows"]): self = .listUsers
        default: self = .unknown
        }
    }

    private static func intelligence(_ method: String, _ parts: [String], _ hasSlash: Bool) -> ConsoleOperation {
        guard let collection = parts.first else { return .unknown }
        if let kind = RuleCollection.allCases.first(where: { $0.sources == collection }), parts.count == 1 {
            return method == "GET" ? .listSources(kind) : method == "POST" ? .createSource(kind) : .wrongMethod
        }
        guard let kind = RuleCollection(rawValue: collection) else { return .unknown }
        switch (method, parts.count) {
        case ("GET", 1): return .listRules(kind)
        case ("POST", 1): return hasSlash ? .createRule(kind) : .missingSlash
        case ("GET", 2): return .getRule(kind, parts[1])
        case ("PATCH", 2), ("PUT", 2): return .updateRule(kind, parts[1])
        case ("DELETE", 2): return .deleteRule(kind, parts[1])
        case (_, 1), (_, 2): return .wrongMethod
        default: return .unknown
        }
    }

    private static func events(_ method: String, _ parts: [String]) -> ConsoleOperation {
        switch (method, parts.first ?? "", parts.count, parts.last ?? "") {
        case ("GET", "Alert", 1, _): .listAlerts
        case ("GET", "Alert", 3, "details"): .getAlert(parts[1])
        case ("POST", "Alert", 2, "tag"): .tagAlerts
        case ("GET", "Threat", 1, _): .listThreats
        case ("GET", "Threat", 2, "rules"): .threatRules
        case ("PATCH", "Threat", 2, "status"): .threatStatus
        case ("GET", "Threat", 2, _): .getThreat(parts[1])
        case ("GET", "Threat", 3, "note"): .threatNote(parts[1])
        case ("POST", "Threat", 3, "comment"): .commentThreat(parts[1])
        case (_, "Alert", 1, _), (_, "Threat", 1, _): .wrongMethod
        default: .unknown
        }
    }
}
