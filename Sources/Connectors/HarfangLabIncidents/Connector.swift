// SPDX-License-Identifier: Apache-2.0

import Base
public import ConnectorKit
public import Engine
import HarfangLab
import Hashing
import JSON
import OpenCTI
import STIX
public import Settings
import Storage
import Synchronization
public import Telemetry

/// HarfangLab's security events and threats → OpenCTI incidents and cases.
///
/// A drop-in for the connector “HarfangLab Incidents”, and one half of “HarfangLab”.
public struct HarfangLabIncidentsConnector: Connector {
    public static let declaration = ConnectorSettings(
        name: "harfanglab-incidents", aliases: ["connector-harfanglab-incidents"],
        title: "HarfangLab → OpenCTI",
        summary:
            "Brings a HarfangLab console's security events to OpenCTI as incidents with their indicators, sightings and "
            + "observables, and its threats as case incidents.",
        settings: HarfangLabIncidentsSettings.all)

    let context: ConnectorContext
    let names: HarfangLabSettings
    let connections: Connections
    private let usualPeriod: Duration
    private let connectorID: String

    public init(_ context: ConnectorContext) throws {
        try self.init(context, names: HarfangLabIncidentsSettings.connection)
    }

    /// - Parameters:
    ///   - names: under which names the connection's settings stand.
    ///   - usualPeriod: between two runs where no period is set.
    ///   - isBesideStream: another connector of this process has the configured id and keeps its state under it: this one
    ///     is known to the platform by an id derived from it.
    public init(
        _ context: ConnectorContext, names: HarfangLabSettings, usualPeriod: Duration = .seconds(300),
        isBesideStream: Bool = false
    ) throws {
        self.context = context
        self.names = names
        self.usualPeriod = usualPeriod
        let id = context.settings[OpenCTISettings.id]
        connectorID =
            isBesideStream
            ? UUIDv5.make(namespace: DeterministicID.namespace, name: Array("\(id) incidents".utf8)).uuidDescription
            : id
        connections = Connections(context)
    }

    public static func declareMetrics(in metrics: Metrics) {
        FlowReports.register(FlowStatus(), flow: "", in: metrics, time: SystemTime())
        Connections.declareMetrics(in: metrics)
    }

    public var flowName: String { "\(context.name)/incidents" }
    public var targetName: String { "opencti/\(context.settings[OpenCTISettings.url].text)" }

    var profile: ConnectorProfile {
        let settings = context.settings
        return ConnectorProfile(
            id: connectorID, name: settings[HarfangLabIncidentsSettings.name], kind: .externalImport,
            scope: settings[HarfangLabIncidentsSettings.scope],
            usesBroker: settings[BundleSettings.queueProtocol] == .amqp && settings[BundleSettings.sendsToQueue],
            usesStorage: settings[BundleSettings.sendsToS3])
    }

    // MARK: Run

    public func run(until stop: StopSignal) async throws {
        let log = context.log.with(.field("flow", context.name))
        let openCTI = try connections.openCTI()
        let version: PlatformVersion?
        let registration: Registration
        do {
            version = try await openCTI.platformVersion()
            registration = try await openCTI.register(profile, on: version)
        } catch { throw ConnectorError.refused(code: error.code, reason: error.description) }
        log.info("Registered with OpenCTI", .field("opencti.version", version.map { "\($0)" } ?? "unknown"))
        let push = try BundlePush(
            context, client: openCTI, connector: profile, registration: registration, version: version)
        let ended: Result<Void, any Error>
        do {
            try await importing(openCTI, version, registration, push, log, until: stop)
            ended = .success(())
        } catch { ended = .failure(error) }
        await push.close()
        try ended.get()
    }

