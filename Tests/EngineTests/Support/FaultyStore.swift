// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import Synchronization

/// A real store that fails on demand: writes only, before anything is written.
final class FaultyStore: StateStore {
    let inner: SQLiteStore
    private struct Faults {
        var left = 0
        var error = StorageError.failed(reason: "test")
        var commits: [FlowCommit] = []
        var tries = 0
    }
    private let faults = Mutex(Faults())

    init(_ inner: SQLiteStore) { self.inner = inner }

    func failNext(_ count: Int, with error: StorageError) {
        faults.withLock {
            $0.left = count
            $0.error = error
        }
    }

    /// Commits that went through, and how often one was tried.
    var commits: [FlowCommit] { faults.withLock { $0.commits } }
    var tries: Int { faults.withLock { $0.tries } }

    private func fail() throws(StorageError) {
        let error: StorageError? = faults.withLock { faults in
            faults.tries += 1
            guard faults.left > 0 else { return nil }
            faults.left -= 1
            return faults.error
        }
        if let error { throw error }
    }

    func commit(_ commit: FlowCommit) async throws(StorageError) {
        try fail()
        try await inner.commit(commit)
        faults.withLock { $0.commits.append(commit) }
    }
    func recordIntent(_ act: Act) async throws(StorageError) -> IntentAnswer {
        try fail()
        return try await inner.recordIntent(act)
    }
    func recordOutcome(actID: String, outcome: ActOutcome, at: Instant) async throws(StorageError) {
        try await inner.recordOutcome(actID: actID, outcome: outcome, at: at)
    }

    func number(of name: String, in space: NameSpace) async throws(StorageError) -> Int64 {
        try await inner.number(of: name, in: space)
    }
    func names(in space: NameSpace) async throws(StorageError) -> [String: Int64] { try await inner.names(in: space) }
    func checkpoints(flow: Int64) async throws(StorageError) -> [String: [UInt8]] {
        try await inner.checkpoints(flow: flow)
    }
    func watch(target: Int64, for flow: Int64, _ heed: (@Sendable ([Digest128]) -> Void)?) async {
        await inner.watch(target: target, for: flow, heed)
    }
    func lookUp(_ query: LedgerQuery) async throws(StorageError) -> [LedgerEntry] { try await inner.lookUp(query) }
    func staleOwners(
        flow: Int64, target: Int64, below generation: Int64, after entryID: Int64, limit: Int
    ) async throws(StorageError) -> [LedgerEntry] {
        try await inner.staleOwners(flow: flow, target: target, below: generation, after: entryID, limit: limit)
    }
    func entries(target: Int64, after entryID: Int64, limit: Int) async throws(StorageError) -> [LedgerEntry] {
        try await inner.entries(target: target, after: entryID, limit: limit)
    }
    func countEntries(target: Int64) async throws(StorageError) -> [EntryState: Int] {
        try await inner.countEntries(target: target)
    }
    func dueJobs(runner: String, at now: Instant, limit: Int) async throws(StorageError) -> [Job] {
        try await inner.dueJobs(runner: runner, at: now, limit: limit)
    }
    func job(runner: String, id: String) async throws(StorageError) -> Job? {
        try await inner.job(runner: runner, id: id)
    }
    func updateJob(_ job: Job, history: [HistoryRecord]) async throws(StorageError) {
        try await inner.updateJob(job, history: history)
    }
    func deleteJob(runner: String, id: String, history: [HistoryRecord]) async throws(StorageError) {
        try await inner.deleteJob(runner: runner, id: id, history: history)
    }
    func countJobs(runner: String) async throws(StorageError) -> Int { try await inner.countJobs(runner: runner) }
    func openActs(flow: Int64) async throws(StorageError) -> [Act] { try await inner.openActs(flow: flow) }
    func countAttempt(flow: Int64, message: Digest128, at: Instant) async throws(StorageError) -> Int {
        try await inner.countAttempt(flow: flow, message: message, at: at)
    }
    func forgetAttempts(flow: Int64, messages: [Digest128]?) async throws(StorageError) {
        try await inner.forgetAttempts(flow: flow, messages: messages)
    }
    func history(_ query: HistoryQuery) async throws(StorageError) -> [HistoryRecord] { try await inner.history(query) }
    func deadLetters(_ query: DeadLetterQuery) async throws(StorageError) -> [DeadLetter] {
        try await inner.deadLetters(query)
    }
    func countDeadLetters(flow: Int64?) async throws(StorageError) -> Int {
        try await inner.countDeadLetters(flow: flow)
    }
    func removeDeadLetters(ids: [Int64]) async throws(StorageError) -> Int {
        try await inner.removeDeadLetters(ids: ids)
    }
    func markDeadLetters(ids: [Int64], retry: Bool) async throws(StorageError) -> Int {
        try await inner.markDeadLetters(ids: ids, retry: retry)
    }
    func values(flow: Int64) async throws(StorageError) -> [String: [UInt8]] { try await inner.values(flow: flow) }
    func setValues(flow: Int64, _ values: [String: [UInt8]?]) async throws(StorageError) {
        try await inner.setValues(flow: flow, values)
    }
    func acquireLease(
        name: String, holder: String, until: Instant, now: Instant
    ) async throws(StorageError) -> Lease? {
        try await inner.acquireLease(name: name, holder: holder, until: until, now: now)
    }
    func releaseLease(_ lease: Lease) async throws(StorageError) { try await inner.releaseLease(lease) }
    func maintain(now: Instant) async throws(StorageError) { try await inner.maintain(now: now) }
    func facts() async throws(StorageError) -> [String: String] { try await inner.facts() }
    func close() async { await inner.close() }
}
