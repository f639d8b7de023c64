// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
public import Engine
import Falcon
import OpenCTI
import Settings

extension FalconIndicatorsConnector {
    /// Platform, token and capabilities, the live stream and its filters, the tenant and each scope. Reads only.
    public func check(_ report: @Sendable (CheckLine) -> Void) async {
        await StreamCheck(context, filters: Self.filters).run(report)
        await checkFalcon(report)
    }

    /// What the live stream should let through.
    ///
    /// Source: OpenCTI → CrowdStrike Endpoint Security, 4 (Entity type = Indicator, Revoked = No).
    static let filters = StreamFilters([
        .init(
            "entity_type", "Entity type", ["indicator"],
            "set it to Indicator, or everything else is read and dropped."),
        .init(
            "pattern_type", "Pattern type", ["stix"], "set it to stix, or YARA and Sigma rules are read and dropped."),
        .init(
            "revoked", "Revoked", ["false"],
            "set it to No, and the platform tells of a revocation as a deletion; without it we notice by ourselves."),
    ])

    private func checkFalcon(_ report: @Sendable (CheckLine) -> Void) async {
        let client: FalconClient
        do { client = try connections.falcon() } catch {
            report(.init(.problem, "falcon", "\(error)"))
            return
        }
        do throws(FalconError) {
            let missing = try await client.missingIOCScopes()
            let address = await client.session.address
            for scope in [FalconScope.iocRead, .iocWrite] {
                report(
                    missing.contains(scope)
                        ? .init(
                            .problem, "falcon.scope",
                            "The API client lacks “\(scope)”. Add it in Support and resources › API clients and keys.",
                            isRemote: true)
                        : .init(.ok, "falcon.scope", "“\(scope)” is granted (\(address))."))
            }
            guard !missing.contains(.iocRead) else { return }
        } catch {
            report(.init(.problem, error.code.text, error.description, isRemote: true))
            return
        }
        await checkActions(client, report)
    }

    private func checkActions(_ client: FalconClient, _ report: @Sendable (CheckLine) -> Void) async {
        let settings = context.settings
        do throws(FalconError) {
            let rules = try await client.actionRules(["no_action", "allow", "detect", "prevent"])
            let known = Self.platforms(rules)
            let wanted: [(String, [IOCType])] = [
                (settings[FalconIndicatorsSettings.actionOnIP].rawValue, [.ipv4, .ipv6]),
                (settings[FalconIndicatorsSettings.actionOnDomain].rawValue, [.domain]),
                (settings[FalconIndicatorsSettings.actionOnHash].rawValue, [.md5, .sha256]),
            ]
            for (action, types) in wanted {
                for type in types where known[action]?[type.description]?.isEmpty ?? true {
                    report(
                        .init(
                            .warning, "falcon.action", "The tenant does not list the action “\(action)” for \(type).",
                            isRemote: true))
                }
            }
            let takesMobile = known.values.contains { $0.values.contains { !$0.isDisjoint(with: .mobile) } }
            if settings[FalconIndicatorsSettings.isMobileActive], !takesMobile {
                report(
                    .init(
                        .warning, "falcon.mobile",
                        "CROWDSTRIKE_FALCON_FOR_MOBILE_ACTIVE is on, and the tenant takes neither android nor ios."))
            }
        } catch {
            report(.init(.warning, error.code.text, error.description, isRemote: true))
        }
    }
}
