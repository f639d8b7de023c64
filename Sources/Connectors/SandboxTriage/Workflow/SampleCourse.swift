// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import Storage
import Synchronization
import VMRay

/// What all samples of a connector share.
struct TriageParts: Sendable {
    let policy: TriagePolicy
    let options: SubmissionOptions
    let falcon: FalconClient
    let detections: FileDetections
    let vmray: VMRayClient
    let depot: any SampleDepot
    let book: SampleBook
    let containment: ContainmentDesk
    let guards: GuardPolicy
    let events: TriageEvents
    let limits: StepLimits
    let time: any TimeSource
    /// Set for a rehearsal: what would be done is told there, and nothing is changed but the book, which is a scratch one.
    var rehearse: (@Sendable (PlannedChange) -> Void)?
    /// Follows a single sample, for a terminal.
    var progress: (@Sendable (_ step: String, _ detail: String) async throws -> Void)?
    /// Where people ask a service for single samples; `nil` where nobody can.
    var requests: RequestDesk?
}

/// What the samples of one run share.
final class RunState: Sendable {
    let isQuotaSpent = Atomic(false)
    /// Effects that Falcon refused, and that a guard held back.
    let refused = Atomic(0)
    let vetoed = Atomic(0)
    /// On the scale of uptime: samples that only wait are then left to the next run. `nil`: there is none.
    let end: Duration?
    let stop: StopSignal

    init(end: Duration?, stop: StopSignal) {
        self.end = end
        self.stop = stop
    }
}

/// Brings one sample as far as it gets in a run: carries out what ``SampleTriage`` says, and stores each step before the
/// next one is begun.
struct SampleCourse {
    let parts: TriageParts
    let run: RunState
    var triage: SampleTriage
    private var stored: SampleRecord
    var notes: [HistoryNote] = []
    private var content: SubmissionFile?
    private var isTransferring = false
    /// Nothing more can be known without doing something.
    private var isRehearsed = false
    /// Of the effect at hand.
    var tries = 0
    /// Smaller after a refusal, to find the part that is refused.
    var largestPart = Int.max
    /// After a failure Falcon is left alone for so long, with the place given to others.
    var pause: Duration?
    /// Sent, with no answer: looked for before it is sent again.
    var unsure: Effect?
    /// The alerts' statuses have been read again in this run.
    var knowsStatuses = false

    init(_ record: SampleRecord, _ parts: TriageParts, _ run: RunState) {
        self.parts = parts
        self.run = run
        triage = SampleTriage(record, policy: parts.policy)
        stored = record
    }

    var sha256: String { triage.record.sha256 }

    /// - Returns: the outcome; `nil` when it was left where it stands.
    /// - Throws: ``StorageError``, which ends the run; `CancellationError`.
    mutating func go() async throws -> SampleOutcome? {
        let result: Result<SampleOutcome?, any Error>
        do { result = .success(try await walk()) } catch { result = .failure(error) }
        endTransfer()
        return try result.get()
    }

    private mutating func walk() async throws -> SampleOutcome? {
        while true {
            try await keep()
            let action = triage.next()
            if case .end(let outcome) = action {
                try await finish(outcome)
                try await parts.progress?("end", outcome.rawValue)
                return outcome
            }
            if case .submit = action {} else { endTransfer() }
            if run.stop.isRaised || isOver(action) {
                try await parts.book.write(triage.record, isOver: false)
                return nil
            }
            try Task.checkCancellation()
            try await tell(action)
            try await carryOut(action)
            if isRehearsed { return nil }
        }
    }

    private func isOver(_ action: SampleTriage.Action) -> Bool {
        guard case .wait = action, let end = run.end else { return false }
        return parts.time.uptime >= end
    }

    /// Stores what has changed, with its history.
    mutating func keep() async throws(StorageError) {
        guard triage.record != stored || !notes.isEmpty else { return }
        try await store(isOver: false)
    }

