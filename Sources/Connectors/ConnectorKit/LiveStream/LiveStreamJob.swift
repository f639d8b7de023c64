// SPDX-License-Identifier: Apache-2.0

public import Base
public import Engine
public import JSON
public import OpenCTI
import Settings
import Storage
public import Telemetry

/// What every connector that reads a live stream does around its flow: registers, decides where to begin, pings, reports
/// health, and tells the platform where it stands when it ends.
public struct LiveStreamJob: Sendable {
    private let context: ConnectorContext
    private let profile: ConnectorProfile
    private let log: Log

    /// Of the one partition that a live stream has.
    public static let partition = "live"

    public init(_ context: ConnectorContext, profile: ConnectorProfile, log: Log) {
        self.context = context
        self.profile = profile
        self.log = log
    }

    /// A connector that is known to the platform.
    public struct Session: Sendable {
        public let client: OpenCTIClient
        public let version: PlatformVersion?
        public let registration: Registration
    }

    /// The flow's and the target's numbers in the state, and where reading begins.
    public struct Beginning: Sendable {
        public let flow: Int64
        public let target: Int64
        public let start: StartPosition

        public func identity(fencingToken: Int64) -> FlowCore.Identity {
            FlowCore.Identity(
                flow: flow, target: target, partition: LiveStreamJob.partition, fencingToken: fencingToken)
        }
    }

    /// - Throws: ``ConnectorError/refused(code:reason:)``.
    public func register(with client: OpenCTIClient) async throws -> Session {
        do {
            let version = try await client.platformVersion()
            let registration = try await client.register(profile, on: version)
            log.info(
                "Registered with OpenCTI", .field("opencti.version", version.map { "\($0)" } ?? "unknown"),
                .field("reduced", registration.isReduced))
            return Session(client: client, version: version, registration: registration)
        } catch { throw ConnectorError.refused(code: error.code, reason: error.description) }
    }

    /// Decides where to begin and makes that durable where it changes what stood.
    ///
    /// - Parameter state: the platform's copy.
    public func begin(_ flowName: String, at targetName: String, state: JSONObject?) async throws -> Beginning {
        let settings = context.settings
        let store = context.store
        let flow = try await store.number(of: flowName, in: .flow)
        let target = try await store.number(of: targetName, in: .target)
        let values = try await store.values(flow: flow)
        let checkpoint = try await store.checkpoints(flow: flow)[Self.partition]
            .flatMap { SourcePosition(parsing: String(decoding: $0, as: UTF8.self)) }
        let start = StartPosition.decide(
            .init(
                platform: state, values: values, checkpoint: checkpoint, target: target,
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
        return Beginning(flow: flow, target: target, start: start)
    }

    /// What the platform was told last, for a dry run that does not register: it counts as the platform's word.
    public func toldState(_ flowName: String) async throws -> JSONObject? {
        let flow = try await context.store.number(of: flowName, in: .flow)
        return try await context.store.values(flow: flow)[StartPosition.platformState]
            .flatMap { try? JSONValue(parsing: $0) }?.object
    }

    /// The stream from a beginning on.
    public func stream(_ client: OpenCTIClient, from start: StartPosition) -> LiveStream {
        let settings = context.settings
        return LiveStream(
            LiveStreamOptions(
                id: settings[LiveStreamSettings.id], listenDelete: settings[LiveStreamSettings.listenDelete],
                noDependencies: settings[LiveStreamSettings.noDependencies],
                withInferences: settings[LiveStreamSettings.withInferences]),
            client: client, from: start.state.streamStart, time: context.time)
    }

    /// Runs the flow with everything beside it, until the flow ends.
    ///
    /// - Parameters:
    ///   - watch: called every two seconds with the flow's status.
    ///   - beside: further loops; cancelled at the end.
    ///   - flow: reads until it is told to stop.
    public func run(
        _ session: Session, _ beginning: Beginning, progress: StreamState, status: FlowStatus,
        commands: BoundedChannel<FlowCommand>,
        watch: @escaping @Sendable (FlowStatus.Snapshot) async -> Void = { _ in },
        beside: @escaping @Sendable () async -> Void = {}, flow: @escaping @Sendable () async throws -> Void
    ) async throws {
        let health = context.health.component(context.name)
        if session.registration.state == nil, beginning.start.checkpoint == nil { progress.expectsReset() }
        let ping = PingLoop(
            client: session.client, profile: profile, registration: session.registration, version: session.version,
            time: context.time, state: { progress.connector.json },
            handle: { event in await heed(event, progress, beginning.flow) })
        FlowReports.register(status, flow: context.name, in: context.metrics, time: context.time)
        health.report(.degraded("starting"))
        log.info(
            "Reading the live stream", .field("stream.position", beginning.start.state.startFrom.description),
            .field("reason", beginning.start.reason), .field("generation", beginning.start.generation))
        let outcome: Result<Void, any Error> = await withTaskGroup(of: Result<Void, any Error>?.self) { group in
            group.addTask {
                await ping.run()
                return nil
            }
            group.addTask {
                await report(status, health, watch)
                return nil
            }
            group.addTask {
                await beside()
                return nil
            }
            group.addTask {
                do {
                    try await flow()
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
        // The position of the last commit, so that the platform and a successor know it.
        if progress.restartReason == nil { await ping.force() }
        if progress.hasGap {
            try await context.store.setValues(
                flow: beginning.flow, [StartPosition.mustRecover: Array("gap".utf8)])
        }
        if let reason = progress.restartReason { throw ConnectorError.restart(reason: reason) }
        try outcome.get()
    }

    private func heed(_ event: PingLoop.Event, _ progress: StreamState, _ flow: Int64) async {
        switch event {
        case .ok:
            _ = progress.takesReset()
            // What the platform now holds: at the next start anything else is somebody's doing.
            let text = JSONValue.object(progress.connector.json).bytes
            do { try await context.store.setValues(flow: flow, [StartPosition.platformState: text]) } catch {
                log.warning("The platform's state could not be noted", .field("error.code", error.code))
            }
        case .replaced(let state):
            // The reset that this run began with comes once more, with the first ping.
            if state == nil, progress.takesReset() { return }
            progress.replaced(
                because: state == nil ? "the state was reset on the platform" : "the platform's state changed")
            if let text = state.map({ JSONValue.object($0).bytes }) {
                log.warning("The platform holds another state", .field("bytes", text.count))
            }
        case .registered: log.warning("The platform had forgotten this connector; it is registered again")
        case .failed(let error): log.warning("A ping failed", .field("error.code", error.code), .cause(error))
        }
    }

    private func report(
        _ status: FlowStatus, _ health: HealthComponent, _ watch: @Sendable (FlowStatus.Snapshot) async -> Void
    ) async {
        while !Task.isCancelled {
            let snapshot = status.snapshot
            health.report(FlowReports.health(snapshot, isStateEphemeral: context.isStateEphemeral))
            await watch(snapshot)
            do { try await context.time.sleep(for: .seconds(2)) } catch { return }
        }
    }
}
