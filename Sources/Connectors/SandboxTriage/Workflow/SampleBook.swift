// SPDX-License-Identifier: Apache-2.0

import Base
import Hashing
import JSON
import Storage

/// What is durable of a connector: a job for each sample, the watermarks of both sources, history, dead letters.
struct SampleBook: Sendable {
    /// How long a sample that is done stays known, so that what comes late of it repeats nothing.
    static let retention: Duration = .seconds(90 * 86_400)

    let store: any StateStore
    let flow: Int64
    private let target: Int64
    private let fencingToken: Int64
    private let runner: String
    private let time: any TimeSource
    private static let hasher = SharedKeyHasher()
    /// The step of a job that nothing is left to do for.
    private static let over = "over"

    init(
        _ store: any StateStore, flow: String, target: String, fencingToken: Int64, time: any TimeSource
    ) async throws(StorageError) {
        self.store = store
        self.flow = try await store.number(of: flow, in: .flow)
        self.target = try await store.number(of: target, in: .target)
        self.fencingToken = fencingToken
        self.time = time
        runner = Self.runner(self.flow)
    }

    /// Whose jobs the samples of a flow are.
    static func runner(_ flow: Int64) -> String { "triage/\(flow)" }

    /// How history and dead letters name a hash, an indicator's value, a host, an alert or a file.
    static func digest(_ text: String) -> Digest128 { hasher.digest(text) }

    // MARK: Records

    /// Samples that are still to be worked on and were last touched before `moment`; the one that waits longest first.
    func open(before moment: Instant, limit: Int) async throws(StorageError) -> [SampleRecord] {
        var records: [SampleRecord] = []
        for job in try await store.dueJobs(runner: runner, at: moment, limit: limit) {
            guard let record = SampleRecord(stored: job.payload), job.step != Self.over else {
                // It is done, or put aside, and its time is up.
                try await store.deleteJob(runner: runner, id: job.id, history: [])
                continue
            }
            records.append(record)
        }
        return records
    }

    func record(_ sha256: String) async throws(StorageError) -> SampleRecord? {
        try await store.job(runner: runner, id: sha256).flatMap { SampleRecord(stored: $0.payload) }
    }

    /// Stores a record that is there already, with what has happened to it.
    ///
    /// - Parameter isOver: its run has ended; where it is done or put aside then, nothing is left to do.
    func write(
        _ record: SampleRecord, _ notes: [HistoryNote] = [], letter: DeadLetter? = nil, isOver: Bool
    ) async throws(StorageError) {
        var commit = emptyCommit
        commit.updatedJobs = [job(record, isOver: isOver)]
        commit.history = notes.map { history($0, of: record.sha256) }
        commit.deadLetters = letter.map { [$0] } ?? []
        try await store.commit(commit)
    }

    /// Adds what a source shows, in one transaction with its watermark.
    ///
    /// - Returns: how many samples are new.
    func add(
        alerts: [String: [AlertFact]], files: [String: [QuarantineFact]], watermark: (name: String, at: Instant)? = nil
    ) async throws(StorageError) -> Int {
        var commit = emptyCommit
        for sha256 in Set(alerts.keys).union(files.keys).sorted() {
            let known = try await record(sha256)
            var record = known ?? SampleRecord(sha256: sha256)
            record.merge(alerts: alerts[sha256] ?? [], files: files[sha256] ?? [])
            guard record != known else { continue }
            let isNewWork = known.map { $0.stage != record.stage } ?? true
            // What is done or put aside stays so, unless the new facts have opened it.
            let job = job(record, isOver: true)
            if known == nil { commit.jobs.append(job) } else { commit.updatedJobs.append(job) }
            guard isNewWork else { continue }
            let text = "\(record.alerts.count) alerts, \(record.files.count) quarantined files"
            commit.history.append(history(HistoryNote("found", text), of: sha256))
        }
        if let watermark { commit.values[watermark.name] = Array(watermark.at.description.utf8) }
        if !commit.isEmpty { try await store.commit(commit) }
        return commit.jobs.count
    }

