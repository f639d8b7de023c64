// SPDX-License-Identifier: Apache-2.0

import Base
public import ConnectorKit
public import Engine
import HarfangLab
import JSON
import OpenCTI
public import Settings
import Storage
public import Telemetry

/// OpenCTI live stream → HarfangLab's threat intelligence: IOC, Sigma and YARA rules.
///
/// A drop-in for the connector “HarfangLab Intel”, and one half of “HarfangLab”.
public struct HarfangLabIntelConnector: Connector {
    public static let declaration = ConnectorSettings(
        name: "harfanglab-intel", aliases: ["connector-harfanglab-intel"],
        title: "OpenCTI → HarfangLab",
        summary:
            "Keeps three source lists of a HarfangLab console as an OpenCTI live stream says: IOC rules of STIX indicators "
            + "and their observables, Sigma rules and YARA files.",
        settings: HarfangLabIntelSettings.all)

    let context: ConnectorContext
    let names: HarfangLabSettings
    let model: RuleModel
    let connections: Connections

    public init(_ context: ConnectorContext) throws {
        try self.init(context, names: HarfangLabIntelSettings.connection)
    }

    /// - Parameter names: under which names the connection's settings stand.
    public init(_ context: ConnectorContext, names: HarfangLabSettings) throws {
        self.context = context
        self.names = names
        connections = Connections(context)
        model = RuleModel(removes: context.settings[HarfangLabIntelSettings.removes])
        let stream = context.settings[LiveStreamSettings.id]
        guard stream.lowercased() != "changeme" else {
            throw ConnectorError.configuration(
                setting: "connector.live_stream_id", reason: "it still has the sample's value")
        }
    }

    public static func declareMetrics(in metrics: Metrics) {
        FlowReports.register(FlowStatus(), flow: "", in: metrics, time: SystemTime())
        Connections.declareMetrics(in: metrics)
        _ = StreamEvents(log: .silent, metrics: metrics, name: "", flow: "")
    }

    public var flowName: String { context.name }
    public var targetName: String {
        let settings = context.settings
        return "harfanglab/\(settings[names.url].text)/\(settings[HarfangLabIntelSettings.sourceList])"
    }

    var profile: ConnectorProfile {
        let settings = context.settings
        return ConnectorProfile(
            id: settings[OpenCTISettings.id], name: settings[HarfangLabIntelSettings.name], kind: .stream,
            scope: settings[HarfangLabIntelSettings.scope], usesBroker: false)
    }

    // MARK: Run

    public func run(until stop: StopSignal) async throws {
        let log = context.log.with(.field("flow", context.name))
        let job = LiveStreamJob(context, profile: profile, log: log)
        let session = try await job.register(with: try connections.openCTI())
        let prepared = try await prepare(job, session.registration.state)
        log.info(
            "The source lists are ready",
            .field("list", context.settings[HarfangLabIntelSettings.sourceList]))
        let progress = StreamState(prepared.beginning.start.state)
        let commands = BoundedChannel<FlowCommand>(capacity: 16)
        let status = FlowStatus()
        let checker = RuleCheckProcess(time: context.time, log: log)
        let ended: Result<Void, any Error>
        do {
            try await job.run(
                session, prepared.beginning, progress: progress, status: status, commands: commands,
                beside: { await reconcile(prepared, commands, log) },
                flow: {
                    try await flow(
                        job, prepared, session.client, session.version, progress, status, commands, checker, log,
                        until: stop)
                })
            ended = .success(())
        } catch { ended = .failure(error) }
        await checker.stop()
        try ended.get()
    }

    /// What a run needs besides the live stream.
    struct Prepared: Sendable {
        var beginning: LiveStreamJob.Beginning
        var console: HarfangLabClient
        var sources: [RuleKind: String]
        var entryCount: Int
    }

