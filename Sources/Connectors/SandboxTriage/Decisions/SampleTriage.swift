// SPDX-License-Identifier: Apache-2.0

import Base
import VMRay

/// One sample's way from found to done: says what to do next, and takes in what came of it.
///
/// Nothing in here waits or calls anybody. Whoever carries it out stores ``record`` whenever it has changed, before the next
/// action is begun: everything needed after a crash stands there, and a new value made from it goes on at the same place.
/// Source: VMRay, 3.1.
struct SampleTriage {
    enum Action: Hashable {
        /// `GET /rest/sample/sha256/…`
        case lookUp
        /// `GET /rest/submission/sample/…`
        case listSubmissions(sample: Int64)
        /// Fetch the archive from Falcon and check that it holds the sample.
        case download
        /// The content is that of the download before; it is not fetched again.
        case submit(reanalyze: Bool)
        case poll(submission: Int64)
        case listJobs(submission: Int64)
        case wait(Duration)
        /// The sample by hash, all analyses of the submission, the IOC lists of the sample.
        case readResult(submission: Int64?)
        /// Which of them exist already, whoever made them.
        case findExisting([TriageIndicator])
        /// Which of the keys of an effect that may have been sent have taken effect.
        case check(Effect)
        /// Which hosts a guard forbids.
        case permit(hosts: [String])
        /// Which files a guard keeps in quarantine.
        case permitRelease(files: [QuarantineFact])
        case apply(Effect)
        case findHosts(hashes: [String])
        case end(SampleOutcome)
    }

    private enum Step: Hashable {
        case lookUp, download
        case wait(Duration)
        case poll, jobs, result, effects
        case list(VMRaySample)
        case submit(reanalyze: Bool)
        case ended(SampleOutcome)
    }

    private(set) var record: SampleRecord
    let policy: TriagePolicy
    private var step: Step
    private var isResubmission = false
    /// When a submission whose answer was lost was begun, by VMRay's clock. Never stored: it would be moved again.
    private var earliestSubmission: Instant?
    private var hasReanalyzed = false
    /// The answer to a submission of this run was lost once.
    private var hasLostAnswer = false
    private var pollInterval: Duration = .seconds(1)
    /// The effect that is being checked, permitted or applied.
    private var existing: Set<TriageIndicator> = []
    private var areIndicatorsCompared = false
    private var permitted: Set<String> = []
    private var hasTrouble = false
    /// Sent again without having been able to check: only once.
    private let pendingAtStart: Set<EffectKey>
    private var checked: Set<EffectKey> = []
    /// Of effects that could not be carried out in this run.
    private var skipped: Set<EffectKey> = []
    private var lookForOutcome: SampleOutcome?

    static let longestPollInterval: Duration = .seconds(60)

    init(_ record: SampleRecord, policy: TriagePolicy) {
        self.record = record
        self.policy = policy
        pendingAtStart = Set(record.effects.filter { $0.value == .pending }.keys)
        step =
            switch record.stage {
            case .found, .failed, .submitting: .lookUp
            case .submitted: .poll
            case .verdict: record.findings?.indicators == nil ? .result : .effects
            case .done: .ended(SampleOutcome(record.findings?.verdict ?? .none))
            case .parked: .ended(record.outcome ?? .none)
            }
    }

    // MARK: What to do

    /// The next action; the same until its answer was taken in.
    func next() -> Action {
        switch step {
        case .lookUp: .lookUp
        case .list(let sample): .listSubmissions(sample: sample.id)
        case .download: .download
        case .submit(let reanalyze): .submit(reanalyze: reanalyze)
        case .poll: .poll(submission: record.submissionID ?? 0)
        case .jobs: .listJobs(submission: record.submissionID ?? 0)
        case .wait(let duration): .wait(duration)
        case .result: .readResult(submission: record.submissionID)
        case .effects: nextEffect()
        case .ended(let outcome): lastEffect() ?? .end(outcome)
        }
    }

    /// The outcome, once the way has ended.
    var outcome: SampleOutcome? { if case .end(let outcome) = next() { outcome } else { nil } }

    // MARK: VMRay answers

