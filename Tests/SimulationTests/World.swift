// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Storage

@testable import Engine

/// One run of a flow from a seed: a platform, a target, a disk, a clock, and faults between all of them.
struct World {
    struct Failure: Error, CustomStringConvertible {
        let seed: UInt64
        let description: String
    }
    struct Report {
        var crashes = 0
        var remoteFaults = 0
    }

    private enum Answer {
        case resolved(UInt64, [LedgerEntry])
        case deliver(OperationBatch)
        case delivered(UInt64, [OperationResult])
        case append(RecordBatch)
        case appended(UInt64, RecordResult)
        case act(UInt64, Act, ActStep)
        case commit(FlowCommit)
        case committed
        case ask(Digest128, Digest128)
        case acknowledged(SourcePosition)
    }

    private let seed: UInt64
    private var random: SeededRandom
    private let platform: Platform
    private let model: TestModel
    private var target = Target()
    private var store = DurableStore()
    private var clock: Duration = .zero
    private(set) var report = Report()

    private var core: FlowCore
    private var answers: [Answer] = []
    private var backlog: [Item] = []
    private var handed: Set<SourcePosition> = []
    private var generation: Int64 = 1
    private var hasReset = false
    private var faultsLeft: Int
    private var mustSweep = false
    private var acknowledged: SourcePosition?
    /// How often a record was taken although its answer was lost: so often may it come again.
    private var lostAnswers: [[UInt8]: Int] = [:]
    private var isGuarded = false
    var isTelling = false

    init(seed: UInt64) {
        self.seed = seed
        var random = SeededRandom(seed: seed)
        platform = Platform(random: &random)
        model = TestModel(isSoft: random.chance(0.5))
        faultsLeft = Int.random(in: 0...14, using: &random)
        self.random = random
        core = Self.newCore(model, store: store, generation: 1, recovery: .complete, random: &random)
        backlog = visibleItems(upTo: platform.resetAt ?? platform.events.count)
    }

    private static func newCore(
        _ model: TestModel, store: DurableStore, generation: Int64, recovery: FlowCore.Recovery,
        guards: GuardPolicy = .off, random: inout SeededRandom
    ) -> FlowCore {
        var limits = FlowLimits()
        limits.batchSize = Int.random(in: 1...4, using: &random)
        limits.maxInFlight = Int.random(in: 1...3, using: &random)
        limits.commitRows = Int.random(in: 1...6, using: &random)
        limits.windowItems = Int.random(in: 4...30, using: &random)
        limits.recordBatch = 2
        limits.recordsInFlight = Int.random(in: 1...2, using: &random)
        limits.maxActs = 2
        return FlowCore(
            identity: .init(flow: 1, target: 1, partition: "p", fencingToken: store.fencingToken), model: model,
            limits: limits, ceiling: DeleteCeiling(count: 1_000_000), guards: guards, generation: generation,
            recovery: recovery,
            checkpoint: store.checkpoint)
    }

    private func visibleItems(upTo count: Int) -> [Item] {
        platform.events[..<count].enumerated().filter { !platform.unseen.contains($0.offset) }
            .map { platform.item($0.element) }
    }

    private var now: Moment { Moment(uptime: clock, wall: Instant(milliseconds: clock.milliseconds)) }

    // MARK: Running

    /// Runs to the end and checks every invariant on the way.
    mutating func run() throws -> Report {
        var steps = 0
        while true {
            steps += 1
            if steps > 30_000 { throw fail("no end in sight: \(core.accounting)") }
            try step()
            if answers.isEmpty, backlog.isEmpty, core.isIdle, !mustSweep {
                if startReset() { continue }
                break
            }
        }
        try checkEnd()
        return report
    }

    private mutating func step() throws {
        if core.wantsRead, !backlog.isEmpty, random.chance(0.5) { handOver() }
        if !answers.isEmpty, random.chance(0.8) {
            let index = Int.random(in: 0..<answers.count, using: &random)
            try settle(answers.remove(at: index))
        } else {
            clock += .milliseconds(Int64.random(in: 1...400, using: &random))
            core.tick(at: now)
        }
        try takeActions()
        if mustSweep, core.accounting.itemsOpen == 0, core.isIdle { sweep() }
        if faultsLeft > 0, random.chance(0.01) { try crash() }
        if !isGuarded, random.chance(0.01) {
            isGuarded = true
            core.replace(guards: .standard, at: now)
            try takeActions()
        }
        if backlog.isEmpty, random.chance(0.2) { core.tick(at: now) }
    }

    private mutating func handOver() {
        let count = min(backlog.count, Int.random(in: 1...5, using: &random))
        let batch = Array(backlog[..<count])
        backlog.removeFirst(count)
        tell("READ \(batch)")
        core.read(batch, at: now)
    }