    /// With a dead letter, in one transaction, when it is put aside.
    private mutating func store(isOver: Bool) async throws(StorageError) {
        if triage.record.stage != stored.stage, let note = stageNote { notes.append(note) }
        let isParked = triage.record.stage == .parked && stored.stage != .parked
        let letter = isParked ? parts.book.letter(triage.record) : nil
        try await parts.book.write(triage.record, notes, letter: letter, isOver: isOver)
        stored = triage.record
        notes = []
    }

    private mutating func finish(_ outcome: SampleOutcome) async throws(StorageError) {
        triage.finish()
        parts.events.ended(sha256, outcome, attempts: triage.record.attempts)
        // Also when nothing has changed: the next run takes it up behind the others.
        try await store(isOver: true)
    }

    private var stageNote: HistoryNote? {
        switch triage.record.stage {
        case .submitting: HistoryNote("submitting", "the sample is sent to VMRay")
        case .submitted: HistoryNote("submitted", "submission \(triage.record.submissionID ?? 0)")
        case .verdict:
            triage.record.findings.map { HistoryNote("verdict", "\($0.verdict.rawValue): \($0.link)") }
        case .done: HistoryNote("done", triage.record.outcome?.rawValue ?? "")
        case .failed: HistoryNote("failed", triage.record.outcome?.explanation ?? "")
        case .parked: HistoryNote("parked", triage.record.outcome?.explanation ?? "")
        default: nil
        }
    }

    // MARK: Steps

    private mutating func carryOut(_ action: SampleTriage.Action) async throws {
        switch action {
        case .lookUp, .listSubmissions, .readResult:
            try await within(parts.limits.ask) { try await $0.ask(action) }
        case .poll, .listJobs: try await within(parts.limits.poll) { try await $0.look(action) }
        case .download: try await download()
        case .submit(let reanalyze): try await submit(reanalyze: reanalyze)
        case .wait(let pause):
            guard parts.rehearse == nil else {
                return try await plan("wait", "submission \(triage.record.submissionID ?? 0)")
            }
            await run.stop.wait(atMost: pause, on: parts.time)
            try Task.checkCancellation()
            if !run.stop.isRaised { triage.waited() }
        case .findExisting, .check, .permit, .permitRelease, .apply, .findHosts:
            try await within(parts.limits.report) { try await $0.report(action) }
            guard let pause else { return }
            self.pause = nil
            await run.stop.wait(atMost: pause, on: parts.time)
        case .end: return
        }
    }

    private mutating func within(
        _ limit: Slots, _ work: (inout SampleCourse) async throws -> Void
    ) async throws {
        try await limit.enter()
        let result: Result<Void, any Error>
        do { result = .success(try await work(&self)) } catch { result = .failure(error) }
        limit.leave()
        try result.get()
    }

    private mutating func ask(_ action: SampleTriage.Action) async throws {
        do throws(VMRayError) {
            switch action {
            case .lookUp:
                let found = try await parts.vmray.samples(sha256: sha256)
                triage.found(found.samples, date: found.date, at: parts.time.now)
            case .listSubmissions(let sample):
                triage.found(submissions: try await parts.vmray.submissions(ofSample: sample), at: parts.time.now)
            case .readResult(let submission): try await readResult(submission)
            default: return
            }
        } catch {
            if case .cancelled = error { throw CancellationError() }
            parts.events.failed(sha256, at: "vmray", error)
            triage.refused()
        }
    }

    private mutating func readResult(_ submission: Int64?) async throws(VMRayError) {
        let found = try await parts.vmray.samples(sha256: sha256)
        var analyses: [VMRayAnalysis] = []
        if let submission { analyses = try await parts.vmray.analyses(ofSubmission: submission) }
        var iocs: VMRayIOCs?
        if let sample = VerdictRule.sample(found.samples, asked: sha256) {
            for verdict in parts.policy.selectedVerdicts.sorted(by: { $0.rawValue < $1.rawValue }) {
                guard let more = try await readIOCs(sample.id, verdict) else { continue }
                iocs = (iocs ?? VMRayIOCs()) + more
            }
        }
        triage.read(found.samples, analyses: analyses, iocs: iocs)
    }