    /// - Parameter date: the server's clock, to compare times of submissions with ours.
    mutating func found(_ samples: [VMRaySample], date: Instant?, at now: Instant) {
        guard step == .lookUp else { return }
        guard let sample = VerdictRule.sample(samples, asked: record.sha256) else {
            if lookForOutcome != nil { return fail(.submitFailed) }
            step = .download
            return
        }
        if record.stage == .submitting, let started = record.submitStarted {
            let shift = date.map { now.duration(to: $0) } ?? .seconds(-300)
            // Both times are told to the second.
            earliestSubmission = started.advanced(by: shift - .seconds(1))
            let isUsable = Self.hasVerdict(sample) && policy.resubmittedVerdicts == nil
            step = isUsable ? .result : .list(sample)
            return
        }
        guard sample.sha256 == record.sha256 else {
            step = .result
            return
        }
        guard Self.hasVerdict(sample), lookForOutcome == nil else {
            step = lookForOutcome == nil ? .list(sample) : .result
            return
        }
        let verdict = Verdict(rawValue: sample.verdict ?? "") ?? .none
        isResubmission = policy.resubmittedVerdicts?.contains(verdict) == true
        step = isResubmission ? .download : .result
    }

    /// Submissions of a sample without a verdict, or after a submission whose answer was lost.
    mutating func found(submissions: [VMRaySubmission], at now: Instant) {
        guard case .list(let sample) = step else { return }
        let byAge = submissions.sorted { ($0.created?.milliseconds ?? 0) < ($1.created?.milliseconds ?? 0) }
        if record.stage == .submitting, let earliest = earliestSubmission {
            if let ours = byAge.last(where: { $0.created.map { $0 >= earliest } ?? false }) {
                return adopt(ours, at: now)
            }
        }
        if !Self.hasVerdict(sample), let running = byAge.last(where: { !$0.isFinished }) {
            return adopt(running, at: now)
        }
        guard record.stage == .submitting else {
            step = .result
            return
        }
        isResubmission = Self.hasVerdict(sample)
        step = .download
    }

    private mutating func adopt(_ submission: VMRaySubmission, at now: Instant) {
        record.stage = .submitted
        record.submissionID = submission.id
        record.submitStarted = nil
        record.submittedAt = now
        record.runningSince = nil
        step = .poll
    }

    private static func hasVerdict(_ sample: VMRaySample) -> Bool {
        sample.verdict.flatMap { Verdict(rawValue: $0) }.map { $0 != .none } ?? false
    }

    // MARK: Download and submission

    /// The archive holds the sample: stores that a submission is about to be sent.
    mutating func downloaded(at now: Instant) {
        guard step == .download else { return }
        record.stage = .submitting
        record.submitStarted = now
        step = .submit(reanalyze: false)
    }

    /// - Parameter outcome: `downloadFailed`, `integrityFailed` or `tooLarge`.
    mutating func failedDownload(_ outcome: SampleOutcome) {
        guard step == .download else { return }
        fail(outcome)
    }

    mutating func submitted(_ outcome: SubmissionOutcome, at now: Instant) {
        guard case .submit = step else { return }
        // Answered: nothing is on its way that nobody knows of. A second one is begun at once.
        let started = record.submitStarted
        record.submitStarted = nil
        switch outcome {
        case .accepted(let submission), .noJobs(let submission?, _): adopt(submission, at: now)
        case .noJobs(nil, .some):
            record.submissionID = nil
            step = .result
        case .noJobs(nil, nil):
            if isResubmission, !hasReanalyzed {
                hasReanalyzed = true
                record.submitStarted = started
                step = .submit(reanalyze: true)
            } else {
                lookForOutcome = .submitFailed
                record.stage = .found
                step = .lookUp
            }
        case .rejected: fail(.submitFailed)
        }
    }

    /// Nobody knows whether the submission arrived: VMRay is asked before it is sent again, and then only once.
    mutating func lostSubmission() {
        guard case .submit = step else { return }
        // It may have arrived all the same: the next run looks for it first.
        guard !hasLostAnswer else { return fail(.submitFailed, stage: .submitting) }
        hasLostAnswer = true
        step = .lookUp
    }

    /// The quota is spent, here or for an earlier sample of the run: nothing is counted against this one.
    mutating func spentQuota() {
        switch step {
        case .download, .submit: break
        default: return
        }
        record.stage = .found
        record.submitStarted = nil
        record.outcome = .quota
        step = .ended(.quota)
    }

    /// VMRay gives no usable answer to what is asked now.
    mutating func refused() {
        switch step {
        // Whether a submission has arrived is then still to be found out.
        case .lookUp, .list: fail(.lookUpFailed, stage: record.stage == .submitting ? .submitting : .failed)
        case .submit: fail(.submitFailed)
        case .result: fail(.noSampleAfterAnalysis)
        default: return
        }
    }

    // MARK: Waiting

