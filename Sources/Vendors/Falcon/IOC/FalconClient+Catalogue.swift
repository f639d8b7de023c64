// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import JSON

/// What the tenant accepts, for refusing early what it would refuse. Source: Falcon API surface, 4.1.
public struct IOCActionRule: Sendable, Hashable {
    /// `detect`, `prevent`, …
    public let id: String
    /// By indicator type: `domain` → `windows`, `mac`, `linux`. Whether `android` and `ios` occur tells the licence.
    public let platformsByType: [String: [String]]
    public let severities: [String]

    init?(_ element: JSONElement) {
        guard let id = element["id"]?.string, !id.isEmpty else { return nil }
        self.id = id
        func texts(_ element: JSONElement?) -> [String] {
            var texts: [String] = []
            element?.forEachElement { if let text = $0.string { texts.append(text) } }
            return texts
        }
        var platforms: [String: [String]] = [:]
        element["platforms_by_type"]?.forEachMember { platforms[String(decoding: $0, as: UTF8.self)] = texts($1) }
        platformsByType = platforms
        severities = texts(element["severities"])
    }
}

extension FalconClient {
    /// `GET /iocs/queries/actions/v1`
    public func actionIDs() async throws(FalconError) -> [String] {
        try await names("actions", operation: "falcon.action_query")
    }

    /// `GET /iocs/entities/actions/v1?ids=…`
    public func actionRules(_ ids: [String]) async throws(FalconError) -> [IOCActionRule] {
        guard !ids.isEmpty else { return [] }
        let call = FalconCall(
            .get, "/iocs/entities/actions/v1", query: ids.map { (name: "ids", value: $0) },
            operation: "falcon.action_get", scope: .iocRead)
        return try await list(call, row: IOCActionRule.init).rows
    }

    /// `GET /iocs/queries/platforms/v1`
    public func platforms() async throws(FalconError) -> [String] {
        try await names("platforms", operation: "falcon.platform_query")
    }

    /// `GET /iocs/queries/severities/v1`
    public func severities() async throws(FalconError) -> [String] {
        try await names("severities", operation: "falcon.severity_query")
    }

    /// `GET /iocs/queries/ioc-types/v1`
    public func iocTypes() async throws(FalconError) -> [String] {
        try await names("ioc-types", operation: "falcon.ioc_type_query")
    }

    /// These lists are short: one page holds them.
    private func names(_ list: String, operation: String) async throws(FalconError) -> [String] {
        let call = FalconCall(
            .get, "/iocs/queries/\(list)/v1", query: [(name: "limit", value: "500")], operation: operation,
            scope: .iocRead)
        return try await self.list(call) { $0.string }.rows
    }

    /// Which of the scopes that indicators need the API client lacks; changes nothing.
    ///
    /// Reading is tried with a search for one id, writing with the deletion of an id that cannot exist.
    /// - Throws: whatever else goes wrong: credentials, network, rate limit.
    public func missingIOCScopes() async throws(FalconError) -> [FalconScope] {
        var missing: [FalconScope] = []
        do throws(FalconError) {
            _ = try await searchIOCs(nil, limit: 1)
        } catch {
            guard case .missingScope(let scope, _) = error else { throw error }
            missing.append(scope)
        }
        do throws(FalconError) {
            _ = try await deleteIOCs([String(repeating: "0", count: 64)], comment: "permission check")
        } catch {
            switch error {
            case .missingScope(let scope, _): missing.append(scope)
            // Refused for what it asks, not for who asks.
            case .badRequest: break
            default: throw error
            }
        }
        return missing
    }
}
