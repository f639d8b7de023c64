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
        _ = Events(log: .silent, metrics: metrics, name: "", flow: "")
    }

    public var flowName: String { context.name }
    public var targetName: String { "falcon/\(connections.tenant)" }

    // MARK: Run

    public func run(until stop: StopSignal) async throws {
        let settings = context.settings
        let log = context.log.with(.field("flow", context.name))
        let health = context.health.component(context.name)
        let openCTI = try connections.openCTI()
        let version: PlatformVersion?
        let registration: Registration
        let profile = ConnectorProfile(
            id: settings[OpenCTISettings.id], name: settings[FalconIndicatorsSettings.name], kind: .stream,
            scope: settings[FalconIndicatorsSettings.scope], usesBroker: false)
        do {
            version = try await openCTI.platformVersion()
            registration = try await openCTI.register(profile, on: version)
        } catch { throw ConnectorError.refused(code: error.code, reason: error.description) }
        log.info(
            "Registered with OpenCTI",
            .field("opencti.version", version.map { "\($0)" } ?? "unknown"), .field("reduced", registration.isReduced))
        let prepared = try await prepare(registration.state, openCTI, version, log)
        let progress = StreamState(prepared.start.state)
        let ping = PingLoop(
            client: openCTI, profile: profile, registration: registration, version: version, time: context.time,
            state: { progress.connector.json },
            handle: { event in await heed(event, progress, prepared.flow, log) })
        var listener: MetricsListener?
        if settings[FalconIndicatorsSettings.metricsEnabled] {
            listener = try openMetrics(log)
        }
        let commands = BoundedChannel<FlowCommand>(capacity: 16)
        let status = FlowStatus()
        FlowReports.register(status, flow: context.name, in: context.metrics, time: context.time)
        health.report(.degraded("starting"))
        log.info(
            "Reading the live stream", .field("stream.position", prepared.start.state.startFrom.description),
            .field("reason", prepared.start.reason), .field("generation", prepared.start.generation))
        let outcome: Result<Void, any Error> = await withTaskGroup(of: Result<Void, any Error>?.self) { group in
            group.addTask {
                await ping.run()
                return nil
            }
            group.addTask {
                await watch(status, health, prepared)
                return nil
            }
            group.addTask {
                await reconcileDaily(prepared, commands, log)
                return nil
            }
            group.addTask {
                do {
                    try await flow(prepared, openCTI, version, progress, status, commands, log, until: stop)
                    return .success(())
                } catch { return .failure(error) }
            }
            var outcome: Result<Void, any Error> = .success(())
            for await ended in group {
                guard let ended else { continue }
                outcome = ended
                break
            }
            commands.finish()
            group.cancelAll()
            return outcome
        }
        await listener?.stop()
        // The position of the last commit, so that the platform and a successor know it.
        if progress.restartReason == nil { await ping.force() }
        if progress.hasGap {
            try await context.store.setValues(flow: prepared.flow, [StartPosition.mustRecover: Array("gap".utf8)])
        }
        if let reason = progress.restartReason { throw ConnectorError.restart(reason: reason) }
        try outcome.get()
    }

    /// What a run needs besides the live stream.
    struct Prepared: Sendable {
        var flow: Int64
        var target: Int64
        var falcon: FalconClient
        var start: StartPosition
        var tenantPlatforms: [String: [String: IOCPlatforms]]
        var entryCount: Int
        var creators: [String]?
        var quota: Quota
    }

    func prepare(
        _ platformState: JSONObject?, _ openCTI: OpenCTIClient, _ version: PlatformVersion?, _ log: Log
    ) async throws -> Prepared {
        let settings = context.settings
        let falcon = try connections.falcon()
        let store = context.store
        let flow = try await store.number(of: flowName, in: .flow)
        let target = try await store.number(of: targetName, in: .target)
        let values = try await store.values(flow: flow)
        let checkpoint = try await store.checkpoints(flow: flow)[Self.partition]
            .flatMap { SourcePosition(parsing: String(decoding: $0, as: UTF8.self)) }
        let start = StartPosition.decide(
            .init(
                platform: platformState, values: values, checkpoint: checkpoint, target: target,
                startTimestamp: settings[LiveStreamSettings.startTimestamp],
                recoverDate: settings[LiveStreamSettings.recoverDate], now: context.time.now))
        if !start.values.isEmpty {
            // In one transaction with the position: what a new generation has not seen is swept, so it must not begin in
            // the middle.
            var commit = FlowCommit(flow: flow, target: target, fencingToken: context.fencingToken)
            commit.values = start.values
            commit.checkpoints[Self.partition] = []
            try await store.commit(commit)
        }
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
                flow: flow, target: target, falcon: falcon, start: start,
                tenantPlatforms: Self.platforms(rules), entryCount: count, creators: creators,
                quota: Quota(
                    ceiling: settings[FalconIndicatorsSettings.ceiling], count: count, ownClientIDs: own,
                    time: context.time, log: log))
        } catch let error as FalconError {
            throw ConnectorError.refused(code: error.code, reason: error.description)
        }
    }

    static let partition = "live"

    func flow(
        _ prepared: Prepared, _ openCTI: OpenCTIClient, _ version: PlatformVersion?, _ progress: StreamState,
        _ status: FlowStatus, _ commands: BoundedChannel<FlowCommand>, _ log: Log, until stop: StopSignal,
        sink: (any FlowSink)? = nil, stopsWhenCaughtUp: Bool = false
    ) async throws {
        let settings = context.settings
        let start = prepared.start
        let stream = LiveStream(
            LiveStreamOptions(
                id: settings[LiveStreamSettings.id], listenDelete: settings[LiveStreamSettings.listenDelete],
                noDependencies: settings[LiveStreamSettings.noDependencies],
                withInferences: settings[LiveStreamSettings.withInferences]),
            client: openCTI, from: start.state.streamStart, time: context.time)
        let events = Events(
            log: log, metrics: context.metrics, name: settings[FalconIndicatorsSettings.name], flow: context.name)
        let source = IndicatorSource(
            stream: stream, translator: IndicatorTranslator(policy(prepared), model: model), progress: progress,
            events: events, status: status, time: context.time, recoversEverything: start.recoversEverything,
            stopsWhenCaughtUp: stopsWhenCaughtUp)
        var limits = FlowLimits()
        limits.batchSize = settings[FalconIndicatorsSettings.batchSize]
        limits.maxInFlight = settings[FalconIndicatorsSettings.consumers]
        let core = FlowCore(
            identity: .init(
                flow: prepared.flow, target: prepared.target, partition: Self.partition,
                fencingToken: context.fencingToken),
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

    private func heed(_ event: PingLoop.Event, _ progress: StreamState, _ flow: Int64, _ log: Log) async {
        switch event {
        case .ok:
            // What the platform now holds: at the next start anything else is somebody's doing.
            let text = JSONValue.object(progress.connector.json).bytes
            do { try await context.store.setValues(flow: flow, [StartPosition.platformState: text]) } catch {
                log.warning("The platform's state could not be noted", .field("error.code", error.code))
            }
        case .replaced(let state):
            progress.replaced(
                because: state == nil ? "the state was reset on the platform" : "the platform's state changed")
            if let text = state.map({ JSONValue.object($0).bytes }) {
                log.warning("The platform holds another state", .field("bytes", text.count))
            }
        case .registered: log.warning("The platform had forgotten this connector; it is registered again")
        case .failed(let error): log.warning("A ping failed", .field("error.code", error.code), .cause(error))
        }
    }

    private func watch(_ status: FlowStatus, _ health: HealthComponent, _ prepared: Prepared) async {
        while !Task.isCancelled {
            let snapshot = status.snapshot
            health.report(FlowReports.health(snapshot, isStateEphemeral: context.isStateEphemeral))
            await prepared.quota.set(count: max(snapshot.entryCount, 0))
            do { try await context.time.sleep(for: .seconds(2)) } catch { return }
        }
    }

    private func reconcileDaily(
        _ prepared: Prepared, _ commands: BoundedChannel<FlowCommand>, _ log: Log
    ) async {
        let reconciler = Reconciler(
            falcon: prepared.falcon, store: context.store, model: model, creators: prepared.creators, log: log)
        while !Task.isCancelled {
            do {
                try await context.time.sleep(for: .seconds(86_400))
                let drifted = try await reconciler.findDrift(
                    flow: prepared.flow, target: prepared.target, time: context.time
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
