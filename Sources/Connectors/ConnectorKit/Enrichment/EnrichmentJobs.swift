// SPDX-License-Identifier: Apache-2.0

import Base
import Storage

/// Requests that wait in our own store: those that came over HTTP, and those that could not be done while a message may be
/// held.
struct EnrichmentJobs: Sendable {
    /// More may not wait: the worker keeps the rest in its queue.
    static let most = 10_000
    /// After that long a request is given up and put aside.
    static let patience = Duration.seconds(86_400)

    let store: any StateStore
    let flow: Int64
    let target: Int64
    let fencingToken: Int64
    let time: any TimeSource
    /// Says that there is something new.
    let bell = BoundedChannel<Void>(capacity: 1)

    var runner: String { "enrichment/\(flow)" }

    /// Durable on return. A message that waits already is not added again.
    func add(_ digest: Digest128, _ body: [UInt8], due: Instant, attempts: Int = 0) async throws(StorageError) {
        var commit = FlowCommit(flow: flow, target: target, fencingToken: fencingToken)
        commit.jobs = [
            Job(
                runner: runner, id: digest.description, flow: flow, step: "enrich", due: due, attempts: attempts,
                payload: body, created: time.now)
        ]
        try await store.commit(commit)
        _ = bell.offer(())
    }

    func hasRoom() async throws(StorageError) -> Bool { try await store.countJobs(runner: runner) < Self.most }

    func due(limit: Int) async throws(StorageError) -> [Job] {
        try await store.dueJobs(runner: runner, at: time.now, limit: limit)
    }

    func done(_ job: Job) async throws(StorageError) {
        try await store.deleteJob(runner: runner, id: job.id, history: [])
    }

    func later(_ job: Job) async throws(StorageError) {
        var job = job
        job.attempts += 1
        job.due = time.now.advanced(by: Self.pause(after: job.attempts))
        try await store.updateJob(job, history: [])
    }

    /// 30 s, 1 min, … at most 30 min.
    static func pause(after attempts: Int) -> Duration {
        .seconds(min(30 << min(max(attempts - 1, 0), 6), 1800))
    }

    /// Everything goes: the platform has emptied the queue.
    func forgetAll() async throws(StorageError) {
        while true {
            let jobs = try await store.dueJobs(runner: runner, at: Instant(milliseconds: .max / 2), limit: 1000)
            if jobs.isEmpty { return }
            for job in jobs { try await done(job) }
        }
    }
}
