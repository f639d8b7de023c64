// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
public import Engine
import Falcon
import HTTPClient
import JSON
import Sekoia
public import Settings
import Storage
public import Telemetry

/// CrowdStrike Falcon's event stream → Sekoia's intake or another destination, line by line as it came.
///
/// A drop-in for the event stream of Sekoia's module “CrowdStrike Falcon”.
public struct FalconTelemetryConnector: Connector {
    public static let declaration = ConnectorSettings(
        name: "sekoia-event-stream",
        aliases: ["event_stream_trigger", "crowdstrike-falcon-event-stream"],
        title: "CrowdStrike Falcon event stream → Sekoia.io",
        summary:
            "Forwards a tenant's whole event stream, each event byte for byte as it came, to Sekoia's intake, to files, "
            + "standard output, an HTTP endpoint or Kafka; with the ThreatGraph vertices of detections if wanted.",
        settings: FalconTelemetrySettings.all, rules: FalconTelemetrySettings.rules,
        adapter: SymphonySettings.adapter(for: FalconTelemetrySettings.all))

    let context: ConnectorContext
    let connections: Connections
    let start: StartFrom

    public init(_ context: ConnectorContext) throws {
        self.context = context
        connections = Connections(context)
        start = StartFrom(context.settings[FalconTelemetrySettings.start]) ?? .feed(.oldest)
    }

    public static func declareMetrics(in metrics: Metrics) {
        FlowReports.register(FlowStatus(), flow: "", in: metrics, time: SystemTime())
        Connections.declareMetrics(in: metrics)
        _ = Events(log: .silent, metrics: metrics, flow: "", key: Secret(""), time: SystemTime())
        VertexWalker.declareMetrics(in: metrics)
    }

    public var flowName: String { context.name }
    public var targetName: String { context.settings[FalconTelemetrySettings.target].rawValue }

    // MARK: Run

    public func run(until stop: StopSignal) async throws {
        let session = try await SymphonySession.open(context, silence: .seconds(86_400))
        let result: Result<Void, any Error>
        do { result = .success(try await run(in: session, until: stop)) } catch { result = .failure(error) }
        await session.close()
        try result.get()
    }

