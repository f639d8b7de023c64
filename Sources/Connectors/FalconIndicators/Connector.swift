// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
public import Engine
import Falcon
import JSON
import OpenCTI
import STIX
public import Settings
import Storage
public import Telemetry

/// OpenCTI live stream → Falcon custom indicators: create, update, delete, expire.
///
/// A drop-in for “OpenCTI CrowdStrike Endpoint Security”.
public struct FalconIndicatorsConnector: Connector {
    public static let declaration = ConnectorSettings(
        name: "opencti-crowdstrike",
        aliases: ["crowdstrike-endpoint-security", "connector-crowdstrike-endpoint-security"],
        title: "OpenCTI → CrowdStrike Falcon",
        summary:
            "Keeps Falcon's custom indicators (IOC management) as an OpenCTI live stream says: domains, addresses and "
            + "file hashes are created, updated, and deleted or marked.",
        settings: FalconIndicatorsSettings.all)

    let context: ConnectorContext
    let model: IOCModel
    let connections: Connections

    public init(_ context: ConnectorContext) throws {
        self.context = context
        connections = Connections(context)
        let settings = context.settings
        model = IOCModel(
            .init(
                isPermanent: settings[FalconIndicatorsSettings.isPermanent],
                disarms: settings[FalconIndicatorsSettings.softDelete] == .noAction))
    }

    public static func declareMetrics(in metrics: Metrics) {
        FlowReports.register(FlowStatus(), flow: "", in: metrics, time: SystemTime())
        Connections.declareMetrics(in: metrics)
        _ = StreamEvents(log: .silent, metrics: metrics, name: "", flow: "")
    }

    public var flowName: String { context.name }
    public var targetName: String { "falcon/\(connections.tenant)" }

    var profile: ConnectorProfile {
        let settings = context.settings
        return ConnectorProfile(
            id: settings[OpenCTISettings.id], name: settings[FalconIndicatorsSettings.name], kind: .stream,
            scope: settings[FalconIndicatorsSettings.scope], usesBroker: false)
    }

    // MARK: Run

    public func run(until stop: StopSignal) async throws {
        let settings = context.settings
        let log = context.log.with(.field("flow", context.name))
        let job = LiveStreamJob(context, profile: profile, log: log)
        let session = try await job.register(with: try connections.openCTI())
        let prepared = try await prepare(job, session.registration.state, log)
        let progress = StreamState(prepared.beginning.start.state)
        var listener: MetricsListener?
        if settings[FalconIndicatorsSettings.metricsEnabled] {
            listener = try openMetrics(log)
        }
        let commands = BoundedChannel<FlowCommand>(capacity: 16)
        let status = FlowStatus()
        let ended: Result<Void, any Error>
        do {
            try await job.run(
                session, prepared.beginning, progress: progress, status: status, commands: commands,
                watch: { await prepared.quota.set(count: max($0.entryCount, 0)) },
                beside: { await reconcileDaily(prepared, commands, log) },
                flow: {
                    try await flow(
                        job, prepared, session.client, session.version, progress, status, commands, log, until: stop)
                })
            ended = .success(())
        } catch { ended = .failure(error) }
        await listener?.stop()
        try ended.get()
    }

    /// What a run needs besides the live stream.
    struct Prepared: Sendable {
        var beginning: LiveStreamJob.Beginning
        var falcon: FalconClient
        var tenantPlatforms: [String: [String: IOCPlatforms]]
        var entryCount: Int
        var creators: [String]?
        var quota: Quota
    }

    func prepare(_ job: LiveStreamJob, _ platformState: JSONObject?, _ log: Log) async throws -> Prepared {
        let settings = context.settings
        let falcon = try connections.falcon()
        let store = context.store
        let beginning = try await job.begin(flowName, at: targetName, state: platformState)
        let (flow, target, start) = (beginning.flow, beginning.target, beginning.start)
        let own = [settings[FalconSettings.clientID]] + settings[FalconIndicatorsSettings.ownedClientIDs]
        let creators = settings[FalconIndicatorsSettings.adopt] == .any ? nil : own
        do {
            let rules = try await falcon.actionRules(["no_action", "allow", "detect", "prevent"])
            if start.mustIndex {
                let reconciler = Reconciler(
                    falcon: falcon, store: store, model: model, creators: creators, log: log)
                _ = try await reconciler.buildIndex(
                    flow: flow, target: target, fencingToken: context.fencingToken)
                try await store.setValues(flow: flow, [StartPosition.indexed: Array(String(target).utf8)])
            }
            let counts = try await store.countEntries(target: target)
            let count = counts.reduce(0) { $0 + ($1.key == .absent ? 0 : $1.value) }
            return Prepared(
                beginning: beginning, falcon: falcon,
                tenantPlatforms: Self.platforms(rules), entryCount: count, creators: creators,
                quota: Quota(
                    ceiling: settings[FalconIndicatorsSettings.ceiling], count: count, ownClientIDs: own,
                    time: context.time, log: log))
        } catch let error as FalconError {
            throw ConnectorError.refused(code: error.code, reason: error.description)
        }
    }