    /// - Parameter makesLists: whether lists that are missing are made; a dry run makes none.
    func prepare(
        _ job: LiveStreamJob, _ state: JSONObject?, makesLists: Bool = true
    ) async throws -> Prepared {
        let console = try connections.harfangLab(names)
        let list = context.settings[HarfangLabIntelSettings.sourceList]
        var sources: [RuleKind: String] = [:]
        do throws(HarfangLabError) {
            for kind in RuleKind.allCases {
                sources[kind] =
                    makesLists
                    ? try await console.obtainSource(kind, named: list).id
                    : try await console.source(kind, named: list)?.id ?? "planned"
            }
        } catch {
            throw ConnectorError.refused(code: error.code, reason: error.description)
        }
        let beginning = try await job.begin(flowName, at: targetName, state: state)
        let counts = try await context.store.countEntries(target: beginning.target)
        let count = counts.reduce(0) { $0 + ($1.key == .absent ? 0 : $1.value) }
        return Prepared(beginning: beginning, console: console, sources: sources, entryCount: count)
    }

    func flow(
        _ job: LiveStreamJob, _ prepared: Prepared, _ openCTI: OpenCTIClient, _ version: PlatformVersion?,
        _ progress: StreamState, _ status: FlowStatus, _ commands: BoundedChannel<FlowCommand>,
        _ checker: any RuleChecking, _ log: Log, until stop: StopSignal, sink: (any FlowSink)? = nil,
        stopsWhenCaughtUp: Bool = false
    ) async throws {
        let settings = context.settings
        let beginning = prepared.beginning
        let start = beginning.start
        let events = StreamEvents(
            log: log, metrics: context.metrics, name: settings[HarfangLabIntelSettings.name], flow: context.name)
        let translator = IntelTranslator(
            maturity: settings[HarfangLabIntelSettings.maturity].rule,
            skipsNameWithHash: settings[HarfangLabIntelSettings.skipsNameWithHash], model: model)
        let gather = IntelGather(
            translator,
            .init(
                platform: openCTI, checker: checker, store: context.store, flow: beginning.flow,
                target: beginning.target, time: context.time, status: status, log: log))
        let source = LiveStreamSource(
            stream: job.stream(openCTI, from: start), translator: gather, progress: progress, events: events,
            status: status, time: context.time, recoversEverything: start.recoversEverything,
            stopsWhenCaughtUp: stopsWhenCaughtUp)
        let core = FlowCore(
            identity: beginning.identity(fencingToken: context.fencingToken), model: model, limits: limits,
            ceiling: context.ceiling, guards: context.guards, generation: start.generation, recovery: start.recovery,
            checkpoint: start.checkpoint, entryCount: prepared.entryCount)
        let parts = Flow.Parts(
            source: source, sink: sink ?? self.sink(prepared, openCTI, version, log), store: context.store,
            time: context.time, log: log, status: status)
        try await Flow(parts, commands: commands).run(core, mustSweep: start.mustSweep, until: stop)
    }

    /// One call a rule: batches exist to be carried out side by side, and small ones keep a slow rule from holding up
    /// many.
    private var limits: FlowLimits {
        let calls = context.settings[HarfangLabIntelSettings.calls]
        var limits = FlowLimits()
        limits.maxInFlight = max(1, min(4, calls))
        limits.batchSize = 64
        limits.linger = .milliseconds(50)
        return limits
    }

    func sink(
        _ prepared: Prepared, _ openCTI: OpenCTIClient, _ version: PlatformVersion?, _ log: Log
    ) -> RuleSink {
        let settings = context.settings
        return RuleSink(
            console: prepared.console, sources: prepared.sources, model: model,
            ledger: .init(
                store: context.store, flow: prepared.beginning.flow, target: prepared.beginning.target),
            platform: PlatformHolders(client: openCTI, version: version, model: model, time: context.time),
            concurrency: max(1, settings[HarfangLabIntelSettings.calls] / limits.maxInFlight),
            readsBack: settings[HarfangLabIntelSettings.readsBack], log: log)
    }
}