    /// - Parameter submission: `nil` when VMRay could not be asked now.
    mutating func polled(_ submission: VMRaySubmission?, at now: Instant) {
        guard step == .poll else { return }
        guard let submission, submission.isFinished else {
            step = record.runningSince == nil && submission != nil ? .jobs : pause(at: now)
            return
        }
        record.isCleanInDoubt = VerdictRule.isCleanInDoubt(submission, asked: record.sha256)
        step = .result
    }

    /// VMRay does not know the submission any more: the next run begins anew.
    mutating func lostSubmissionAtVendor() {
        guard step == .poll || step == .jobs else { return }
        record.submissionID = nil
        fail(.noSampleAfterAnalysis)
    }

    /// - Parameter isRunning: a job is in work; `false` also when VMRay could not be asked now.
    mutating func sawJobs(isRunning: Bool, at now: Instant) {
        guard step == .jobs else { return }
        if isRunning, record.runningSince == nil { record.runningSince = now }
        step = pause(at: now)
    }

    mutating func waited() {
        guard case .wait = step else { return }
        step = .poll
    }

    private mutating func pause(at now: Instant) -> Step {
        let end =
            record.runningSince.map { $0.advanced(by: policy.analysisTimeout) }
            ?? (record.submittedAt ?? now).advanced(by: policy.queueTimeout)
        if record.submittedAt == nil { record.submittedAt = now }
        let left = now.duration(to: end)
        guard left > .zero else {
            countFailure(.analysisTimeout, stage: .submitted)
            return .ended(.analysisTimeout)
        }
        // Slowly: what waits behind others is seen soon after its end, by a quarter of the time that it took.
        defer { pollInterval = min(pollInterval * 5 / 4, Self.longestPollInterval) }
        return .wait(min(pollInterval, left))
    }

    // MARK: Result

    /// - Parameters:
    ///   - analyses: of the submission, all of them; empty for a sample that was known.
    ///   - iocs: of all selected verdicts; `nil` where the key may not read them.
    mutating func read(_ samples: [VMRaySample], analyses: [VMRayAnalysis], iocs: VMRayIOCs?) {
        guard step == .result else { return }
        guard let sample = VerdictRule.sample(samples, asked: record.sha256) else {
            return fail(.noSampleAfterAnalysis)
        }
        let hasFailures = record.isCleanInDoubt || analyses.contains { VerdictRule.isCleanInDoubt($0) }
        let fresh = VerdictRule.verdict(of: sample, asked: record.sha256, hasFailures: hasFailures)
        // A verdict that is stored stands: effects may have gone out by it.
        let verdict = record.stage == .verdict ? record.findings?.verdict ?? fresh : fresh
        let iocs = iocs ?? VMRayIOCs()
        var findings = SampleRecord.Findings(
            sampleID: sample.id, verdict: verdict, link: sample.webURL,
            classifications: VerdictRule.words(
                sample.classifications, iocs, policy.selectedVerdicts, \.classifications),
            threatNames: VerdictRule.words(sample.threatNames, iocs, policy.selectedVerdicts, \.threatNames))
        findings.hashes = IndicatorRule.hashes(iocs, policy.selectedVerdicts)
        findings.indicators =
            verdict == .malicious ? IndicatorRule.indicators(of: record.sha256, iocs, policy) : []
        findings.otherHosts = record.stage == .verdict ? record.findings?.otherHosts : nil
        record.findings = findings
        record.stage = .verdict
        record.outcome = nil
        step = .effects
    }

    // MARK: Failures

    private mutating func fail(_ outcome: SampleOutcome, stage: Stage = .failed) {
        countFailure(outcome, stage: stage)
        step = .ended(outcome)
    }

    private mutating func countFailure(_ outcome: SampleOutcome, stage: Stage) {
        record.attempts += 1
        record.outcome = outcome
        let isLast = outcome == .tooLarge || record.attempts >= TriagePolicy.maxAttempts
        record.stage = isLast ? .parked : stage
    }
}

// MARK: - Effects

extension SampleTriage {
    private func nextEffect() -> Action {
        guard let rule = EffectRule(record, policy) else { return .end(.none) }
        if let action = rule.first.lazy.compactMap({ self.action(for: $0) }).first { return action }
        if record.findings?.otherHosts == nil, let hashes = rule.hashesToLookFor { return .findHosts(hashes: hashes) }
        if let action = rule.second.lazy.compactMap({ self.action(for: $0) }).first { return action }
        return .end(hasTrouble ? .effectsFailed : SampleOutcome(rule.findings.verdict))
    }