    func flow(
        _ job: LiveStreamJob, _ prepared: Prepared, _ openCTI: OpenCTIClient, _ version: PlatformVersion?,
        _ progress: StreamState, _ status: FlowStatus, _ commands: BoundedChannel<FlowCommand>, _ log: Log,
        until stop: StopSignal, sink: (any FlowSink)? = nil, stopsWhenCaughtUp: Bool = false
    ) async throws {
        let settings = context.settings
        let start = prepared.beginning.start
        let stream = job.stream(openCTI, from: start)
        let events = StreamEvents(
            log: log, metrics: context.metrics, name: settings[FalconIndicatorsSettings.name], flow: context.name)
        let source = LiveStreamSource(
            stream: stream, translator: IndicatorTranslator(policy(prepared), model: model), progress: progress,
            events: events, status: status, time: context.time, recoversEverything: start.recoversEverything,
            stopsWhenCaughtUp: stopsWhenCaughtUp)
        var limits = FlowLimits()
        limits.batchSize = settings[FalconIndicatorsSettings.batchSize]
        limits.maxInFlight = settings[FalconIndicatorsSettings.consumers]
        let core = FlowCore(
            identity: prepared.beginning.identity(fencingToken: context.fencingToken),
            model: model, limits: limits, ceiling: context.ceiling, guards: context.guards,
            generation: start.generation, recovery: start.recovery, checkpoint: start.checkpoint,
            entryCount: prepared.entryCount)
        let parts = Flow.Parts(
            source: source, sink: sink ?? self.sink(prepared, openCTI, version, log), store: context.store,
            time: context.time, log: log, status: status)
        try await Flow(parts, commands: commands).run(core, mustSweep: start.mustSweep, until: stop)
    }

    func sink(
        _ prepared: Prepared, _ openCTI: OpenCTIClient, _ version: PlatformVersion?, _ log: Log
    ) -> FalconSink {
        FalconSink(
            falcon: prepared.falcon,
            policy: .init(
                ownClientIDs: Set(prepared.creators ?? [context.settings[FalconSettings.clientID]]),
                adoptsAny: prepared.creators == nil, ceiling: context.settings[FalconIndicatorsSettings.ceiling]),
            model: model, platform: PlatformQuestions(client: openCTI, version: version, time: context.time),
            quota: prepared.quota, time: context.time, log: log)
    }

    private func policy(_ prepared: Prepared) -> IndicatorTranslator.Policy {
        let settings = context.settings
        var policy = IndicatorTranslator.Policy()
        policy.actionOnIP = settings[FalconIndicatorsSettings.actionOnIP] == .detect ? .detect : .noAction
        policy.actionOnDomain = settings[FalconIndicatorsSettings.actionOnDomain] == .detect ? .detect : .noAction
        policy.actionOnHash = IOCAction(named: settings[FalconIndicatorsSettings.actionOnHash].rawValue) ?? .detect
        policy.isMobileActive = settings[FalconIndicatorsSettings.isMobileActive]
        policy.tenantPlatforms = prepared.tenantPlatforms
        return policy
    }

    /// The tenant's own word on which action is possible for which type on which platform.
    static func platforms(_ rules: [IOCActionRule]) -> [String: [String: IOCPlatforms]] {
        var result: [String: [String: IOCPlatforms]] = [:]
        for rule in rules {
            for (type, names) in rule.platformsByType {
                var platforms: IOCPlatforms = []
                for (platform, name) in IOCPlatforms.named where names.contains(name.description) {
                    platforms.insert(platform)
                }
                result[rule.id, default: [:]][type] = platforms
            }
        }
        return result
    }

    // MARK: Beside the flow

    private func reconcileDaily(
        _ prepared: Prepared, _ commands: BoundedChannel<FlowCommand>, _ log: Log
    ) async {
        let reconciler = Reconciler(
            falcon: prepared.falcon, store: context.store, model: model, creators: prepared.creators, log: log)
        while !Task.isCancelled {
            do {
                try await context.time.sleep(for: .seconds(86_400))
                let drifted = try await reconciler.findDrift(
                    flow: prepared.beginning.flow, target: prepared.beginning.target, time: context.time
                ) { try await commands.send(.observe($0)) }
                log.info("Compared the ledger with the tenant", .field("drifted", drifted))
            } catch is CancellationError {
                return
            } catch {
                log.warning("Comparing the ledger with the tenant failed", .cause(error))
            }
        }
    }

    private func openMetrics(_ log: Log) throws -> MetricsListener {
        let settings = context.settings
        let address = settings[FalconIndicatorsSettings.metricsAddress].text
        let port = settings[FalconIndicatorsSettings.metricsPort]
        do {
            let listener = try MetricsListener(context.metrics, address: address, port: port)
            log.info("Metrics are served", .field("address", address), .field("port", listener.port))
            return listener
        } catch {
            throw ConnectorError.configuration(
                setting: "METRICS_PORT", reason: "\(address):\(port) can't be opened: \(error)")
        }
    }
}