    /// `nil` where the key may not read them, or there are none.
    private func readIOCs(_ sample: Int64, _ verdict: Verdict) async throws(VMRayError) -> VMRayIOCs? {
        do throws(VMRayError) {
            return try await parts.vmray.iocs(of: sample, verdict: verdict.rawValue)
        } catch {
            switch error {
            case .forbidden: parts.events.reportsAreLocked(error)
            case .notFound: break
            default: throw error
            }
            return nil
        }
    }

    private mutating func look(_ action: SampleTriage.Action) async throws {
        do throws(VMRayError) {
            switch action {
            case .poll(let id): triage.polled(try await parts.vmray.submission(id), at: parts.time.now)
            case .listJobs(let id):
                let jobs = try await parts.vmray.jobs(ofSubmission: id)
                triage.sawJobs(isRunning: jobs.contains(where: \.isRunning), at: parts.time.now)
            default: return
            }
        } catch {
            if case .cancelled = error { throw CancellationError() }
            if case .notFound = error { return triage.lostSubmissionAtVendor() }
            parts.events.failed(sha256, at: "vmray", error)
            if case .poll = action {
                triage.polled(nil, at: parts.time.now)
            } else {
                triage.sawJobs(isRunning: false, at: parts.time.now)
            }
        }
    }

    // MARK: The sample itself

    private mutating func download() async throws {
        if parts.rehearse != nil { return try await plan("submit", "downloaded from Falcon, analysed by VMRay") }
        if run.isQuotaSpent.load(ordering: .relaxed) { return triage.spentQuota() }
        if !isTransferring {
            try await parts.limits.transfer.enter()
            isTransferring = true
        }
        // Others may have spent it meanwhile.
        if run.isQuotaSpent.load(ordering: .relaxed) { return triage.spentQuota() }
        do {
            content = try await parts.depot.fetch(sha256)
            triage.downloaded(at: parts.time.now)
        } catch let refusal as SampleRefusal {
            parts.events.refusedSample(sha256, refusal)
            notes.append(HistoryNote("refused", refusal.reason))
            triage.failedDownload(refusal.outcome)
        }
    }

    private mutating func submit(reanalyze: Bool) async throws {
        guard let content else { return triage.refused() }
        var options = parts.options
        if reanalyze { options.reanalyze = true }
        do throws(VMRayError) {
            let outcome = try await parts.vmray.submit(content, options)
            if case .accepted(let submission) = outcome { parts.events.submitted(sha256, submission.id) }
            if case .rejected(let reasons) = outcome {
                notes.append(HistoryNote("refused", "VMRay: " + reasons.joined(separator: "; ")))
            }
            triage.submitted(outcome, at: parts.time.now)
        } catch {
            if case .cancelled = error { throw CancellationError() }
            parts.events.failed(sha256, at: "submit", error)
            switch error {
            case .quota, .rateLimited:
                if !run.isQuotaSpent.exchange(true, ordering: .relaxed) { parts.events.quotaSpent(error) }
                triage.spentQuota()
            case .unavailable, .unreachable, .malformed: triage.lostSubmission()
            default: triage.refused()
            }
        }
    }

    private mutating func endTransfer() {
        content = nil
        if isTransferring { parts.limits.transfer.leave() }
        isTransferring = false
    }

    // MARK: Rehearsal

    /// Ends a rehearsed sample where nothing more can be known; it is not told of again.
    private mutating func plan(_ action: String, _ detail: String) async throws(StorageError) {
        parts.rehearse?(PlannedChange(action: action, subject: sha256, detail: [("what", detail)], reason: ""))
        var record = triage.record
        record.stage = .parked
        try await parts.book.write(record, isOver: true)
        isRehearsed = true
    }
}
