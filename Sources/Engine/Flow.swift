// SPDX-License-Identifier: Apache-2.0

public import Base
public import Storage
public import Telemetry

/// Where a flow's items come from, already gathered and translated.
public protocol FlowSource: Sendable {
    /// The next batch; waits until there is one. Faults that pass (a broken connection) are the source's own business.
    ///
    /// - Throws: what only a new start of the flow can mend: a state reset, settings that became invalid.
    func next() async throws -> SourceRead
    /// Everything up to here is durable.
    func acknowledge(_ position: SourcePosition) async
    /// A dead letter's input as an item again; nil when this build can't read it.
    func item(from letter: DeadLetter) async -> Item?
    /// Called every few seconds, also while reading is paused: what must not wait for the next read.
    func tend() async
    /// Ends a waiting ``next()``, which then gives ``SourceRead/end``.
    func close() async
}

extension FlowSource {
    public func tend() async {}
}

public enum SourceRead: Sendable {
    case items([Item])
    /// No more will come (after ``FlowSource/close()``, or a source that is finite).
    case end
}

/// What a flow writes to. No method throws: every failure is a result that says what to do with it.
public protocol FlowSink: Sendable {
    func deliver(_ batch: OperationBatch) async -> [OperationResult]
    func append(_ batch: RecordBatch) async -> RecordResult
    func perform(_ act: Act) async -> ActResult
    /// Whether an act whose outcome was lost took place.
    func readBack(_ act: Act) async -> ReadBack
    /// Does another live source hold this key?
    func holding(_ key: Digest128, removal: [UInt8], source: Digest128) async -> FlowCore.Holding
}

extension FlowSink {
    public func append(_ batch: RecordBatch) async -> RecordResult {
        .appended(refused: Dictionary(uniqueKeysWithValues: batch.records.indices.map { ($0, "no record target") }))
    }
    public func perform(_ act: Act) async -> ActResult { .refused(code: "act.unknown", reason: "no act target") }
    public func readBack(_ act: Act) async -> ReadBack { .unknown(reason: "no act target") }
    public func holding(_ key: Digest128, removal: [UInt8], source: Digest128) async -> FlowCore.Holding { .unknown }
}

/// The thin asynchronous shell around ``FlowCore``: it carries out actions and brings back their answers, one at a time.
public struct Flow: Sendable {
    public struct Parts: Sendable {
        public var source: any FlowSource
        public var sink: any FlowSink
        public var store: any StateStore
        public var time: any TimeSource
        public var log: Log
        public var status: FlowStatus
        public init(
            source: any FlowSource, sink: any FlowSink, store: any StateStore, time: any TimeSource, log: Log,
            status: FlowStatus
        ) {
            self.source = source
            self.sink = sink
            self.store = store
            self.time = time
            self.log = log
            self.status = status
        }
    }

    private enum Message: Sendable {
        case read(Result<SourceRead, any Error>)
        case resolved(UInt64, Result<[LedgerEntry], any Error>)
        case answered(Digest128, FlowCore.Holding)
        case delivered(UInt64, [OperationResult])
        case appended(UInt64, RecordResult)
        case acted(UInt64, ActResult)
        case committed(Result<Void, any Error>)
        case tidied
        case swept(Result<[Item], any Error>)
        case held([Item])
        case kept(Housekeeping)
        case command(FlowCommand?)
        case changedElsewhere
        case tick
        case stop
        case deadlinePassed
    }

    private let parts: Parts
    private let commands: BoundedChannel<FlowCommand>

    public init(_ parts: Parts, commands: BoundedChannel<FlowCommand> = BoundedChannel(capacity: 16)) {
        self.parts = parts
        self.commands = commands
    }

    /// Runs until `stop` is raised (then finishes what is under way, for at most `grace`), the source ends, or something
    /// fails that only a new start can mend.
    ///
    /// - Parameter mustSweep: an earlier run ended between the end of a recovery and the sweep that follows it.
    @concurrent
    public func run(
        _ core: consuming FlowCore, mustSweep: Bool = false, until stop: StopSignal, grace: Duration = .seconds(20)
    ) async throws {
        let identity = core.identity
        let foreign = ForeignChanges()
        await parts.store.watch(target: identity.target, for: identity.flow) { foreign.add($0) }
        let result: Result<Void, any Error>
        do {
            result = .success(try await run(core, heeding: foreign, mustSweep: mustSweep, until: stop, grace: grace))
        } catch { result = .failure(error) }
        await parts.store.watch(target: identity.target, for: identity.flow, nil)
        try result.get()
    }

