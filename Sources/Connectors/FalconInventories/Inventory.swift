// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Engine
import Falcon
import OCSF
import Sekoia
import Settings
import Storage
import Synchronization
import Telemetry

/// What both inventories share: cycles, pauses, the way to Sekoia.
///
/// Source: Sekoia.io module, 3.1. Where the original starts again at once after work or an error, this waits.
struct Inventory: Sendable {
    let context: ConnectorContext

    init(_ context: ConnectorContext) { self.context = context }

    /// What one cycle works with.
    struct Parts {
        let context: ConnectorContext
        let falcon: FalconClient
        let groups: GroupCache
        let checkpoints: Checkpoints
        let events: InventoryEvents
        let emit: ([InventoryEvent]) async throws -> Void
        /// What is sent stays sent: a rehearsal leaves no trace.
        let isDurable: Bool
    }

    /// What `explain` says of a device or a user.
    static let explanation =
        "assets are sent without a record of each. `sallyport dlq list` shows those that Sekoia refused, `sallyport plan` what "
        + "the next cycle would send, and `sallyport action get_device_details --ids ID` what Falcon knows of a device."

    static func declareMetrics(in metrics: Metrics) {
        Connections.declareMetrics(in: metrics)
        _ = InventoryEvents(log: .silent, metrics: metrics, flow: "")
    }

    func run(until stop: StopSignal, _ cycle: (Parts) async throws -> Int) async throws {
        let session = try await SymphonySession.open(context, silence: .zero)
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await run(in: session, until: stop, cycle)) } catch { outcome = .failure(error) }
        await session.close()
        do { try outcome.get() } catch is CancellationError where stop.isRaised {}
    }

    private func run(
        in session: SymphonySession, until stop: StopSignal, _ cycle: (Parts) async throws -> Int
    ) async throws {
        let settings = context.settings
        let log = context.log.with(.field("flow", context.name))
        let health = context.health.component(context.name)
        let events = InventoryEvents(
            log: log, metrics: context.metrics, flow: context.name, pulse: session.pulse, health: health)
        let falcon = try session.falcon()
        let assets = try assets(session)
        let flow = try await context.store.number(of: context.name, in: .flow)
        let target = try await context.store.number(of: "sekoia/assets", in: .target)
        let pusher = Pusher(
            assets, options, events: events, store: context.store,
            place: (flow: flow, target: target, fencingToken: context.fencingToken), time: context.time, stop: stop)
        let file = session.data.map { data in
            context.shared.part("context-file/\(settings[SymphonySettings.dataPath]?.text ?? "")") { ContextFile(data) }
        }
        let parts = Parts(
            context: context, falcon: falcon, groups: GroupCache(falcon, events: events, time: context.time),
            checkpoints: try await Checkpoints.open(context.store, flow: flow, context: file), events: events,
            emit: { try await pusher.push($0) }, isDurable: true)
        health.report(.degraded("starting"))
        let frequency = settings[InventorySettings.sdkFrequency] ?? settings[InventorySettings.frequency]
        var backoff = Duration.seconds(1)
        while !stop.isRaised {
            let begin = context.time.uptime
            do {
                let count = try await cycle(parts)
                try await pusher.settle()
                events.ended(new: count)
                backoff = .seconds(1)
                // After work another look soon, as much as the original's; without, the whole pause.
                let elapsed = context.time.uptime - begin
                let pause = count > 0 ? min(frequency, .seconds(60)) : max(.seconds(1), frequency - elapsed)
                await stop.wait(atMost: pause, on: context.time)
            } catch let error as ConnectorError {
                throw error
            } catch {
                if stop.isRaised { return }
                events.failed(error)
                let asked = (error as? FalconError)?.retryAfter ?? .zero
                await stop.wait(atMost: max(backoff, asked), on: context.time)
                backoff = min(backoff * 2, .seconds(300))
            }
        }
    }

    private var options: Pusher.Options {
        let settings = context.settings
        var options = Pusher.Options()
        options.batchSize = settings[InventorySettings.sdkBatchSize] ?? settings[InventorySettings.batchSize]
        options.form = settings[InventorySettings.isStrict] ? .strict : .sekoia
        options.pollInterval = settings[InventorySettings.pollInterval]
        options.pollTimeout = settings[InventorySettings.pollTimeout]
        return options
    }

    private func assets(_ session: SymphonySession) throws -> SekoiaAssets {
        let settings = context.settings
        let key = settings[InventorySettings.apiKey]
        let url = settings[InventorySettings.url].flatMap { $0.isEmpty ? nil : $0 }
        do throws(SekoiaError) {
            return try SekoiaAssets(
                transport: session.transport, url: url ?? settings[InventorySettings.sdkURL],
                connectorID: settings[SymphonySettings.configurationID] ?? "", key: { key },
                defaultPause: settings[InventorySettings.rateLimitWait], time: context.time)
        } catch {
            throw ConnectorError.configuration(setting: "connection sekoia", reason: error.description)
        }
    }

    // MARK: check and plan

    func check(_ needs: [FalconScopes.Need], _ report: @Sendable (CheckLine) -> Void) async {
        do {
            // The original's ports are the running service's.
            let session = try await SymphonySession.open(context, silence: .zero, listens: false)
            _ = try assets(session)
            report(.init(.ok, "sekoia", "The address and the key of Sekoia's assets are set."))
            await FalconScopes(try session.falcon()).check(needs, report)
        } catch {
            report(.init(failure: error, of: "sekoia"))
        }
    }

    /// Reads one cycle and reports it; nothing is sent or noted.
    func plan(
        _ report: @escaping @Sendable (PlannedChange) -> Void, _ cycle: (Parts) async throws -> Int
    ) async throws -> Accounting {
        let session = try await SymphonySession.open(context, silence: .zero, listens: false)
        let falcon = try session.falcon()
        let events = InventoryEvents(log: .silent, metrics: context.metrics, flow: context.name)
        let flow = try await context.store.number(of: context.name, in: .flow)
        // Without the file: what is noted lasts only in the scratch copy of the state.
        let parts = Parts(
            context: context, falcon: falcon, groups: GroupCache(falcon, events: events, time: context.time),
            checkpoints: try await Checkpoints.open(
                context.store, flow: flow, context: session.data.map { ContextFile(ReadOnlyFolder($0)) }),
            events: events,
            emit: { list in
                for event in list {
                    report(
                        PlannedChange(
                            action: "create", subject: event.name, detail: [("class", event.className)], reason: "new"))
                }
            }, isDurable: false)
        _ = try await cycle(parts)
        return Accounting()
    }
}

/// The data path as `plan` sees it.
private struct ReadOnlyFolder: DataFolder {
    private let inner: any DataFolder
    init(_ inner: any DataFolder) { self.inner = inner }
    func read(_ name: String) async throws(SymphonyError) -> [UInt8]? { try await inner.read(name) }
    func write(_ name: String, _ bytes: [UInt8]) async throws(SymphonyError) {}
}

extension InventoryEvent {
    fileprivate var name: String {
        switch subject {
        case .device(let device): "\(device.hostname) (\(device.uid))"
        case .user(let user): "\(user.name) (\(user.uid))"
        }
    }
}
