// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Hashing
import JSON
import OCSF
import Sekoia
import Storage
import Synchronization
import Telemetry

/// Brings events to Sekoia's asset API, batch by batch, until each is taken or, alone, refused.
///
/// A batch that is refused is halved down to the assets that are not acceptable, which become dead letters; everything else is
/// tried until it passes. Source: Sekoia.io module, 3.1.
struct Pusher: Sendable {
    struct Options: Sendable {
        var batchSize = 100
        var form = InventoryEvent.Form.sekoia
        var inFlight = 4
        var pollInterval = Duration.seconds(5)
        var pollTimeout = Duration.seconds(300)
    }

    private let assets: SekoiaAssets
    private let options: Options
    private let events: InventoryEvents
    private let store: any StateStore
    private let place: (flow: Int64, target: Int64, fencingToken: Int64)
    private let time: any TimeSource
    private let stop: StopSignal
    private let state = TicketBox()

    init(
        _ assets: SekoiaAssets, _ options: Options, events: InventoryEvents, store: any StateStore,
        place: (flow: Int64, target: Int64, fencingToken: Int64), time: any TimeSource, stop: StopSignal
    ) {
        self.assets = assets
        self.options = options
        self.events = events
        self.store = store
        self.place = place
        self.time = time
        self.stop = stop
    }

    /// Returns when every event has been taken or put aside.
    ///
    /// - Throws: `CancellationError` when it is to stop; what is left is sent again at the next start.
    func push(_ list: [InventoryEvent]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, start) in stride(from: 0, to: list.count, by: options.batchSize).enumerated() {
                // The next one goes as soon as any of those under way is done.
                if number >= options.inFlight { try await group.next() }
                let batch = list[start..<min(start + options.batchSize, list.count)]
                group.addTask { try await deliver(batch.map { encoded($0) }) }
            }
            try await group.waitForAll()
        }
    }

    private func encoded(_ event: InventoryEvent) -> [UInt8] {
        var writer = JSONWriter(reserving: 2048)
        event.write(options.form, into: &writer)
        return writer.bytes
    }

    private func deliver(_ batch: [[UInt8]]) async throws {
        var wait = Duration.seconds(1)
        while true {
            guard !stop.isRaised else { throw CancellationError() }
            do throws(SekoiaError) {
                state.add(try await assets.push(batch))
                events.delivered(batch.count)
                return
            } catch {
                switch error {
                case .refused where batch.count > 1:
                    let middle = batch.count / 2
                    try await deliver(Array(batch[..<middle]))
                    return try await deliver(Array(batch[middle...]))
                case .refused(let status, let reason):
                    guard state.mayBury() else {
                        events.held(error)
                        try await sleep(.seconds(60))
                        continue
                    }
                    return try await bury(batch.first ?? [], status, reason)
                case .configuration: throw ConnectorError.configuration(setting: "sekoia", reason: error.description)
                case .rateLimited(let pause):
                    events.held(error)
                    try await sleep(pause)
                case .closed, .transport, .unavailable:
                    events.held(error)
                    try await sleep(wait)
                    wait = min(wait * 2, .seconds(60))
                }
            }
        }
    }

    private func bury(_ text: [UInt8], _ status: Int, _ reason: String) async throws {
        var commit = FlowCommit(flow: place.flow, target: place.target, fencingToken: place.fencingToken)
        let digest = KeyHasher().digest(text)
        commit.deadLetters = [
            DeadLetter(
                flow: place.flow, source: digest, fingerprint: digest, code: "sekoia.refused",
                reason: "Sekoia refuses the asset (\(status)): \(reason)", position: "", input: text, attempts: 1,
                firstSeen: time.now, lastSeen: time.now)
        ]
        try await store.commit(commit)
        events.refused(status)
    }

    /// What the platform made of the batches that it only took in; told, not repeated: it would refuse them again.
    func settle() async throws {
        for ticket in state.take() {
            guard !stop.isRaised else { return }
            do throws(SekoiaError) {
                let outcome = try await assets.outcome(
                    of: ticket, interval: options.pollInterval, patience: options.pollTimeout)
                events.settled(outcome)
            } catch { events.held(error) }
        }
    }

    private func sleep(_ pause: Duration) async throws {
        await stop.wait(atMost: pause, on: time)
        try Task.checkCancellation()
    }
}

/// What the platform has said so far: the last batches that it still works on (of a long cycle only these are asked after),
/// and whether it has ever taken one.
private final class TicketBox: Sendable {
    /// Refusals from which on, if nothing was ever taken, what is around the assets is at fault and not each of them.
    private static let doubtAfter = 16

    private struct State {
        var tickets: [SekoiaAssets.Ticket] = []
        var hasAccepted = false
        var buried = 0
    }
    private let state = Mutex(State())

    func add(_ ticket: SekoiaAssets.Ticket) {
        state.withLock { state in
            state.hasAccepted = true
            guard ticket.taskID != nil else { return }
            if state.tickets.count >= 32 { state.tickets.removeFirst() }
            state.tickets.append(ticket)
        }
    }

    func take() -> [SekoiaAssets.Ticket] {
        state.withLock { state in
            defer { state.tickets = [] }
            return state.tickets
        }
    }

    /// Whether one more asset may be put aside.
    func mayBury() -> Bool {
        state.withLock { state in
            guard !state.hasAccepted, state.buried >= Self.doubtAfter else {
                state.buried += 1
                return true
            }
            return false
        }
    }
}