    private func run(
        _ core: consuming FlowCore, heeding foreign: ForeignChanges, mustSweep: Bool, until stop: StopSignal,
        grace: Duration
    ) async throws {
        var core = core
        try await withThrowingTaskGroup(of: Message.self) { group in
            var loop = Loop(mustSweep: mustSweep)
            defer { group.cancelAll() }
            group.addTask {
                await stop.wait()
                return .stop
            }
            group.addTask { [commands] in .command(await commands.receive()) }
            let flow = core.identity.flow
            group.addTask {
                await foreign.wait()
                return .changedElsewhere
            }
            group.addTask { [parts] in .kept(await Housekeeping.run(parts, flow: flow)) }
            if core.recovery != .running {
                // What was held back until a recovery's end, and an earlier run did not get to.
                group.addTask { [parts] in .held(await Housekeeping.heldRemovals(parts, flow: flow)) }
            }
            arm(&core, &loop, &group)
            while let message = try await group.next() {
                let now = Moment(parts.time)
                // Before the message: one that ends our own commit must find what others have committed before it.
                let changed = foreign.take()
                if !changed.isEmpty { core.changedElsewhere(changed, at: now) }
                if try handle(message, &core, &loop, &group, foreign, at: now, grace: grace) { return }
                for action in core.takeActions() { carryOut(action, of: core, in: &group) }
                parts.status.update(core, at: now)
                if core.isIdle, core.isDraining || loop.hasEnded { return }
                arm(&core, &loop, &group)
            }
        }
    }

    /// What the loop itself has under way.
    private struct Loop {
        var isReading = false
        var isTicking = false
        var hasEnded = false
        var mustSweep: Bool
        var isSweeping = false
    }

    private typealias Group = ThrowingTaskGroup<Message, any Error>

    private func arm(_ core: inout FlowCore, _ loop: inout Loop, _ group: inout Group) {
        if core.wantsRead, !loop.isReading, !loop.hasEnded {
            loop.isReading = true
            group.addTask { [source = parts.source] in
                do { return .read(.success(try await source.next())) } catch { return .read(.failure(error)) }
            }
        }
        if !loop.isTicking, let moment = core.nextTick() {
            loop.isTicking = true
            // A nearer moment may come up while this one is awaited: wake often enough to meet it.
            let wake = min(max(moment, parts.time.uptime), parts.time.uptime + .milliseconds(50))
            group.addTask { [time = parts.time] in
                try? await time.sleep(untilUptime: wake)
                return .tick
            }
        }
        // Page by page: each must be durable before the next is asked for, or it would come again.
        if loop.mustSweep, !loop.isSweeping, !core.isDraining, core.accounting.itemsOpen == 0 {
            loop.isSweeping = true
            let identity = core.identity
            let generation = core.generation
            group.addTask { [parts] in
                do {
                    let entries = try await parts.store.staleOwners(
                        flow: identity.flow, target: identity.target, below: generation, after: 0, limit: 500)
                    return .swept(.success(Sweep.items(entries, flow: identity.flow, below: generation)))
                } catch { return .swept(.failure(error)) }
            }
        }
    }

