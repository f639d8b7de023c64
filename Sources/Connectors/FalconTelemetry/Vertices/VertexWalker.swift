// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import HTTPClient
import JSON
import Storage
import Synchronization
import Telemetry

/// Works off the pending walks, beside the reader, with a request budget of its own.
///
/// A walk is a job row that was written with its event's batch; it is gone once its vertices are delivered. It may lag, and
/// it is never dropped: what stands in its way for the moment only puts it off. Source: Sekoia.io module, 2.1.
struct VertexWalker: Sendable {
    struct Options: Sendable {
        var callsPerSecond: Int
        /// Empty for all.
        var edgeTypes: Set<String>
        var legacyAPI: FalconTelemetrySettings.LegacyAPI
        /// Walks side by side.
        var parallel = 8
        /// After so many tries a failing edge type is left out instead of holding the walk up.
        var patience = 5
    }

    private let store: any StateStore
    private let flow: Int64
    private let options: Options
    private let batch: @Sendable ([[UInt8]]) -> RelayBatch
    private let events: Events
    private let time: any TimeSource
    private let graph: GraphReader
    private let pending: PendingWalks
    private let handedOver = HandedOver()

    static func runner(_ flow: Int64) -> String { "vertices/\(flow)" }

    init(
        falcon: FalconClient, store: any StateStore, flow: Int64, options: Options,
        batch: @escaping @Sendable ([[UInt8]]) -> RelayBatch, events: Events, metrics: Metrics, flowName: String,
        time: any TimeSource
    ) {
        self.store = store
        self.flow = flow
        self.options = options
        self.batch = batch
        self.events = events
        self.time = time
        graph = GraphReader(falcon: falcon, options: options, events: events, time: time)
        pending = PendingWalks()
        pending.register(in: metrics, flow: flowName, time: time)
    }

    static func declareMetrics(in metrics: Metrics) {
        PendingWalks().register(in: metrics, flow: "", time: SystemTime())
    }

    /// Walks until `stop`. What is under way then is taken up at the next start.
    func run(into output: BoundedChannel<RelayBatch>, until stop: StopSignal) async {
        while !stop.isRaised, !Task.isCancelled {
            do {
                let jobs = try await store.dueJobs(runner: Self.runner(flow), at: time.now, limit: options.parallel)
                pending.note(try await store.countJobs(runner: Self.runner(flow)), oldest: jobs.first?.created)
                if jobs.isEmpty {
                    try await time.sleep(for: .milliseconds(500))
                    continue
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for job in jobs { group.addTask { try await work(job, output) } }
                    try await group.waitForAll()
                }
            } catch is StorageError {
                try? await time.sleep(for: .seconds(5))
            } catch {
                if Task.isCancelled { return }
            }
        }
    }

    private func work(_ job: Job, _ output: BoundedChannel<RelayBatch>) async throws {
        guard let walk = VertexWalk(payload: job.payload) else {
            return try await store.deleteJob(runner: job.runner, id: job.id, history: [])
        }
        if handedOver.contains(job.id) { return try await putOff(job) }
        switch await graph.vertices(of: walk, attempt: job.attempts) {
        case .nothing(let reason):
            events.gaveUp(walk.id, reason)
            try await store.deleteJob(runner: job.runner, id: job.id, history: [])
        case .later(let wait, let error):
            events.cannotWalk(error, until: wait)
            var next = job
            next.attempts += 1
            next.due = time.now.advanced(by: wait)
            try await store.updateJob(next, history: [])
        case .found(let lines):
            guard !lines.isEmpty else {
                return try await store.deleteJob(runner: job.runner, id: job.id, history: [])
            }
            try await putOff(job)
            handedOver.insert(job.id, at: time.uptime)
            try await send(lines, of: job, output)
            events.collectedVertices(lines.count)
        }
    }

    /// Its vertices wait for the target: the row goes once they are delivered. Only after a crash it is walked once more.
    private func putOff(_ job: Job) async throws {
        var next = job
        next.due = time.now.advanced(by: .seconds(600))
        try await store.updateJob(next, history: [])
    }

    private func send(_ lines: [[UInt8]], of job: Job, _ output: BoundedChannel<RelayBatch>) async throws {
        var rest = lines[...]
        while !rest.isEmpty {
            var bytes = 0
            let part = rest.prefix { line in
                defer { bytes += line.count }
                return bytes < 512 << 10
            }.prefix(500)
            rest = rest.dropFirst(part.count)
            var body = batch(Array(part))
            // In their own order, so that the job goes with the last of them.
            body.partition = "\(job.runner)/\(job.id)"
            if rest.isEmpty { body.origin = .job(runner: job.runner, id: job.id) }
            try await output.send(body)
        }
    }
}

/// Walks of this run whose vertices are on their way.
private final class HandedOver: Sendable {
    private let walks = Mutex<[String: Duration]>([:])

    func contains(_ id: String) -> Bool { walks.withLock { $0[id] != nil } }

    func insert(_ id: String, at now: Duration) {
        walks.withLock { walks in
            // Most are delivered within a second, and nobody says so here.
            if walks.count >= 10_000 { walks = walks.filter { now - $0.value < .seconds(86_400) } }
            walks[id] = now
        }
    }
}

/// How many walks wait, for metrics.
private final class PendingWalks: Sendable {
    private let state = Mutex<(count: Int, oldest: Instant?)>((0, nil))

    func note(_ count: Int, oldest: Instant?) { state.withLock { $0 = (count, oldest) } }

    func register(in metrics: Metrics, flow: String, time: any TimeSource) {
        metrics.collect(
            "sallyport_vertex_walks_pending", "Walks that wait for their vertices", labels: ["flow"], owner: flow
        ) { [self] in [([flow], Double(state.withLock { $0.count }))] }
        metrics.collect(
            "sallyport_vertex_walks_oldest_seconds", "Age of the walk that is next", labels: ["flow"], owner: flow
        ) { [self] in
            [([flow], state.withLock { $0.oldest }.map { max(0, $0.duration(to: time.now).inSeconds) } ?? 0)]
        }
    }
}
