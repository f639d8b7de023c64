// SPDX-License-Identifier: Apache-2.0

import Base
public import Engine
public import Falcon
import HTTPClient
import JSON

/// Which API scopes a connector needs and what for, asked of the tenant one by one.
///
/// Reading is tried with a question for one thing, writing with a change of something that cannot exist: nothing is changed.
public struct FalconScopes: Sendable {
    public struct Need: Sendable {
        public var scope: FalconScope
        /// `isolate_endpoints, perform_host_action`
        public var features: String
        /// Without it the connector still does most of its work.
        public var isOptional: Bool
        public init(_ scope: FalconScope, for features: String, isOptional: Bool = false) {
            self.scope = scope
            self.features = features
            self.isOptional = isOptional
        }
    }

    private let falcon: FalconClient

    public init(_ falcon: FalconClient) { self.falcon = falcon }

    /// One line for the token and one for each scope. Gives false when there is no token.
    @discardableResult
    public func check(_ needs: [Need], _ report: @Sendable (CheckLine) -> Void) async -> Bool {
        do throws(FalconError) { try await falcon.authenticate() } catch {
            report(.init(.problem, error.code.text, error.description, isRemote: true))
            return false
        }
        report(.init(.ok, "falcon.credentials", "Falcon gives a token for the API client."))
        for need in needs {
            let what = "“\(need.scope)”, needed for \(need.features)"
            do throws(FalconError) {
                try await probe(need.scope)
                report(.init(.ok, "falcon.scope", "The API client has \(what)."))
            } catch {
                let verdict: CheckLine.Verdict = need.isOptional ? .warning : .problem
                switch error {
                case .missingScope:
                    report(
                        .init(
                            verdict, "falcon.scope",
                            "The API client lacks \(what). Add it in Support and resources › API clients and keys.",
                            isRemote: true))
                // Refused for what was asked, not for who asked.
                case .badRequest, .notFound, .conflict:
                    report(.init(.ok, "falcon.scope", "The API client has \(what)."))
                default:
                    report(.init(verdict, error.code.text, "\(what): \(error.description)", isRemote: true))
                }
            }
        }
        return true
    }

    private static let nobody = String(repeating: "0", count: 32)

    private func probe(_ scope: FalconScope) async throws(FalconError) {
        switch scope {
        case .iocRead: _ = try await falcon.queryIndicators(nil, limit: 1)
        case .iocWrite:
            _ = try await falcon.deleteIndicators([Self.nobody + Self.nobody], comment: "permission check")
        case .hostsRead: _ = try await falcon.queryDevices(limit: 1)
        case .hostsWrite: _ = try await falcon.perform(.unhide, on: [Self.nobody])
        case .hostGroupsRead: _ = try await falcon.hostGroups([Self.nobody])
        case .alertsRead: _ = try await falcon.alerts(["\(Self.nobody):ind:\(Self.nobody):0"])
        case .alertsWrite:
            _ = try await falcon.updateAlerts(
                ["\(Self.nobody):ind:\(Self.nobody):0"], [AlertAction("update_status", "new")])
        case .policiesRead: _ = try await falcon.preventionPolicies([Self.nobody])
        case .policiesWrite: _ = try await falcon.deletePreventionPolicies([Self.nobody])
        case .casesRead: _ = try await falcon.cases([Self.nobody])
        // A case without a name is refused.
        case .casesWrite: _ = try await falcon.createCase([:])
        case .messageCenterRead: _ = try await falcon.newestMessageCases(limit: 1) { _ in true }
        case .messageCenterWrite: _ = try await falcon.createMessageCase([:])
        case .quarantineRead: _ = try await falcon.queryQuarantine("sha256:'\(Self.nobody)'", limit: 1)
        case .quarantineWrite:
            _ = try await falcon.updateQuarantine(
                ["\(Self.nobody)_\(Self.nobody)"], .unrelease, comment: "permission check")
        case .samplesRead: try await falcon.openSample(sha256: Self.nobody + Self.nobody).cancel()
        case .incidentsRead: _ = try await falcon.incidents(["inc:\(Self.nobody):\(Self.nobody)"])
        case .usersRead: _ = try await falcon.queryUsers(limit: 1)
        case .identityGraphQL, .identityRead:
            let page = try await falcon.identityUsers { _ in true }
            if page.isRefused { throw .missingScope(scope, traceID: nil) }
        default: break
        }
    }
}
