// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import Synchronization
import Telemetry
import VMRay

/// What is worth telling: one method a thing, which writes the line and moves the counter, so that they can't drift.
final class TriageEvents: Sendable {
    private let log: Log
    private let flow: String
    private let samples: Family<Counter>
    private let effects: Family<Counter>
    private let skipped: Family<Counter>
    private let runs: Family<Counter>
    private let underWay: Family<Gauge>
    private let lastRun: Family<Gauge>
    private let breaker: Family<Gauge>
    private let hasToldOfReports = Atomic(false)

    init(log: Log, metrics: Metrics, flow: String) {
        self.log = log
        self.flow = flow
        samples = metrics.counter(
            "sallyport_triage_samples_total", "Samples by what became of them in a run", labels: ["flow", "outcome"])
        effects = metrics.counter(
            "sallyport_triage_effects_total", "Things done at Falcon, by how they ended",
            labels: ["flow", "effect", "outcome"])
        skipped = metrics.counter(
            "sallyport_triage_skipped_total", "Alerts and files without a usable hash", labels: ["flow", "source"])
        runs = metrics.counter(
            "sallyport_triage_runs_total", "Runs by how they ended", labels: ["flow", "result"])
        underWay = metrics.gauge("sallyport_triage_under_way", "Samples that are worked on now", labels: ["flow"])
        lastRun = metrics.gauge(
            "sallyport_triage_last_run_timestamp_seconds", "When the last run ended in which nothing failed",
            labels: ["flow"])
        breaker = metrics.gauge(
            "sallyport_triage_containment_stopped", "1 while the ceiling of containments waits for an approval",
            labels: ["flow"])
    }

    // MARK: Runs

    func began(version: String) { log.info("A run begins", .field("vmray.version", version)) }

    func cannotBegin(_ error: any Error, pause: Duration) {
        runs.with(flow, "not_begun").add()
        log.error("A run can't begin; it is tried again", .field("pause", pause), .cause(error))
    }

    func read(_ source: DataSource, new: Int, skipped count: Int) {
        if count > 0 {
            skipped.with(flow, source.rawValue.lowercased()).add(count)
            log.warning(
                "Entries without a SHA-256 are left out", .field("source", source.rawValue), .field("count", count))
        }
        log.info("A source was read", .field("source", source.rawValue), .field("new_samples", new))
    }

    func failedToRead(_ source: DataSource, _ error: any Error) {
        log.error(
            "A source could not be read; the next run reads it again", .field("source", source.rawValue), .cause(error))
    }

    func ended(_ summary: RunSummary, at now: Instant) {
        runs.with(flow, summary.isComplete ? "complete" : "incomplete").add()
        if summary.isComplete { lastRun.with(flow).set(now) }
        log.info(
            summary.isComplete ? "A run has ended" : "A run has ended incomplete", .field("samples", summary.text),
            .field("failed_sources", summary.failedSources.map(\.rawValue).joined(separator: ",")),
            .field("unfinished", summary.unfinished), .field("refused_effects", summary.refused),
            .field("vetoed_effects", summary.vetoed))
    }

    func approved(_ count: Int) { log.warning("Containment goes on: it was approved", .field("samples", count)) }
    func retried(_ count: Int) { log.info("Dead letters are tried again", .field("samples", count)) }
    func containment(isStopped: Bool) { breaker.with(flow).set(isStopped) }
    func remark(_ text: String) { log.warning("A setting is hardly meant so", .field("remark", text)) }

    // MARK: Samples

    func working(on count: Int) { underWay.with(flow).set(count) }

    func ended(_ sha256: String, _ outcome: SampleOutcome, attempts: Int) {
        samples.with(flow, outcome.rawValue).add()
        if outcome.isFailure {
            log.warning(
                "A sample was not brought to its end", .field("sha256", sha256), .field("outcome", outcome.rawValue),
                .field("attempts", attempts))
        } else {
            log.info("A sample is done", .field("sha256", sha256), .field("outcome", outcome.rawValue))
        }
    }

    func submitted(_ sha256: String, _ id: Int64) {
        log.info("A sample was submitted", .field("sha256", sha256), .field("submission", id))
    }

    func refusedSample(_ sha256: String, _ refusal: SampleRefusal) {
        log.warning(
            "A sample can't be submitted", .field("sha256", sha256), .field("outcome", refusal.outcome.rawValue),
            .field("reason", refusal.reason))
    }

    func failed(_ sha256: String, at step: String, _ error: any Error) {
        log.warning("A call failed", .field("sha256", sha256), .field("step", step), .cause(error))
    }

    func quotaSpent(_ error: any Error) { log.warning("Nothing more is submitted in this run", .cause(error)) }

    /// Once: every sample would say the same.
    func reportsAreLocked(_ error: VMRayError) {
        guard !hasToldOfReports.exchange(true, ordering: .relaxed) else { return }
        log.warning("The key may not read reports: indicators are made of the samples' own hashes alone", .cause(error))
    }

    // MARK: Effects

    func done(_ effect: Effect, _ sha256: String, trace: String?) {
        effects.with(flow, effect.name, "done").add(effect.keys.count)
        log.info(
            "Falcon was told", .field("sha256", sha256), .field("effect", effect.summary),
            .field("count", effect.keys.count), .field("trace", trace ?? ""))
    }

    func refused(_ effect: Effect, _ sha256: String, reason: String) {
        effects.with(flow, effect.name, "refused").add(effect.keys.count)
        log.warning(
            "Falcon refuses an effect; it is not tried again", .field("sha256", sha256),
            .field("effect", effect.summary), .field("reason", reason))
    }

    func vetoed(_ name: String, _ sha256: String, _ subject: String, reason: String) {
        effects.with(flow, name, "vetoed").add()
        log.warning(
            "A guard holds an effect back", .field("sha256", sha256), .field("effect", name),
            .field("subject", subject), .field("reason", reason))
    }

    func failed(_ effect: Effect, _ sha256: String, _ error: any Error) {
        effects.with(flow, effect.name, "failed").add(effect.keys.count)
        log.error(
            "Falcon could not be told; the next run looks whether it was, and tries again", .field("sha256", sha256),
            .field("effect", effect.summary), .cause(error))
    }

    /// In a dry run.
    func would(_ action: String, _ sha256: String, _ detail: String) {
        log.info(
            "Would be done", .field("action", action), .field("sha256", sha256), .field("detail", detail))
    }
}

/// What became of the samples of one run.
struct RunSummary: Sendable {
    var outcomes: [SampleOutcome: Int] = [:]
    var failedSources: [DataSource] = []
    /// Left where they stood, because the run was over or was stopped.
    var unfinished = 0
    /// Effects that Falcon refused for good.
    var refused = 0
    /// Effects that a guard held back, as it should.
    var vetoed = 0

    var isComplete: Bool {
        failedSources.isEmpty && refused == 0 && !outcomes.keys.contains(where: \.isFailure)
    }
    var hasSpentQuota: Bool { outcomes[.quota] != nil }

    /// What failed, for a person.
    var failure: String {
        var parts = [text]
        if !failedSources.isEmpty { parts.append("unread: " + failedSources.map(\.rawValue).joined(separator: ", ")) }
        if refused > 0 { parts.append("effects refused: \(refused)") }
        return parts.filter { !$0.isEmpty }.joined(separator: "; ")
    }

    /// `malicious=2 none=1`
    var text: String {
        outcomes.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue)=\($0.value)" }
            .joined(separator: " ")
    }
}

extension SampleOutcome {
    var isFailure: Bool {
        switch self {
        case .malicious, .suspicious, .clean, .none: false
        default: true
        }
    }
}
