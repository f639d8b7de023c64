// SPDX-License-Identifier: Apache-2.0

import Base
public import Engine
import Falcon
public import Settings
import Storage
import Telemetry
import VMRay

extension SandboxTriageConnector {
    /// Reads both sources and says what would be done with each sample. Where a sample must be analysed first, it ends
    /// with that. The state is the command's scratch copy.
    public func plan(
        _ report: @escaping @Sendable (PlannedChange) -> Void, until stop: StopSignal
    ) async throws -> Accounting {
        var parts = try await parts(context.store, events(.silent))
        parts.rehearse = report
        _ = try await triageRun(parts).go(end: nil, until: stop)
        return Accounting()
    }

    /// What became of one sample.
    public struct Report: Sendable {
        public let sha256: String
        /// Of the closed set in the reference: `malicious`, `download_failed`, …
        public let outcome: String
        /// A sentence.
        public let explanation: String
        /// The report for people; empty without one.
        public let link: String
        /// Each thing done at Falcon and how it stands: `done`, `pending`, or why not.
        public let effects: [(subject: String, state: String)]
        public let isFailure: Bool
    }

    /// Brings one sample to its end, with all alerts and quarantined files that name it, and waits for that.
    ///
    /// - Parameters:
    ///   - planned: set for a rehearsal, which changes nothing; the state is then a scratch one.
    ///   - progress: what happens next, a step and a detail.
    /// - Returns: `nil` when it was stopped, or rehearsed to where it would be submitted.
    public func triage(
        _ sha256: String, planned: (@Sendable (PlannedChange) -> Void)? = nil, until stop: StopSignal,
        progress: @escaping @Sendable (_ step: String, _ detail: String) -> Void
    ) async throws -> Report? {
        var parts = try await parts(context.store, events(.silent))
        parts.rehearse = planned
        parts.progress = progress
        try await parts.falcon.authenticate()
        _ = try await parts.vmray.systemVersion()
        let ended = try await triageRun(parts).bring(sha256, parts, RunState(end: nil, stop: stop))
        guard let (record, outcome) = ended else { return nil }
        return Report(record, outcome)
    }

    /// Whether the settings allow nothing but a rehearsal.
    public static func isDryRun(_ settings: ResolvedSettings) -> Bool { settings[TriageSettings.isDryRun] }

    /// Whether a text is a SHA-256 in lower case.
    public static func canTriage(_ text: String) -> Bool { IndicatorRule.isSHA256(text) }
}

extension SandboxTriageConnector.Report {
    init(_ record: SampleRecord, _ outcome: SampleOutcome) {
        sha256 = record.sha256
        self.outcome = outcome.rawValue
        explanation = outcome.explanation
        link = record.findings?.link ?? ""
        isFailure = outcome.isFailure
        effects = record.effects.sorted { $0.key.text < $1.key.text }.map { key, state in
            let text =
                switch state {
                case .done: "done"
                case .pending: "pending"
                case .vetoed(let reason): "vetoed: \(reason)"
                case .refused(let reason): "refused: \(reason)"
                }
            return (subject: key.text, state: text)
        }
    }
}
