// SPDX-License-Identifier: Apache-2.0

import Base

/// An alert that names the sample, as far as anything is done with it.
struct AlertFact: Sendable, Hashable {
    let compositeID: String
    let product: String
    /// `falcon_host_link`
    let link: String
    /// As it was read: what an analyst closed stays closed.
    let status: String
    /// Agent id; empty when the alert names no host.
    let host: String
}

/// A quarantined file that is the sample.
struct QuarantineFact: Sendable, Hashable {
    let id: String
    /// Agent id; empty when unknown.
    let host: String
}

/// An indicator that a malicious sample calls for. Source: VMRay, 4.
struct TriageIndicator: Sendable, Hashable {
    enum Kind: Int, Sendable, Comparable, CaseIterable {
        case sha256, ipv4, ipv6, domain
        /// Falcon's name of the type.
        var name: String { ["sha256", "ipv4", "ipv6", "domain"][rawValue] }
        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }
    let kind: Kind
    let value: String

    /// Hashes are blocked, addresses and names only watched: a shared server may stand behind them.
    var action: String { kind == .sha256 ? "prevent" : "detect" }
    var key: EffectKey { EffectKey("ioc:\(kind.name):\(value)") }
}

/// Names one thing that is done once for a sample: `alert:<composite id>`, `ioc:<type>:<value>`, `quarantine:<id>`,
/// `contain:<aid>`, `case:<sha256>`, and of ours `hosts:<composite id>` and `case-failure:<sha256>`.
struct EffectKey: Sendable, Hashable {
    let text: String
    init(_ text: String) { self.text = text }
}

enum EffectState: Sendable, Hashable {
    /// About to be sent, or sent without an answer: look at the vendor before it is sent again.
    case pending
    case done
    /// Not done, because a guard forbids it.
    case vetoed(String)
    /// The vendor refused it for good.
    case refused(String)
}

/// How far a sample has come. Source: VMRay, 3.1.
enum Stage: String, Sendable {
    case found, submitting, submitted, verdict, done
    /// Tried again in the next run.
    case failed
    /// Not tried again until a person asks for it.
    case parked
}

/// What became of a sample in a run. Source: VMRay, 8; `effects_failed` is ours.
enum SampleOutcome: String, Sendable {
    case malicious, suspicious, clean, none
    case downloadFailed = "download_failed"
    case integrityFailed = "integrity_failed"
    case tooLarge = "too_large"
    case submitFailed = "submit_failed"
    case analysisTimeout = "analysis_timeout"
    case noSampleAfterAnalysis = "no_sample_after_analysis"
    case quota
    /// VMRay could not be asked.
    case lookUpFailed = "look_up_failed"
    /// The verdict stands, but Falcon could not be told everything.
    case effectsFailed = "effects_failed"

    init(_ verdict: Verdict) {
        self =
            switch verdict {
            case .malicious: .malicious
            case .suspicious: .suspicious
            case .clean: .clean
            case .none: .none
            }
    }
}

/// All that must survive a restart about one sample.
struct SampleRecord: Sendable, Hashable {
    let sha256: String
    var stage = Stage.found
    var outcome: SampleOutcome?
    var attempts = 0
    var alerts: [AlertFact] = []
    var files: [QuarantineFact] = []
    /// Set before the request that submits is sent, and until it is answered.
    var submitStarted: Instant?
    var submissionID: Int64?
    var submittedAt: Instant?
    /// When a job of it was first seen in work.
    var runningSince: Instant?
    /// The submission, once it is finished, does not allow to call the file clean, whatever its look-up says.
    var isCleanInDoubt = false
    var findings: Findings?
    var effects: [EffectKey: EffectState] = [:]

    /// What VMRay said, as it is reported.
    struct Findings: Sendable, Hashable {
        var sampleID: Int64
        var verdict: Verdict
        /// The report for people.
        var link: String
        var classifications: [String] = []
        var threatNames: [String] = []
        /// `nil`: not read yet.
        var indicators: [TriageIndicator]?
        /// Hashes of the IOC lists, to look for other hosts with.
        var hashes: [String] = []
        /// Hosts besides those of alerts and files; `nil`: not looked for yet.
        var otherHosts: [String]?
    }

    init(sha256: String) { self.sha256 = sha256 }

    /// Hosts of its alerts and files, ascending.
    var hosts: [String] {
        Set(alerts.map(\.host) + files.map(\.host)).filter { !$0.isEmpty }.sorted()
    }

    /// Adds what a source shows of this sample. What was there before is brought up to date; what is new opens a record
    /// that was done.
    mutating func merge(alerts newAlerts: [AlertFact], files newFiles: [QuarantineFact]) {
        var isNew = false
        for alert in newAlerts {
            if let index = alerts.firstIndex(where: { $0.compositeID == alert.compositeID }) {
                alerts[index] = alert
            } else {
                alerts.append(alert)
                isNew = true
            }
        }
        for file in newFiles {
            if let index = files.firstIndex(where: { $0.id == file.id }) {
                files[index] = file
            } else {
                files.append(file)
                isNew = true
            }
        }
        guard isNew, stage == .done else { return }
        // The submission stays: the verdict is that of its analyses, failed ones included.
        stage = .found
        attempts = 0
        submittedAt = nil
        runningSince = nil
        findings?.otherHosts = nil
    }

    /// Opens it again for what a guard had forbidden, after a person has approved.
    mutating func approve() {
        let vetoed = effects.filter { if case .vetoed = $0.value { true } else { false } }
        guard !vetoed.isEmpty else { return }
        for key in vetoed.keys { effects[key] = nil }
        // One whose effects are still tried takes them up by itself, and one that is put aside when a person asks for it.
        if stage == .done { stage = .verdict }
    }

    /// How alerts stand now, by composite id.
    mutating func see(_ statuses: [String: String]) {
        alerts = alerts.map { alert in
            guard let status = statuses[alert.compositeID] else { return alert }
            return AlertFact(
                compositeID: alert.compositeID, product: alert.product, link: alert.link, status: status,
                host: alert.host)
        }
    }

    /// Takes up again what was parked, because a person asks for it: every deadline and count begins anew.
    mutating func retry() {
        guard stage == .parked else { return }
        attempts = 0
        submittedAt = nil
        runningSince = nil
        switch outcome {
        case .effectsFailed where findings != nil: stage = .verdict
        case .analysisTimeout where submissionID != nil: stage = .submitted
        // A submission may have arrived whose answer was lost.
        case .lookUpFailed where submitStarted != nil, .submitFailed where submitStarted != nil: stage = .submitting
        default: stage = .found
        }
    }
}