    private func importing(
        _ openCTI: OpenCTIClient, _ version: PlatformVersion?, _ registration: Registration, _ push: BundlePush,
        _ log: Log, until stop: StopSignal
    ) async throws {
        let flow = try await context.store.number(of: flowName, in: .flow)
        let target = try await context.store.number(of: targetName, in: .target)
        let known = try await known(registration.state, flow)
        let checkpoints = Checkpoints(known.state)
        let ping = PingLoop(
            client: openCTI, profile: profile, registration: registration, version: version, time: context.time,
            state: { checkpoints.objectToTell }, handle: { await heed($0, checkpoints, flow, log) })
        let translator = try translator(version)
        let work = RunWork(
            PlatformWorks(
                works: Works(openCTI, connector: connectorID, settings: context.settings, version: version)),
            name: context.settings[HarfangLabIncidentsSettings.name], unfinished: known.work,
            keep: { await keep($0.map(JSONValue.string), Self.workAtHand, flow, log) })
        do { try await work.end("", isError: true) } catch {
            log.warning("The work of a run that was cut off can't be closed yet", .cause(error))
        }
        let sink = IncidentSink(push: PlatformPush(push: push), work: work, frame: translator.frame)
        let status = FlowStatus()
        var parts = try parts(translator, checkpoints, work, status, log)
        parts.changesSince = known.changes
        parts.keep = { await keep(.object($0), Self.kept, flow, log) }
        parts.keepChanges = { await keep($0.map { .string($0.description) }, Self.changes, flow, log) }
        parts.tell = { await ping.tell() }
        let connector = connectorID
        let threshold = QueueThreshold(context.settings) {
            () async throws(OpenCTIError) in try await openCTI.queueDepth(of: connector).bytes
        }
        parts.holdBack = { await threshold.congestion() }
        FlowReports.register(status, flow: context.name, in: context.metrics, time: context.time)
        let source = IncidentSource(parts, after: try await position(flow))
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                await ping.run()
                return false
            }
            group.addTask {
                await watch(status, push)
                return false
            }
            group.addTask {
                try await self.flow(source, sink, status, flow, target, log, until: stop)
                return true
            }
            while let isOver = try await group.next() { if isOver { break } }
            group.cancelAll()
        }
        // A stop in the middle of a run: what was under way has been sent by now.
        do {
            try await work.end("Stopped in the middle of the run; the next start goes on there.", isError: false)
        } catch {
            log.warning("A work could not be closed; the next start tries again", .cause(error))
        }
        await ping.force()
        // One run was asked for: the process has nothing left to do.
        if RunSchedule(context.settings, usual: usualPeriod).runsOnce { stop.raise() }
    }

    func translator(_ version: PlatformVersion?) throws -> IncidentTranslator {
        let settings = context.settings
        guard let marking = TLP(name: settings[HarfangLabIncidentsSettings.marking]) else {
            throw ConnectorError.configuration(setting: "default_marking", reason: "it is no TLP marking")
        }
        return IncidentTranslator(
            name: settings[HarfangLabIncidentsSettings.name], consoleURL: settings[names.url].text, marking: marking,
            score: settings[HarfangLabIncidentsSettings.score],
            ids: version.map { ObjectIDs(platformVersion: "\($0)") } ?? ObjectIDs())
    }

    func parts(
        _ translator: IncidentTranslator, _ checkpoints: Checkpoints, _ work: RunWork, _ status: FlowStatus, _ log: Log
    ) throws -> IncidentSource.Parts {
        let settings = context.settings
        let console = try connections.harfangLab(names)
        let schedule = RunSchedule(settings, usual: usualPeriod)
        return IncidentSource.Parts(
            console: console,
            finder: RuleFinder(console, concurrency: settings[HarfangLabIncidentsSettings.concurrency]),
            translator: translator, checkpoints: checkpoints, work: work,
            filter: AlertFilter(
                statuses: list(
                    settings[HarfangLabIncidentsSettings.statuses], otherwise: HarfangLabIncidentsSettings.usualStatuses
                ),
                types: list(settings[HarfangLabIncidentsSettings.types])),
            importsThreats: settings[HarfangLabIncidentsSettings.importsThreats],
            start: StartDate(settings[HarfangLabIncidentsSettings.startDate]) ?? .beginning, period: schedule.period,
            runsOnce: schedule.runsOnce, status: status, time: context.time, log: log)
    }

    private func list(_ words: [String], otherwise usual: [String] = []) -> String {
        (words.isEmpty ? usual : words).map { $0.lowercased() }.joined(separator: ",")
    }

    func flow(
        _ source: IncidentSource, _ sink: any FlowSink, _ status: FlowStatus, _ flow: Int64, _ target: Int64,
        _ log: Log, until stop: StopSignal
    ) async throws {
        var limits = FlowLimits()
        limits.recordBatch = 100
        // Bundles are held in several forms while they are made: their size decides how much memory an import needs.
        limits.recordBytes = 128 << 10
        // While one is being confirmed, others are made. So many at most come twice after a crash; they merge by their ids.
        limits.recordsInFlight = 4
        limits.windowItems = 500
        limits.checkpointDelay = .milliseconds(200)
        let core = FlowCore(
            identity: .init(
                flow: flow, target: target, partition: Self.partition, fencingToken: context.fencingToken),
            model: ImportModel(), limits: limits, ceiling: context.ceiling, guards: context.guards,
            checkpoint: try await position(flow))
        let parts = Flow.Parts(
            source: source, sink: sink, store: context.store, time: context.time, log: log, status: status)
        try await Flow(parts).run(core, until: stop)
    }

    static let partition = "runs"

    func position(_ flow: Int64) async throws -> SourcePosition? {
        try await context.store.checkpoints(flow: flow)[Self.partition]
            .flatMap { SourcePosition(parsing: String(decoding: $0, as: UTF8.self)) }
    }

    // MARK: State

    private static let told = "platform.state"
    static let kept = "checkpoints"
    private static let changes = "changes.since"
    private static let workAtHand = "work"

    /// What an earlier process left.
    struct Known {
        /// The platform's copy, unless it is what we last told it: then what is durable here may be newer.
        var state: JSONObject?
        /// Where the search for changes goes on; `nil` where somebody else wrote the state.
        var changes: StartDate?
        /// The work of a run that was cut off.
        var work: String?
    }

    func known(_ platform: JSONObject?, _ flow: Int64) async throws -> Known {
        let values = try await context.store.values(flow: flow)
        func value(_ name: String) -> JSONValue? { values[name].flatMap { try? JSONValue(parsing: $0) } }
        var known = Known(state: platform, work: value(Self.workAtHand)?.string)
        if platform == value(Self.told)?.object {
            known.state = value(Self.kept)?.object ?? platform
            known.changes = value(Self.changes)?.string.flatMap { StartDate($0) }
        }
        return known
    }

    private func keep(_ value: JSONValue?, _ name: String, _ flow: Int64, _ log: Log) async {
        do {
            try await context.store.setValues(flow: flow, [name: value?.bytes])
        } catch {
            log.warning("A checkpoint could not be noted", .field("error.code", error.code))
        }
    }

    private func heed(
        _ event: PingLoop.Event, _ checkpoints: Checkpoints, _ flow: Int64, _ log: Log
    ) async {
        switch event {
        case .ok: await keep(.object(checkpoints.told), Self.told, flow, log)
        case .replaced(let state):
            checkpoints.replace(state)
            // At once: after a crash the former one must not come back.
            await keep(.object(checkpoints.object), Self.kept, flow, log)
            log.warning(
                "The platform holds another state; the next run begins there",
                .field("reset", state == nil))
        case .registered: log.warning("The platform had forgotten this connector; it is registered again")
        case .failed(let error): log.warning("A ping failed", .field("error.code", error.code), .cause(error))
        }
    }

    private func watch(_ status: FlowStatus, _ push: BundlePush) async {
        let health = context.health.component(context.name)
        while !Task.isCancelled {
            let snapshot = status.snapshot
            var report = FlowReports.health(snapshot, isStateEphemeral: context.isStateEphemeral)
            if case .ok = report, let trouble = push.trouble { report = .degraded(trouble) }
            health.report(report)
            do { try await context.time.sleep(for: .seconds(2)) } catch { return }
        }
    }
}

/// The push of bundles as the sink sees it.
private struct PlatformPush: BundleSending {
    let push: BundlePush

    func send(_ objects: [STIXObject], bundleID: String, work: String?, isRepeated: Bool) async throws -> Bool {
        // Updates of what is there already, so that a status set in the console reaches the incident.
        let envelope = BundleEnvelope(workID: work, updates: true)
        return try await push.send(objects, bundleID: bundleID, envelope) != .workGone
    }
}

private struct PlatformWorks: WorkReporting {
    let works: Works

    func begin(_ name: String) async throws -> String? { try await works.begin(name, isMultiPart: true) }
    func end(_ work: String, _ message: String, isError: Bool) async throws {
        try await works.processed(work, message, isError: isError)
    }
}