    /// - Returns: whether the flow has ended.
    private func handle(
        _ message: Message, _ core: inout FlowCore, _ loop: inout Loop, _ group: inout Group,
        _ foreign: ForeignChanges, at now: Moment, grace: Duration
    ) throws -> Bool {
        switch message {
        case .read(let result):
            loop.isReading = false
            // While draining nothing new is taken in: it is read again at the next start.
            switch try result.get() {
            case .items(let items): if !core.isDraining { core.read(items, at: now) }
            case .end:
                loop.hasEnded = true
                core.drain(at: now)
            }
        case .resolved(let id, let result): core.resolved(id, entries: try result.get(), at: now)
        case .answered(let key, let holding): core.answered(key, holding, at: now)
        case .delivered(let id, let results): core.delivered(id, results: results, at: now)
        case .appended(let id, let result): core.appended(id, result: result, at: now)
        case .acted(let id, let result): core.acted(id, result: result, at: now)
        case .committed(let result):
            try result.get()
            core.committed(at: now)
        case .tidied: break
        case .changedElsewhere:
            group.addTask {
                await foreign.wait()
                return .changedElsewhere
            }
        case .swept(let result):
            loop.isSweeping = false
            let items = try result.get()
            if items.isEmpty {
                loop.mustSweep = false
                group.addTask { [parts, flow = core.identity.flow, generation = core.generation] in
                    await Housekeeping.noteSweep(parts, flow: flow, generation: generation)
                    return .tidied
                }
            } else {
                core.read(items, at: now)
            }
        case .held(let items): core.read(items, at: now)
        case .kept(let housekeeping):
            if housekeeping.isApproved { core.approve(at: now) }
            if !housekeeping.items.isEmpty, !core.isDraining { core.read(housekeeping.items, at: now) }
            group.addTask { [parts, flow = core.identity.flow] in
                try? await parts.time.sleep(for: .seconds(2))
                return .kept(await Housekeeping.run(parts, flow: flow))
            }
        case .command(let command):
            switch command {
            case .observe(let entries): core.observe(entries, at: now)
            case .read(let items): core.read(items, at: now)
            case nil: break
            }
            if command != nil { group.addTask { [commands] in .command(await commands.receive()) } }
        case .tick:
            loop.isTicking = false
            core.tick(at: now)
        case .stop:
            core.drain(at: now)
            group.addTask { [source = parts.source, time = parts.time] in
                await source.close()
                try? await time.sleep(for: grace)
                return .deadlinePassed
            }
        case .deadlinePassed:
            parts.log.warning(
                "Stopped before everything under way was finished; it is read again at the next start",
                .field("items.open", core.accounting.itemsOpen))
            return true
        }
        if core.finishedRecovery {
            core.finishedRecovery = false
            loop.mustSweep = true
        }
        return false
    }

    private func carryOut(_ action: FlowCore.Action, of core: borrowing FlowCore, in group: inout Group) {
        let parts = parts
        switch action {
        case .lookUp(let id, let query):
            group.addTask {
                do { return .resolved(id, .success(try await parts.store.lookUp(query))) } catch {
                    return .resolved(id, .failure(error))
                }
            }
        case .ask(let key, let removal, let source):
            group.addTask { .answered(key, await parts.sink.holding(key, removal: removal, source: source)) }
        case .send(let batch): group.addTask { .delivered(batch.id, await parts.sink.deliver(batch)) }
        case .append(let batch): group.addTask { .appended(batch.id, await parts.sink.append(batch)) }
        case .perform(let id, let act):
            group.addTask {
                .acted(id, await ActRunner(store: parts.store, sink: parts.sink, time: parts.time).run(act))
            }
        case .commit(let commit):
            group.addTask {
                .committed(
                    await Self.commit(
                        commit, store: parts.store, status: parts.status, time: parts.time, log: parts.log))
            }
        case .acknowledge(let position):
            group.addTask {
                await parts.source.acknowledge(position)
                return .tidied
            }
        case .tidy(let ended):
            group.addTask {
                await Housekeeping.tidy(ended, store: parts.store, log: parts.log)
                return .tidied
            }
        case .recoveryFinished:
            let flow = core.identity.flow
            let generation = core.generation
            parts.log.info("The recovery is complete", .field("flow.generation", generation))
            group.addTask { .held(await Housekeeping.heldRemovals(parts, flow: flow)) }
        case .ceilingReached(let removals, let entries):
            parts.log.error(
                "Too many removals within the hour: the flow has stopped until `sallyport approve`",
                .field("removals", removals), .field("entries", entries))
        }
    }

    /// A full disk is back-pressure: the same transaction is tried until there is room. Everything else stops the flow.
    static func commit(
        _ commit: FlowCommit, store: any StateStore, status: FlowStatus, time: any TimeSource, log: Log
    ) async -> Result<Void, any Error> {
        var wait = Duration.seconds(1)
        while true {
            do throws(StorageError) {
                try await store.commit(commit)
                status.storage(trouble: nil)
                return .success(())
            } catch {
                guard error.isRetryable else { return .failure(error) }
                status.storage(trouble: error.description)
                log.error("The state can't be written; waiting", .field("error.code", error.code.text))
                do { try await time.sleep(for: wait) } catch { return .failure(error) }
                wait = min(wait * 2, .seconds(30))
            }
        }
    }
}

/// What may be told to a running flow.
public enum FlowCommand: Sendable {
    /// The target shows these keys otherwise than the ledger has them.
    case observe([ObservedEntry])
    /// Items that come from elsewhere than the source.
    case read([Item])
}
