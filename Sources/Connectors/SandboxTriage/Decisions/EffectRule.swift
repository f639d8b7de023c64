// SPDX-License-Identifier: Apache-2.0

import JSON

/// What is done about a sample, in its order. Source: VMRay, 3 (step 10) and 5.
struct EffectRule {
    let record: SampleRecord
    let policy: TriagePolicy
    let findings: SampleRecord.Findings

    init?(_ record: SampleRecord, _ policy: TriagePolicy) {
        guard let findings = record.findings else { return nil }
        self.record = record
        self.policy = policy
        self.findings = findings
    }

    /// Everything that follows from the verdict alone.
    var first: [Effect] { alertComments + indicators + quarantine + containment(of: record.hosts) + cases }

    /// Whether other hosts are to be looked for, and with which hashes.
    var hashesToLookFor: [String]? {
        guard policy.otherHostLevels?.contains(findings.verdict) == true else { return nil }
        return [record.sha256] + findings.hashes.filter { $0 != record.sha256 }
    }

    /// What follows from the other hosts that were found.
    var second: [Effect] {
        let handled = Set(record.hosts)
        let others = Set(findings.otherHosts ?? []).subtracting(handled).sorted()
        guard !others.isEmpty else { return [] }
        var effects = containment(of: others)
        if policy.commentsToDetection, !record.alerts.isEmpty {
            let text = "Also ran on \(others.count) other host(s): " + others.joined(separator: ", ")
            let ids = record.alerts.map(\.compositeID).sorted()
            effects.append(.alertUpdate(ids: ids, comment: text, status: nil, kind: "hosts"))
        }
        return effects
    }

    private var alertComments: [Effect] {
        guard policy.commentsToDetection else { return [] }
        let status: String? =
            switch findings.verdict {
            case .malicious, .suspicious: "in_progress"
            case .clean: policy.closesOnClean ? "closed" : nil
            case .none: nil
            }
        // What an analyst has closed is never opened again.
        let groups = [
            (record.alerts.filter { $0.status != "closed" }, status),
            (record.alerts.filter { $0.status == "closed" }, nil),
        ]
        return groups.compactMap { alerts, status in
            let ids = alerts.map(\.compositeID).sorted()
            return ids.isEmpty ? nil : .alertUpdate(ids: ids, comment: comment, status: status, kind: "alert")
        }
    }

    private var comment: String {
        let verdict = findings.verdict
        guard verdict != .none else {
            return "VMRay gave no verdict for \(record.sha256). Report: \(findings.link)"
        }
        var lines = ["VMRay verdict for \(record.sha256): \(verdict.rawValue). Report: \(findings.link)"]
        guard verdict != .clean else { return lines[0] }
        if policy.addsClassification, !findings.classifications.isEmpty {
            lines.append("Threat classification: " + findings.classifications.joined(separator: ", "))
        }
        if policy.addsThreatName, !findings.threatNames.isEmpty {
            lines.append("Threat names: " + findings.threatNames.joined(separator: ", "))
        }
        return lines.joined(separator: "\n")
    }

    private var indicators: [Effect] {
        guard findings.verdict == .malicious, let indicators = findings.indicators, !indicators.isEmpty else {
            return []
        }
        return [.createIndicators(indicators, description: "Found by VMRay in sample \(record.sha256)")]
    }

    private var quarantine: [Effect] {
        guard policy.commentsToQuarantine, !record.files.isEmpty else { return [] }
        let action: String
        switch findings.verdict {
        case .malicious, .suspicious: action = "unrelease"
        case .clean where policy.releasesOnClean: action = "release"
        default: return []
        }
        let text = "VMRay verdict: \(findings.verdict.rawValue). Report: \(findings.link)"
        return [.quarantineUpdate(ids: record.files.map(\.id).sorted(), action: action, comment: text)]
    }

    private func containment(of hosts: [String]) -> [Effect] {
        guard policy.containLevels?.contains(findings.verdict) == true, findings.verdict != .none,
            findings.verdict != .clean, !hosts.isEmpty
        else { return [] }
        return [.contain(hosts, note: "Containment requested by VMRay verdict")]
    }

    private var cases: [Effect] {
        guard policy.caseLevels?.contains(findings.verdict) == true else { return [] }
        let title = "VMRay verdict \(findings.verdict.rawValue) for \(record.sha256)"
        let severity = findings.verdict == .malicious ? (80, "high") : (50, "medium")
        let made = Self.makeCase(
            title, body: "Report: \(findings.link)", severity: severity.0, level: severity.1, record, policy)
        return [.createCase(made, key: EffectKey("case:\(record.sha256)"))]
    }

    /// The case for a sample that could not be analysed.
    static func failure(_ outcome: SampleOutcome, _ record: SampleRecord, _ policy: TriagePolicy) -> Effect? {
        guard policy.opensCaseOnError, outcome != .quota else { return nil }
        let made = makeCase(
            "VMRay could not analyse \(record.sha256)", body: "Reason: \(outcome.rawValue)", severity: 30, level: "low",
            record, policy)
        return .createCase(made, key: EffectKey("case-failure:\(record.sha256)"))
    }

    private static func makeCase(
        _ title: String, body: String, severity: Int, level: String, _ record: SampleRecord, _ policy: TriagePolicy
    ) -> TriageCase {
        let alerts = record.alerts.sorted { $0.compositeID < $1.compositeID }
        let request: JSONValue
        switch policy.caseAPI {
        case .messageCenter:
            // The service takes alerts with this type only.
            let attached = policy.caseType == TriagePolicy().caseType ? alerts : []
            let detections: [JSONValue] = attached.map {
                ["id": .string($0.compositeID), "product": .string($0.product), "url": .string($0.link)]
            }
            request = [
                "title": .string(title), "body": .string(body), "type": .string(policy.caseType),
                "user_uuid": .string(policy.caseUser), "detections": .array(detections), "incidents": [],
            ]
        case .cases:
            request = [
                "name": .string(title), "description": .string(body), "severity": .int(severity),
                "severity_info": ["level": .string(level)], "status": "new",
                "assigned_to_user_uuid": .string(policy.caseUser),
                "evidence": [
                    "alerts": .array(alerts.map { ["id": .string($0.compositeID)] }), "events": [], "leads": [],
                ],
                "tags": ["VMRAY"],
            ]
        }
        return TriageCase(api: policy.caseAPI, title: title, request: request)
    }
}
