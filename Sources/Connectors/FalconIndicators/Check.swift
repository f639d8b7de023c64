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
        await checkOpenCTI(report)
        await checkFalcon(report)
    }

    private func checkOpenCTI(_ report: @Sendable (CheckLine) -> Void) async {
        do {
            let client = try connections.openCTI()
            let version = try await client.platformVersion()
            report(.init(.ok, "opencti", "OpenCTI \(version.map { "\($0)" } ?? "of unknown version") answers."))
            let user = try await client.me()
            for (capability, need) in [
                ("CONNECTORAPI", "to register and keep its state"), ("TAXIIAPI", "to read live streams"),
            ] {
                report(
                    user.has(capability)
                        ? .init(.ok, "opencti.capability", "The user “\(user.name)” has \(capability).")
                        : .init(
                            .problem, "opencti.capability",
                            "The user “\(user.name)” lacks \(capability), needed \(need). Add it to the user's role.",
                            isRemote: true))
            }
            await checkStream(client, report)
        } catch let error as ConnectorError {
            report(.init(.problem, error.code.text, error.description))
        } catch let error as any ActionableError {
            report(.init(.problem, error.code.text, error.description, isRemote: true))
        } catch {
            report(.init(.problem, "opencti", "\(error)", isRemote: true))
        }
    }

    private func checkStream(_ client: OpenCTIClient, _ report: @Sendable (CheckLine) -> Void) async {
        let id = context.settings[LiveStreamSettings.id]
        guard id != "live" else {
            report(
                .init(
                    .warning, "opencti.stream",
                    "The stream “live” carries everything and needs BYPASS. A live stream of its own with the filters "
                        + "Entity type = Indicator, Pattern type = stix, Revoked = No is faster and safer."))
            return
        }
        do {
            guard let stream = try await client.streamCollection(id) else {
                report(
                    .init(
                        .problem, "opencti.stream",
                        "There is no live stream \(id), or the user may not see it. Create it under Data sharing › Live "
                            + "streams, and add the user to its accesses.", isRemote: true))
                return
            }
            report(
                stream.isLive
                    ? .init(.ok, "opencti.stream", "The live stream “\(stream.name ?? id)” is started.")
                    : .init(
                        .problem, "opencti.stream", "The live stream “\(stream.name ?? id)” is stopped. Start it.",
                        isRemote: true))
            for line in StreamFilters.judge(stream.filters) { report(line) }
        } catch {
            report(.init(.problem, error.code.text, error.description, isRemote: true))
        }
    }

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

/// Compares a live stream's filters with what this connector needs.
///
/// Source: OpenCTI → CrowdStrike Endpoint Security, 4 (Entity type = Indicator, Revoked = No).
enum StreamFilters {
    static func judge(_ filters: FilterGroup?) -> [CheckLine] {
        guard let filters else {
            return [.init(.warning, "opencti.stream_filter", "The live stream's filters can't be read.")]
        }
        var lines: [CheckLine] = []
        func judge(_ key: String, _ wanted: String, _ name: String, _ consequence: String) {
            guard let values = filters.required(key).map({ Set($0.map { $0.lowercased() }) }) else {
                lines.append(.init(.warning, "opencti.stream_filter", "No filter on \(name): \(consequence)"))
                return
            }
            let listed = values.sorted().joined(separator: ", ")
            if !values.contains(wanted) {
                lines.append(
                    .init(
                        .problem, "opencti.stream_filter",
                        "The filter on \(name) is \(listed.isEmpty ? "never true" : listed), so nothing for this connector comes: "
                            + consequence, isRemote: true))
            } else if values.count > 1 {
                lines.append(
                    .init(.warning, "opencti.stream_filter", "The filter on \(name) is \(listed): \(consequence)"))
            } else {
                lines.append(.init(.ok, "opencti.stream_filter", "\(name) = \(listed)"))
            }
        }
        judge(
            "entity_type", "indicator", "Entity type",
            "set it to Indicator, or everything else is read and dropped.")
        judge(
            "pattern_type", "stix", "Pattern type", "set it to stix, or YARA and Sigma rules are read and dropped.")
        judge(
            "revoked", "false", "Revoked",
            "set it to No, and the platform tells of a revocation as a deletion; without it we notice by ourselves.")
        return lines
    }
}
