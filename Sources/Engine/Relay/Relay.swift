// SPDX-License-Identifier: Apache-2.0

public import Base
public import Storage
public import Telemetry

/// The thin asynchronous shell around ``RelayCore``: takes batches from a channel, carries out actions, brings back answers.
public struct Relay: Sendable {
    public struct Parts: Sendable {
        public var sink: any RelaySink
        public var store: any StateStore
        public var time: any TimeSource
        public var log: Log
        public var status: FlowStatus
        /// Called with each position that has become durable.
        public var acknowledge: @Sendable (_ partition: String, _ position: UInt64) -> Void
        /// A dead letter's input as a batch again; nil when it can't be.
        public var batch: @Sendable (DeadLetter) -> RelayBatch?
        /// Where the buffers of taken batches go.
        public var spares: SpareBuffers?

        public init(
            sink: any RelaySink, store: any StateStore, time: any TimeSource, log: Log, status: FlowStatus,
            acknowledge: @escaping @Sendable (_ partition: String, _ position: UInt64) -> Void,
            batch: @escaping @Sendable (DeadLetter) -> RelayBatch?, spares: SpareBuffers? = nil
        ) {
            self.sink = sink
            self.store = store
            self.time = time
            self.log = log
            self.status = status
            self.acknowledge = acknowledge
            self.batch = batch
            self.spares = spares
        }
    }

    private enum Message: Sendable {
        case read(RelayBatch?)
        case appended(UInt64, RelayBatch, RecordResult)
        case committed(Result<Void, any Error>)
        case tidied
        case retries([RelayBatch])
        case tick
        case deadlinePassed
    }

    private let parts: Parts

    public init(_ parts: Parts) { self.parts = parts }

    /// Runs until the channel is finished and everything from it is durable, or `stop` was raised longer than `grace` ago.
    ///
    /// - Throws: ``StorageError`` when the state can't be written at all.
    @concurrent
    public func run(
        _ core: consuming RelayCore, from channel: BoundedChannel<RelayBatch>, until stop: StopSignal,
        grace: Duration = .seconds(4)
    ) async throws {
        var core = core
        try await withThrowingTaskGroup(of: Message.self) { group in
            defer { group.cancelAll() }
            var loop = Loop()
            let flow = core.identity.flow
            group.addTask { [parts] in
                await stop.wait()
                try? await parts.time.sleep(for: grace)
                return .deadlinePassed
            }
            group.addTask { [parts] in .retries(await retries(parts, flow: flow)) }
            arm(core, &loop, channel, &group)
            while let message = try await group.next() {
                let now = Moment(parts.time)
                if try handle(message, &core, &loop, &group, at: now) { return }
                for action in core.takeActions() { carryOut(action, in: &group) }
                parts.status.update(core, at: now)
                if loop.hasEnded, core.isIdle { return }
                arm(core, &loop, channel, &group)
            }
        }
    }

    private struct Loop {
        var isReading = false
        var isTicking = false
        var hasEnded = false
    }

    private typealias Group = ThrowingTaskGroup<Message, any Error>

    private func arm(
        _ core: borrowing RelayCore, _ loop: inout Loop, _ channel: BoundedChannel<RelayBatch>, _ group: inout Group
    ) {
        if core.wantsRead, !loop.isReading, !loop.hasEnded {
            loop.isReading = true
            group.addTask { .read(await channel.receive()) }
        }
        if !loop.isTicking, let moment = core.nextTick {
            loop.isTicking = true
            // A nearer moment may come up while this one is awaited: wake often enough to meet it.
            let wake = min(max(moment, parts.time.uptime), parts.time.uptime + .milliseconds(100))
            group.addTask { [time = parts.time] in
                try? await time.sleep(untilUptime: wake)
                return .tick
            }
        }
    }

    /// - Returns: whether the relay has ended.
    private func handle(
        _ message: Message, _ core: inout RelayCore, _ loop: inout Loop, _ group: inout Group, at now: Moment
    ) throws -> Bool {
        switch message {
        case .read(let batch):
            loop.isReading = false
            if let batch {
                core.read(batch, at: now)
            } else {
                loop.hasEnded = true
                core.drain(at: now)
            }
        case .appended(let id, let batch, let result):
            core.appended(id, result: result, inputs: { index, _ in parts.sink.input(index, of: batch) }, at: now)
            if case .appended = result { parts.spares?.give(batch.bytes) }
        case .committed(let result):
            try result.get()
            core.committed(at: now)
        case .tidied: break
        case .retries(let batches):
            if !core.isDraining { for batch in batches { core.read(batch, at: now) } }
            let flow = core.identity.flow
            group.addTask { [parts] in
                try? await parts.time.sleep(for: .seconds(2))
                return .retries(await retries(parts, flow: flow))
            }
        case .tick:
            loop.isTicking = false
            core.tick(at: now)
        case .deadlinePassed:
            guard !core.isIdle else { return true }
            parts.log.warning(
                "Stopped before everything under way was finished; it is read again at the next start",
                .field("items.open", core.accounting.itemsOpen))
            return true
        }
        return false
    }

    private func carryOut(_ action: RelayCore.Action, in group: inout Group) {
        let parts = parts
        switch action {
        case .send(let id, let batch): group.addTask { .appended(id, batch, await parts.sink.append(batch)) }
        case .commit(let commit):
            group.addTask {
                .committed(
                    await Flow.commit(
                        commit, store: parts.store, status: parts.status, time: parts.time, log: parts.log))
            }
        case .acknowledge(let partition, let position): parts.acknowledge(partition, position)
        case .tidy(let ended):
            group.addTask {
                await Housekeeping.tidy(ended, store: parts.store, log: parts.log)
                return .tidied
            }
        }
    }

    /// Dead letters that somebody wants tried again.
    private func retries(_ parts: Parts, flow: Int64) async -> [RelayBatch] {
        var query = DeadLetterQuery()
        query.flow = flow
        query.retryOnly = true
        query.limit = 50
        do {
            var batches: [RelayBatch] = []
            for letter in try await parts.store.deadLetters(query) {
                // The mark goes first: a letter that fails again must be asked for again, not tried for ever.
                _ = try await parts.store.markDeadLetters(ids: [letter.id], retry: false)
                guard var batch = parts.batch(letter) else { continue }
                batch.partition = ""
                batch.position = nil
                batch.origin = .deadLetter(id: letter.id)
                batches.append(batch)
            }
            return batches
        } catch {
            parts.log.warning("Dead letters could not be looked through", .cause(error))
            return []
        }
    }
}