    private mutating func takeActions() throws {
        var inPlay = Set(core.keysUnderWay)
        if inPlay.count != core.keysUnderWay.count { throw fail("two operations on one key are under way") }
        inPlay = []
        for action in core.takeActions() {
            tell("→ \(action)")
            switch action {
            case .lookUp(let id, let query): answers.append(.resolved(id, store.lookUp(query)))
            case .ask(let key, _, let source): answers.append(.ask(key, source))
            case .send(let batch):
                if isGuarded, batch.operations.contains(where: { !$0.isMark && $0.content.first == Platform.vetoed }) {
                    throw fail("a vetoed content is sent")
                }
                answers.append(.deliver(batch))
            case .append(let batch): answers.append(.append(batch))
            case .perform(let id, let act): answers.append(.act(id, act, .first))
            case .commit(let commit): answers.append(.commit(commit))
            case .acknowledge(let position):
                if let durable = store.checkpoint, position <= durable {
                    acknowledged = position
                } else {
                    throw fail("acknowledged \(position) before it was durable")
                }
            case .tidy(let ended):
                for entry in ended {
                    if case .job(_, let id) = entry.origin { store.jobs[id] = nil }
                }
            case .recoveryFinished:
                core.finishedRecovery = false
                mustSweep = true
                takeUpHeldRemovals()
            case .ceilingReached: throw fail("the ceiling is out of reach")
            }
        }
        if !core.accounting.holds { throw fail("the sums do not hold: \(core.accounting)") }
    }

    private mutating func takeUpHeldRemovals() {
        let items = store.jobs.values.sorted { $0.id < $1.id }.compactMap { job -> Item? in
            guard let held = HeldRemoval(bytes: job.payload) else { return nil }
            var item = Item(
                group: SourcePosition(major: 0), position: nil, source: held.source, time: held.time, label: "held",
                effects: [.state(key: held.key, .remove(held.removal))])
            item.origin = .job(runner: job.runner, id: job.id)
            return item
        }
        core.read(items, at: now)
    }

    private mutating func sweep() {
        let items = Sweep.items(store.stale(below: generation), flow: 1, below: generation)
        if items.isEmpty { mustSweep = false } else { core.read(items, at: now) }
    }

    // MARK: Answers and faults

    private mutating func settle(_ answer: Answer) throws {
        tell("← \(answer)")
        let isFaulty = faultsLeft > 0 && random.chance(0.12)
        switch answer {
        case .resolved(let id, let entries): core.resolved(id, entries: entries, at: now)
        case .ask(let key, let source):
            let holders = platform.owners(after: platform.events.count)[key] ?? []
            let holding: FlowCore.Holding =
                random.chance(0.3) ? .unknown : holders.contains { $0.source != source } ? .held : .free
            core.answered(key, holding, at: now)
        case .deliver(let batch): deliver(batch, isFaulty: isFaulty)
        case .delivered(let id, let results): core.delivered(id, results: results, at: now)
        case .append(let batch):
            if isFaulty {
                remoteFault()
                if random.chance(0.5) {
                    target.append(batch.records)
                    for record in batch.records { lostAnswers[record, default: 0] += 1 }
                }
                answers.append(.appended(batch.id, .retry(after: .milliseconds(50), code: "t", reason: "t")))
            } else {
                target.append(batch.records)
                answers.append(.appended(batch.id, .appended(refused: [:])))
            }
        case .appended(let id, let result): core.appended(id, result: result, at: now)
        case .act(let id, let act, let step): perform(id, act, step, isFaulty: isFaulty)
        case .commit(let commit):
            if isFaulty, random.chance(0.5) {
                faultsLeft -= 1  // disk full for a while: the same commit comes again
                answers.append(.commit(commit))
                return
            }
            try check(commit)
            try store.commit(commit)
            answers.append(.committed)
        case .committed: core.committed(at: now)
        case .acknowledged: break
        }
    }

    private mutating func remoteFault() {
        faultsLeft -= 1
        report.remoteFaults += 1
    }

    private mutating func deliver(_ batch: OperationBatch, isFaulty: Bool) {
        if isFaulty {
            remoteFault()
            let wasApplied = random.chance(0.5)
            let results: [OperationResult] = batch.operations.map { operation in
                if wasApplied { _ = target.apply(operation) }
                return random.chance(0.5)
                    ? .unavailable(after: .milliseconds(100), code: "t.503", reason: "down")
                    : .retry(after: .milliseconds(100), code: "t.500", reason: "failed")
            }
            answers.append(.delivered(batch.id, results))
        } else {
            answers.append(.delivered(batch.id, batch.operations.map { target.apply($0) }))
        }
    }

    private mutating func perform(_ id: UInt64, _ act: Act, _ step: ActStep, isFaulty: Bool) {
        switch step {
        case .recordIntent: answers.append(.act(id, act, .after(intent: store.recordIntent(act))))
        case .perform:
            if isFaulty {
                remoteFault()
                if random.chance(0.5) { target.perform(act.id) }
                answers.append(
                    .act(id, act, .after(performed: .retry(after: .zero, code: "t", reason: "lost"))))
            } else {
                target.perform(act.id)
                answers.append(.act(id, act, .after(performed: .done(remoteID: act.id))))
            }
        case .readBack:
            let took = target.acts[act.id] != nil
            answers.append(.act(id, act, .after(readBack: took ? .took(remoteID: act.id) : .didNot)))
        case .recordOutcome(let outcome, let result):
            store.intents[act.id] = .some(outcome)
            answers.append(.act(id, act, .finish(result)))
        case .finish(let result): core.acted(id, result: result, at: now)
        }
    }