    private var emptyCommit: FlowCommit { FlowCommit(flow: flow, target: target, fencingToken: fencingToken) }

    private func job(_ record: SampleRecord, isOver: Bool) -> Job {
        let isLast = isOver && (record.stage == .done || record.stage == .parked)
        let due = isLast ? time.now.advanced(by: Self.retention) : time.now
        return Job(
            runner: runner, id: record.sha256, flow: flow, step: isLast ? Self.over : record.stage.rawValue, due: due,
            attempts: record.attempts, payload: record.stored, created: time.now)
    }

    private func history(_ note: HistoryNote, of sha256: String) -> HistoryRecord {
        HistoryRecord(
            at: time.now, flow: flow, source: Self.digest(sha256), key: note.subject.map { Self.digest($0) },
            position: sha256, outcome: note.outcome, reason: note.reason, remoteID: note.trace ?? "")
    }

    // MARK: Watermarks and other values

    func watermark(_ name: String) async throws(StorageError) -> Instant? {
        try await value(name).flatMap { Instant(parsing: $0) }
    }

    func value(_ name: String) async throws(StorageError) -> String? {
        try await store.values(flow: flow)[name].map { String(decoding: $0, as: UTF8.self) }
    }

    func setValues(_ values: [String: String?]) async throws(StorageError) {
        try await store.setValues(flow: flow, values.mapValues { $0.map { Array($0.utf8) } })
    }

    // MARK: Dead letters

    func letter(_ record: SampleRecord) -> DeadLetter {
        let source = Self.digest(record.sha256)
        let input: JSONValue = [
            "sha256": .string(record.sha256), "alerts": .array(record.alerts.map(\.json)),
            "files": .array(record.files.map(\.json)),
        ]
        let outcome = record.outcome ?? .none
        return DeadLetter(
            flow: flow, source: source, fingerprint: source, code: outcome.code.text,
            reason: outcome.explanation, position: record.sha256, input: input.bytes, attempts: record.attempts,
            firstSeen: time.now, lastSeen: time.now)
    }

    /// Whether somebody waits for the connector to look again: an approval, or dead letters to be tried.
    func isAskedFor(_ approval: String) async throws(StorageError) -> Bool {
        if try await store.values(flow: flow)[approval] != nil { return true }
        return try await !marked(limit: 1).isEmpty
    }

    /// Opens the records of dead letters that a person wants tried again; the letters go.
    ///
    /// - Parameter busy: samples that are worked on; their letters stay marked.
    /// - Returns: the samples.
    func takeRetries(except busy: Set<String> = []) async throws(StorageError) -> [String] {
        let letters = try await marked(limit: 1000).filter { !busy.contains($0.position) }
        for letter in letters {
            guard var record = try await record(letter.position) else { continue }
            record.retry()
            try await write(record, [HistoryNote("retried", "a person asked for it")], isOver: false)
        }
        if !letters.isEmpty { _ = try await store.removeDeadLetters(ids: letters.map(\.id)) }
        return letters.map(\.position)
    }

    private func marked(limit: Int) async throws(StorageError) -> [DeadLetter] {
        var query = DeadLetterQuery()
        query.flow = flow
        query.retryOnly = true
        query.limit = limit
        return try await store.deadLetters(query)
    }
}

/// One line of what `explain` tells of a sample.
struct HistoryNote: Sendable, Hashable {
    /// The outcome of an effect, or the stage that was reached.
    var outcome: String
    var reason: String
    /// What it was done to: an alert, a value, a host.
    var subject: String?
    /// For CrowdStrike's support.
    var trace: String?

    init(_ outcome: String, _ reason: String, subject: String? = nil, trace: String? = nil) {
        self.outcome = outcome
        self.reason = reason
        self.subject = subject
        self.trace = trace
    }
}