    /// A case for a failure, before the end.
    private func lastEffect() -> Action? {
        guard let outcome = record.outcome, record.stage == .failed || record.stage == .parked else { return nil }
        return EffectRule.failure(outcome, record, policy).flatMap { action(for: $0) }
    }

    /// What is left of an effect; `nil` when nothing is.
    private func action(for effect: Effect) -> Action? {
        let open = effect.part { key in
            guard !skipped.contains(key) else { return false }
            return switch record.effects[key] {
            case nil, .pending?: true
            default: false
            }
        }
        guard let open else { return nil }
        if case .createIndicators(let indicators, _) = open, !areIndicatorsCompared { return .findExisting(indicators) }
        let unsure = open.part { pendingAtStart.contains($0) && !checked.contains($0) }
        if let unsure, !unsure.isRepeatable { return .check(unsure) }
        if case .contain(let hosts, _) = open {
            let asked = hosts.filter { !permitted.contains($0) }
            if !asked.isEmpty { return .permit(hosts: asked) }
        }
        if case .quarantineUpdate(let ids, "release", _) = open {
            let asked = record.files.filter { ids.contains($0.id) && !permitted.contains($0.id) }
            if !asked.isEmpty { return .permitRelease(files: asked) }
        }
        return .apply(open)
    }

    mutating func found(existing: [TriageIndicator]) {
        areIndicatorsCompared = true
        for indicator in existing { record.effects[indicator.key] = .done }
    }

    /// - Parameter applied: those of the effect's keys that have taken effect, as far as the vendor shows.
    mutating func checked(_ effect: Effect, applied: Set<EffectKey>) {
        for key in effect.keys {
            checked.insert(key)
            if applied.contains(key) { record.effects[key] = .done }
        }
    }

    /// - Parameter vetoes: the reason by host, for those that may not be contained.
    mutating func permitted(_ hosts: [String], vetoes: [String: String]) {
        permitted.formUnion(hosts)
        for (host, reason) in vetoes { record.effects[EffectKey("contain:\(host)")] = .vetoed(reason) }
    }

    /// How alerts stand now: what an analyst has closed meanwhile is not opened again.
    mutating func saw(statuses: [String: String]) { record.see(statuses) }

    /// - Parameter vetoes: the reason by file, for those that may not be released.
    mutating func permitted(files: [QuarantineFact], vetoes: [String: String]) {
        permitted.formUnion(files.map(\.id))
        for (file, reason) in vetoes { record.effects[EffectKey("quarantine:\(file)")] = .vetoed(reason) }
    }

    /// A guard forbids an indicator.
    mutating func vetoed(_ indicator: TriageIndicator, reason: String) {
        record.effects[indicator.key] = .vetoed(reason)
    }

    /// Before an effect is sent: the record that is stored then says so.
    mutating func willApply(_ effect: Effect) { for key in effect.keys { record.effects[key] = .pending } }

    mutating func applied(_ effect: Effect) { for key in effect.keys { record.effects[key] = .done } }

    /// The vendor refuses it for good: said in the summary, not tried again.
    mutating func refused(_ effect: Effect, reason: String) {
        for key in effect.keys { record.effects[key] = .refused(reason) }
    }

    /// It could not be carried out now; what was pending stays so, and the next run checks it first.
    mutating func failed(_ effect: Effect) {
        hasTrouble = true
        skipped.formUnion(effect.keys)
    }

    /// - Parameter hosts: agent ids of all hosts that ran one of the hashes.
    mutating func found(hosts: [String]) {
        let others = Set(hosts).subtracting(record.hosts).sorted()
        record.findings?.otherHosts = others
    }

    /// Other hosts could not be looked for now.
    mutating func failedToFindHosts() {
        hasTrouble = true
        record.findings?.otherHosts = []
    }

    /// Ends the way after ``Action/end(_:)``; the record is then stored for the last time.
    mutating func finish() {
        guard case .end(let outcome) = next() else { return }
        switch step {
        case .effects where hasTrouble:
            countFailure(.effectsFailed, stage: .verdict)
            // Looked for again when the rest is.
            record.findings?.otherHosts = nil
        case .effects:
            record.stage = .done
            record.outcome = outcome
        default: break
        }
        step = .ended(outcome)
    }
}

extension Effect {
    /// Doing it twice is the same as once, but for a comment.
    fileprivate var isRepeatable: Bool {
        switch self {
        case .quarantineUpdate(_, let action, _): action == "unrelease"
        // Compared with what exists before it is sent.
        case .createIndicators: true
        default: false
        }
    }
}