    /// The process dies. Calls under way reach the target or not; nothing in memory survives.
    private mutating func crash() throws {
        faultsLeft -= 1
        report.crashes += 1
        tell("CRASH")
        var zombie = core
        for answer in answers {
            switch answer {
            case .deliver(let batch) where random.chance(0.5): for each in batch.operations { _ = target.apply(each) }
            case .append(let batch):
                if random.chance(0.5) { target.append(batch.records) }
            case .act(_, let act, .perform) where random.chance(0.5): target.perform(act.id)
            case .commit(let commit) where random.chance(0.5):
                try check(commit)
                try store.commit(commit)
            default: break
            }
        }
        answers = []
        store.fencingToken += 1
        try haunt(&zombie)
        let recoveryDone = store.values[FlowValues.recoveryDone] != nil
        let recovery: FlowCore.Recovery = hasReset && !recoveryDone ? .running : .complete
        core = Self.newCore(
            model, store: store, generation: generation, recovery: recovery, guards: isGuarded ? .standard : .off,
            random: &random)
        mustSweep = hasReset && recoveryDone
        backlog = remainder()
    }

    /// The old process was only frozen and wakes up: the store must not take its word any more.
    private mutating func haunt(_ zombie: inout FlowCore) throws {
        zombie.drain(at: now)
        for case .commit(let commit) in zombie.takeActions() {
            let before = store.refusedCommits
            try? store.commit(commit)
            if store.refusedCommits == before { throw fail("a commit with a stale token was taken") }
        }
    }

    /// What the source sends after the durable checkpoint: exclusive.
    private func remainder() -> [Item] {
        let all: [Item]
        if hasReset, let reset = platform.resetAt {
            all = platform.recovery(after: reset) + platform.events[reset...].map { platform.item($0) }
        } else {
            all = visibleItems(upTo: platform.resetAt ?? platform.events.count)
        }
        guard let checkpoint = store.checkpoint else { return all }
        return all.filter { $0.group > checkpoint }
    }

    /// The position is lost; the next run starts with a complete recovery.
    private mutating func startReset() -> Bool {
        guard let reset = platform.resetAt, !hasReset else { return false }
        hasReset = true
        generation += 1
        store.checkpoint = nil
        store.values[FlowValues.recoveryDone] = nil
        core = Self.newCore(
            model, store: store, generation: generation, recovery: .running, guards: isGuarded ? .standard : .off,
            random: &random)
        backlog = platform.recovery(after: reset) + platform.events[reset...].map { platform.item($0) }
        return true
    }

    private func tell(_ what: @autoclosure () -> String) { if isTelling { print("\(clock) \(what())") } }

    // MARK: Invariants

    private func fail(_ what: String) -> Failure { Failure(seed: seed, description: "seed \(seed): \(what)") }

    /// Cursor safety: a checkpoint never lies inside a group of one id, nor before something unread.
    private func check(_ commit: FlowCommit) throws {
        guard let text = commit.checkpoints["p"],
            let position = SourcePosition(parsing: String(decoding: text, as: UTF8.self))
        else { return }
        if let open = backlog.first(where: { $0.position != nil }), open.group <= position {
            throw fail("the checkpoint \(position) passes \(open.group), which was not read")
        }
        if let open = core.openGroups.first(where: { $0 <= position }) {
            throw fail("the checkpoint \(position) passes the unfinished \(open)")
        }
    }

    private func checkEnd() throws {
        if let twice = target.acts.first(where: { $0.value > 1 }) { throw fail("\(twice.key) took place twice") }
        let owners = platform.owners(after: platform.events.count)
        // What stood at the vetoed key before the guard came into force stays.
        for name in UInt8(1)..<Platform.vetoed {
            let key = Platform.key(name)
            let here = target.contents[key]?.content
            guard let last = owners[key]?.max(by: { ($0.time, $0.source) < ($1.time, $1.source) }) else {
                if let here, !(model.isSoft && here == [0xFF]) { throw fail("key \(name) stays as \(here)") }
                continue
            }
            if here != [name, last.variant] { throw fail("key \(name) is \(here ?? []), not \(last.variant)") }
        }
        var counts: [[UInt8]: Int] = [:]
        for record in target.records { counts[record, default: 0] += 1 }
        for (index, event) in platform.events.enumerated() where !platform.unseen.contains(index) {
            for record in event.records where counts[record] == nil { throw fail("record \(record) is lost") }
            if let act = event.act, target.acts[act] == nil { throw fail("\(act) did not take place") }
        }
        for (record, count) in counts where count > 1 + report.crashes + lostAnswers[record, default: 0] {
            throw fail("record \(record) came \(count) times, more often than faults explain")
        }
    }
}
