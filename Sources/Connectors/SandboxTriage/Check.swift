// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
public import Engine
import Falcon
import Settings
import VMRay

extension SandboxTriageConnector {
    /// Each scope of the tenant with the option that needs it, then VMRay's address, key and permissions. Changes nothing.
    public func check(_ report: @Sendable (CheckLine) -> Void) async {
        for text in TriageSettings.remarks(context.settings) { report(.init(.warning, "settings", text)) }
        do {
            await FalconScopes(try connections.falcon()).check(needs, report)
            await checkVMRay(try vmrayClient(), report)
        } catch {
            report(.init(.problem, "settings", "\(error)"))
        }
    }

    /// The scopes that the options in force need.
    var needs: [FalconScopes.Need] {
        let settings = context.settings
        let policy = TriagePolicy(settings)
        let sources = settings[TriageSettings.dataSources]
        var needs: [FalconScopes.Need] = []
        if sources.contains(.detect) { needs.append(.init(.alertsRead, for: "selected_data_sources: DETECT")) }
        if sources.contains(.quarantine) {
            needs.append(.init(.quarantineRead, for: "selected_data_sources: QUARANTINE"))
        }
        needs.append(.init(.samplesRead, for: "downloading samples"))
        needs.append(.init(.iocRead, for: "indicators of malicious samples"))
        needs.append(.init(.iocWrite, for: "indicators of malicious samples"))
        if policy.commentsToDetection { needs.append(.init(.alertsWrite, for: "comment_to_detection")) }
        if policy.commentsToQuarantine { needs.append(.init(.quarantineWrite, for: "comment_to_quarantine")) }
        if policy.containLevels != nil {
            needs.append(.init(.hostsRead, for: "contain_host, never_contain"))
            needs.append(.init(.hostsWrite, for: "contain_host"))
            if !settings[TriageSettings.neverContain].isEmpty {
                needs.append(.init(.hostGroupsRead, for: "never_contain"))
            }
        }
        if policy.releasesOnClean, !settings[TriageSettings.neverContain].isEmpty {
            for scope in [FalconScope.hostsRead, .hostGroupsRead] where !needs.contains(where: { $0.scope == scope }) {
                needs.append(.init(scope, for: "release_on_clean, never_contain"))
            }
        }
        if policy.caseLevels != nil || policy.opensCaseOnError {
            let scopes: [FalconScope] =
                policy.caseAPI == .cases ? [.casesRead, .casesWrite] : [.messageCenterRead, .messageCenterWrite]
            needs += scopes.map {
                .init($0, for: "create_case, error_open_case (case_api: \(policy.caseAPI.rawValue))")
            }
        }
        return needs
    }

    private func checkVMRay(_ vmray: VMRayClient, _ report: @Sendable (CheckLine) -> Void) async {
        do throws(VMRayError) {
            let version = try await vmray.systemVersion()
            report(.init(.ok, "vmray.key", "VMRay \(version) accepts the key."))
        } catch {
            return report(.init(.problem, error.code.text, error.description, isRemote: true))
        }
        await probe("look-ups by hash", report) { () async throws(VMRayError) in
            _ = try await vmray.samples(sha256: String(repeating: "0", count: 64))
        }
        await checkSubmissions(vmray, report)
        if vmray.configuration.keyType == .report {
            await probe("IOC lists, for indicators besides the sample's own hash", report) {
                () async throws(VMRayError) in
                _ = try await vmray.iocs(of: 0, verdict: "malicious")
            }
        }
    }

    /// Nothing but a submission shows the right to submit; what can be asked is how many are left.
    private func checkSubmissions(_ vmray: VMRayClient, _ report: @Sendable (CheckLine) -> Void) async {
        let remark = "Whether the key may submit at all, no call tells: the first sample that is submitted shows it."
        do throws(VMRayError) {
            let quota = try await vmray.quota()
            let text = "\(quota.used) of \(quota.limit.map { String($0) } ?? "any number of") submissions are used."
            if quota.isSpent {
                report(
                    .init(.warning, "vmray.quota", text + " Nothing can be submitted before it is raised or renewed."))
            } else {
                report(.init(.ok, "vmray.quota", text + " " + remark))
            }
        } catch {
            report(.init(.ok, "vmray.quota", "VMRay does not tell how many submissions are left. " + remark))
        }
    }

    private func probe(
        _ feature: String, _ report: @Sendable (CheckLine) -> Void, _ call: () async throws(VMRayError) -> Void
    ) async {
        do throws(VMRayError) {
            try await call()
        } catch {
            switch error {
            // Refused for what was asked, not for who asked.
            case .notFound, .refused: break
            default:
                let verdict: CheckLine.Verdict = if case .forbidden = error { .warning } else { .problem }
                return report(.init(verdict, error.code.text, "\(feature): \(error.description)", isRemote: true))
            }
        }
        report(.init(.ok, "vmray.permission", "The key allows \(feature)."))
    }
}