    private func run(in session: SymphonySession, until stop: StopSignal) async throws {
        let settings = context.settings
        let log = context.log.with(.field("flow", context.name))
        let health = context.health.component(context.name)
        let falcon = try session.falcon()
        let flow = try await context.store.number(of: flowName, in: .flow)
        let target = try await context.store.number(of: targetName, in: .target)
        let events = Events(
            log: log, metrics: context.metrics, flow: context.name,
            key: settings[FalconTelemetrySettings.intakeKey] ?? Secret(""), time: context.time)
        let status = FlowStatus()
        FlowReports.register(status, flow: context.name, in: context.metrics, time: context.time)
        health.report(.degraded("starting"))

        let checkpoints = try await checkpoints(flow)
        let cache = session.data.map { OffsetCache($0, log: log) }
        let imported = await cache?.load() ?? [:]
        let destination = try await Destination.open(
            context, session: session, events: events, connections: connections)
        var limits = RelayCore.Limits()
        limits.inFlight = settings[FalconTelemetrySettings.inFlight]
        limits.batches = limits.inFlight + 1
        limits.bytes = max(10 << 20, limits.inFlight * settings[FalconTelemetrySettings.batchBytes].bytes)
        let core = RelayCore(
            identity: .init(flow: flow, target: target, fencingToken: context.fencingToken), limits: limits,
            checkpoints: checkpoints)
        let board = FeedBoard()
        board.register(in: context.metrics, flow: context.name, time: context.time)
        let feeds = Feeds(
            falcon: falcon,
            options: .init(
                appID: try await appID(flow), start: feedStart,
                eventTypes: settings[FalconTelemetrySettings.eventTypes],
                idle: .seconds(60)),
            resume: { root in max(checkpoints[root] ?? 0, imported[root] ?? 0) },
            known: Set(checkpoints.keys), board: board, events: events, time: context.time)
        let walker = settings[FalconTelemetrySettings.vertices] ? walker(falcon, flow, destination, events) : nil
        let spares = SpareBuffers(
            limit: limits.inFlight + 2, largest: settings[FalconTelemetrySettings.batchBytes].bytes + 256 << 10)
        let relay = Relay(
            .init(
                sink: destination.sink, store: context.store, time: context.time, log: log, status: status,
                acknowledge: { root, offset in cache?.acknowledge(root, offset) },
                batch: { letter in destination.batch(of: letter.input) }, spares: spares))
        let output = BoundedChannel<RelayBatch>(capacity: 1)
        let pipes = BoundedChannel<FeedPipe>(capacity: 16)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await relay.run(core, from: output, until: stop)
                return true
            }
            group.addTask {
                await batch(pipes, flow: flow, destination, spares, into: output, events, hasCheckpoint: feeds.resume)
                output.finish()
                return false
            }
            group.addTask {
                await feeds.run(until: stop, opened: pipes)
                pipes.finish()
                for pipe in board.pipes { pipe.inputs.finish() }
                return false
            }
            group.addTask {
                await watch(status, health, board, cache, session)
                return false
            }
            if let walker {
                group.addTask {
                    await walker.run(into: output, until: stop)
                    return false
                }
            }
            defer { group.cancelAll() }
            while let isOver = try await group.next() { if isOver { break } }
        }
        await cache?.save()
        await destination.close()
    }

    /// One task for each feed, from its first listing on.
    private func batch(
        _ pipes: BoundedChannel<FeedPipe>, flow: Int64, _ destination: Destination, _ spares: SpareBuffers,
        into output: BoundedChannel<RelayBatch>, _ events: Events, hasCheckpoint: @escaping @Sendable (String) -> UInt64
    ) async {
        let settings = context.settings
        var limits = LineBatcher.Limits()
        limits.lines = settings[FalconTelemetrySettings.batchSize]
        limits.bytes = settings[FalconTelemetrySettings.batchBytes].bytes
        let linger = settings[FalconTelemetrySettings.linger]
        let walks = settings[FalconTelemetrySettings.vertices] ? VertexWalker.runner(flow) : nil
        await withTaskGroup(of: Void.self) { group in
            while let pipe = await pipes.receive() {
                var policy = LineBatcher.Policy(partition: pipe.root, flow: flow, frame: destination.frame)
                policy.limits = limits
                policy.walks = walks
                policy.spares = spares
                policy.isWhole = settings[FalconTelemetrySettings.eventTypes].isEmpty
                if case .time(let time) = start, hasCheckpoint(pipe.root) == 0 { policy.notBefore = time.milliseconds }
                let ready = policy
                group.addTask { [time = context.time] in
                    await pipe.batch(ready, linger: linger, into: output, events: events, time: time)
                }
            }
        }
    }

    private func walker(
        _ falcon: FalconClient, _ flow: Int64, _ destination: Destination, _ events: Events
    ) -> VertexWalker {
        let settings = context.settings
        return VertexWalker(
            falcon: falcon, store: context.store, flow: flow,
            options: .init(
                callsPerSecond: settings[FalconTelemetrySettings.vertexCalls],
                edgeTypes: Set(settings[FalconTelemetrySettings.edgeTypes]),
                legacyAPI: settings[FalconTelemetrySettings.legacyAPI]),
            batch: { destination.batch(of: $0) }, events: events, metrics: context.metrics, flowName: context.name,
            time: context.time)
    }

    private var feedStart: FeedStart {
        switch start {
        case .feed(let start): start
        case .time: .oldest
        }
    }

    private func checkpoints(_ flow: Int64) async throws -> [String: UInt64] {
        try await context.store.checkpoints(flow: flow).compactMapValues { UInt64(String(decoding: $0, as: UTF8.self)) }
    }

    /// Drawn once: `sallyport` and 16 hexadecimal digits; the slot's letter makes 26 characters of 32.
    private func appID(_ flow: Int64) async throws -> String {
        if let base = context.settings[FalconTelemetrySettings.appID] { return base }
        let key = "app_id"
        if let known = try await context.store.values(flow: flow)[key] { return String(decoding: known, as: UTF8.self) }
        let digits = withUnsafeBytes(of: UInt64.random(in: 0 ... .max)) { Hex.encode(Array($0)) }
        let base = "sallyport" + digits
        try await context.store.setValues(flow: flow, [key: Array(base.utf8)])
        return base
    }

    private func watch(
        _ status: FlowStatus, _ health: HealthComponent, _ board: FeedBoard, _ cache: OffsetCache?,
        _ session: SymphonySession
    ) async {
        while !Task.isCancelled {
            status.source(trouble: board.trouble(at: context.time.uptime))
            health.report(FlowReports.health(status.snapshot, isStateEphemeral: context.isStateEphemeral))
            session.pulse.beat()
            await cache?.save()
            do { try await context.time.sleep(for: .seconds(1)) } catch { return }
        }
    }

    // MARK: Other commands

    public func plan(
        _ report: @escaping @Sendable (PlannedChange) -> Void, until stop: StopSignal
    ) async throws -> Accounting {
        report(
            PlannedChange(
                action: "append", subject: targetName, detail: [],
                reason: "every event is appended as it comes; there is nothing to compare"))
        return Accounting()
    }

    public var explanation: String? {
        "events pass through without a record of each. `sallyport dlq list` shows those that were refused, and the metric "
            + "sallyport_stream_offset up to where each feed was read."
    }
}

extension FeedBoard {
    func register(in metrics: Metrics, flow: String, time: any TimeSource) {
        metrics.collect(
            "sallyport_stream_connected", "1 while a feed has a connection", labels: ["flow", "stream"], owner: flow
        ) { [self] in pipes.map { ([flow, $0.root], $0.snapshot.isConnected ? 1 : 0) } }
        metrics.collect(
            "sallyport_stream_offset", "The last offset that was read", labels: ["flow", "stream"], owner: flow
        ) { [self] in pipes.map { ([flow, $0.root], Double($0.snapshot.lastOffset)) } }
    }
}
