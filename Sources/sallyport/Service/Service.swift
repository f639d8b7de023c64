// SPDX-License-Identifier: Apache-2.0

import Base
import CLinux
import Engine
import HTTPServer
import Settings
import Storage
import Telemetry

#if canImport(Glibc)
    import Glibc
#endif

/// The running program: state, log, metrics, health, and the connectors under supervision.
struct Service {
    let choice: ConfigurationChoice
    let signals: Signals

    /// Runs until a signal, or until no connector can go on.
    func run() async throws -> ExitCode {
        var configuration = try choice.read()
        let output = try Logging.output(configuration, isDropIn: choice.isDropIn)
        let log = Logging.log(output, configuration, isDropIn: choice.isDropIn)
        let platformLog = try PlatformLog.open(configuration, output)
        let time = SystemTime()
        for warning in configuration.warnings {
            log.warning("A setting has no effect", .field("problem", "\(warning)"))
        }
        let folder = StateFolder(configuration.process)
        let store = try await SQLiteStore.open(path: folder.file)
        let isEphemeral = folder.isEphemeral
        if isEphemeral {
            log.warning(
                "The state folder does not outlive this container: every start reads everything again. Give it a volume",
                .field("state.dir", folder.path))
        }
        let metrics = Metrics(time: time)
        let health = Health(time: time)
        BuildInfo.register(in: metrics)
        ProcessMetrics.register(in: metrics)
        health.register(in: metrics)
        output.register(in: metrics)
        let listener = try Listener.open(configuration.process, metrics: metrics, health: health, log: log)
        log.info("Sallyport is up", .field("version", BuildInfo.version), .field("flows", configuration.flows.count))

        let shared = SharedParts()
        var ends: [String: Supervisor.End] = [:]
        reloading: while !signals.stop.isRaised {
            let isGuarded = configuration.process[GuardrailSettings.isOn]
            if !isGuarded {
                log.warning(
                    "GUARDRAILS ARE OFF: private addresses, public resolvers and whole suffixes are not held back")
            }
            let round = StopSignal()
            let members = try await members(
                of: configuration, store: store, log: log, metrics: metrics, health: health, time: time, shared: shared,
                isEphemeral: isEphemeral)
            // Settings of every connector, their reference and the libraries' own start are done with.
            sp_forget_start()
            let supervisor = Supervisor(log: log, health: health, time: time)
            let (next, ended) = await watch(
                supervisor, members, round: round, configuration, output: output, store: store, log: log)
            ends = ended
            guard let next else { break reloading }
            configuration = next
        }
        await listener?.stop()
        await store.close()
        log.info("Sallyport is down")
        await platformLog?.close()
        _ = output.flush()
        return Self.exitCode(of: ends)
    }

    /// A connector that runs once decides; else only settings that stop them all are a failure.
    private static func exitCode(of ends: [String: Supervisor.End]) -> ExitCode {
        let isMisconfigured =
            !ends.isEmpty && ends.values.allSatisfy { if case .misconfigured = $0 { true } else { false } }
        if isMisconfigured { return .configuration }
        if ends.values.contains(where: { if case .failed = $0 { true } else { false } }) { return .remoteRefused }
        let isIncomplete = ends.values.contains { if case .finished(isComplete: false) = $0 { true } else { false } }
        return isIncomplete ? .problemFound : .ok
    }

    private func members(
        of configuration: Configuration, store: any StateStore, log: Log, metrics: Metrics, health: Health,
        time: any TimeSource, shared: SharedParts, isEphemeral: Bool
    ) async throws -> [Supervisor.Member] {
        let process = configuration.process
        var members: [Supervisor.Member] = []
        for flow in configuration.flows {
            guard let type = Catalogue.connector(of: flow.connector) else { continue }
            // The lock on the file keeps others out: a lease that has expired at once can be taken by the next process,
            // and its token still tells commits of a former holder apart.
            let lease = try await store.acquireLease(
                name: flow.name, holder: "\(getpid())-\(UInt64.random(in: 0 ... .max))", until: time.now, now: time.now)
            let context = ConnectorContext(
                name: flow.name, settings: flow.settings, store: store, log: log, metrics: metrics, health: health,
                time: time, guards: process[GuardrailSettings.isOn] ? .standard : .off,
                ceiling: DeleteCeiling(
                    count: process[GuardrailSettings.deleteCeiling], share: process[GuardrailSettings.deleteShare]),
                shared: shared, isStateEphemeral: isEphemeral, fencingToken: lease?.fencingToken ?? 0)
            members.append(.init(name: flow.name) { try type.init(context) })
        }
        return members
    }

    /// Runs one round; a reload that changes more than the log ends it, drained, with the configuration for the next.
    private func watch(
        _ supervisor: Supervisor, _ members: [Supervisor.Member], round: StopSignal, _ configuration: Configuration,
        output: LogOutput, store: any StateStore, log: Log
    ) async -> (Configuration?, [String: Supervisor.End]) {
        await withTaskGroup(of: Event.self) { group in
            group.addTask { .ended(await supervisor.run(members, until: round)) }
            group.addTask { [signals] in
                await signals.stop.wait()
                return .stop
            }
            group.addTask { [signals] in
                _ = await signals.reloads.receive()
                return .reload
            }
            group.addTask { await maintain(store, log) }
            group.addTask { await trimHeap() }
            var next: Configuration?
            for await event in group {
                switch event {
                case .ended(let ends):
                    group.cancelAll()
                    return (signals.stop.isRaised ? nil : next, ends)
                case .stop: round.raise()
                case .reload:
                    output.reopen()
                    do {
                        let fresh = try choice.read()
                        output.level = Logging.level(fresh, isDropIn: choice.isDropIn)
                        if Self.needsRestart(from: configuration, to: fresh) {
                            log.info("The settings have changed: the connectors start again")
                            next = fresh
                            round.raise()
                        } else {
                            log.info("Reloaded")
                        }
                    } catch {
                        log.error("The settings were not reloaded: the former ones stay in force", .cause(error))
                    }
                    group.addTask { [signals] in
                        _ = await signals.reloads.receive()
                        return .reload
                    }
                case .maintained: break
                }
            }
            return (nil, [:])
        }
    }

    private enum Event: Sendable {
        case ended([String: Supervisor.End])
        case stop
        case reload
        case maintained
    }

    private func maintain(_ store: any StateStore, _ log: Log) async -> Event {
        let time = SystemTime()
        while !Task.isCancelled {
            do { try await time.sleep(for: .seconds(600)) } catch { return .maintained }
            do { try await store.maintain(now: time.now) } catch {
                log.warning("The state could not be tidied up", .cause(error))
            }
        }
        return .maintained
    }

    /// Small blocks of differing age leave gaps in the heap, which would grow by a mebibyte in 100,000 indicators.
    private func trimHeap() async -> Event {
        let time = SystemTime()
        while true {
            do { try await time.sleep(for: .seconds(5)) } catch { return .maintained }
            sp_trim_heap()
        }
    }

    private static func needsRestart(from old: Configuration, to new: Configuration) -> Bool {
        guard old.flows.map(\.name) == new.flows.map(\.name) else { return true }
        return zip(old.flows, new.flows).contains { old, new in
            new.settings.changedKeys(since: old.settings).contains { !Logging.keys.contains($0) }
        }
    }
}
