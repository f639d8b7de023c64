// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import Testing

@testable import Engine

/// A flow core on a bench: the ledger answers at once, and everything that goes to the target waits for the test.
struct CoreBench {
    var core: FlowCore
    private(set) var clock = Duration.seconds(1000)
    private(set) var rows: [Digest128: LedgerEntry] = [:]
    private(set) var commits: [FlowCommit] = []
    /// Sent and not yet answered.
    private(set) var sent: [OperationBatch] = []
    private(set) var asked: [(key: Digest128, source: Digest128)] = []
    private(set) var appended: [RecordBatch] = []
    private(set) var acting: [(id: UInt64, act: Act)] = []
    private(set) var acknowledged: [SourcePosition] = []
    private(set) var tidied: [FlowCore.Ended] = []
    private(set) var ceilings: [(removals: Int, entries: Int)] = []
    private(set) var recoveriesFinished = 0
    /// Whether commits are durable as soon as they are asked for.
    var commitsAtOnce = true
    private var waiting: FlowCommit?
    private var nextRow: Int64 = 1

    init(
        _ model: TextModel = TextModel(), recovery: FlowCore.Recovery = .complete, generation: Int64 = 1,
        ceiling: DeleteCeiling = DeleteCeiling(), guards: GuardPolicy = .off, checkpoint: SourcePosition? = nil,
        entryCount: Int = 0, _ adjust: (inout FlowLimits) -> Void = { _ in }
    ) {
        var limits = FlowLimits()
        adjust(&limits)
        core = FlowCore(
            identity: .init(flow: 1, target: 1, partition: "p", fencingToken: 3), model: model, limits: limits,
            ceiling: ceiling, guards: guards, generation: generation, recovery: recovery, checkpoint: checkpoint,
            entryCount: entryCount)
    }

    var now: Moment { Moment(uptime: clock, wall: Instant(milliseconds: clock.milliseconds)) }
    var checkpoint: String? {
        commits.compactMap { $0.checkpoints["p"] }.last.map(\.text)
    }
    var history: [HistoryRecord] { commits.flatMap(\.history) }
    var deadLetters: [DeadLetter] { commits.flatMap(\.deadLetters) }
    var jobs: [Job] { commits.flatMap(\.jobs) }

    /// A row as an earlier run left it.
    mutating func stand(
        _ content: String, state: EntryState = .present, id: String = "known", owners: [UInt64] = [],
        generation: Int64 = 1, flow: Int64 = 1, at time: Int64 = 0
    ) {
        let key = EngineTests.key(content)
        rows[key] = LedgerEntry(
            id: nextRow, key: key, remoteID: id, digest: core.model.digest(of: [UInt8](content)), state: state,
            owners: owners.map {
                LedgerOwner(
                    flow: flow, source: source($0), event: Instant(milliseconds: time), generation: generation,
                    contribution: [UInt8](content))
            })
        nextRow += 1
    }

    mutating func read(_ items: Item...) {
        core.read(items, at: now)
        follow()
    }

    mutating func observe(_ entries: [ObservedEntry]) {
        core.observe(entries, at: now)
        follow()
    }

    /// Lets time pass in one step.
    mutating func pass(_ duration: Duration) {
        clock += duration
        core.tick(at: now)
        follow()
    }

    /// Lets what lingers go out and what is due be committed.
    mutating func settle() { pass(.seconds(2)) }

    mutating func drain() {
        core.drain(at: now)
        follow()
    }

    mutating func approve() {
        core.approve(at: now)
        follow()
    }

    /// Answers the oldest batch, all of its operations alike or each by itself.
    mutating func deliver(_ result: (Engine.Operation) -> OperationResult = { .applied(remoteID: $0.id) }) {
        let batch = sent.removeFirst()
        core.delivered(batch.id, results: batch.operations.map(result), at: now)
        follow()
    }

    mutating func deliver(_ id: UInt64, _ results: [OperationResult]) {
        sent.removeAll { $0.id == id }
        core.delivered(id, results: results, at: now)
        follow()
    }

    /// Answers all batches until nothing more comes.
    mutating func deliverAll() {
        while true {
            while !sent.isEmpty { deliver() }
            settle()
            if sent.isEmpty { return }
        }
    }

    mutating func answer(_ holding: FlowCore.Holding) {
        core.answered(asked.removeFirst().key, holding, at: now)
        follow()
    }

    mutating func append(_ result: RecordResult = .appended(refused: [:]), to id: UInt64? = nil) {
        let index = appended.firstIndex { id == nil || $0.id == id } ?? 0
        core.appended(appended.remove(at: index).id, result: result, at: now)
        follow()
    }

    mutating func act(_ result: ActResult) {
        core.acted(acting.removeFirst().id, result: result, at: now)
        follow()
    }

    /// Makes the commit durable that ``commitsAtOnce`` held up.
    mutating func commit() {
        guard let waiting else { return }
        self.waiting = nil
        write(waiting)
        core.committed(at: now)
        follow()
    }
    var isCommitting: Bool { waiting != nil }

    private mutating func follow() {
        while true {
            let actions = core.takeActions()
            #expect(core.accounting.holds, "\(core.accounting)")
            if actions.isEmpty { return }
            for action in actions {
                switch action {
                case .lookUp(let id, let query): core.resolved(id, entries: entries(query), at: now)
                case .ask(let key, _, let source): asked.append((key, source))
                case .send(let batch): sent.append(batch)
                case .append(let batch): appended.append(batch)
                case .perform(let id, let act): acting.append((id, act))
                case .commit(let commit):
                    #expect(waiting == nil, "two commits at once")
                    if commitsAtOnce {
                        write(commit)
                        core.committed(at: now)
                    } else {
                        waiting = commit
                    }
                case .acknowledge(let position): acknowledged.append(position)
                case .tidy(let ended): tidied += ended
                case .recoveryFinished: recoveriesFinished += 1
                case .ceilingReached(let removals, let entries): ceilings.append((removals, entries))
                }
            }
        }
    }

    private func entries(_ query: LedgerQuery) -> [LedgerEntry] {
        rows.values.filter { row in
            query.keys.contains(row.key) || row.owners.contains { query.sources.contains($0.source) && $0.flow == 1 }
        }.sorted { $0.id < $1.id }
    }

    private mutating func write(_ commit: FlowCommit) {
        commits.append(commit)
        for change in commit.entries {
            guard let value = change.value else {
                rows[change.key] = nil
                continue
            }
            var row =
                rows[change.key]
                ?? LedgerEntry(
                    id: nextRow, key: change.key, remoteID: "", digest: .zero, state: value.state, owners: [])
            if rows[change.key] == nil { nextRow += 1 }
            row.remoteID = value.remoteID
            row.digest = value.digest
            row.state = value.state
            rows[change.key] = row
        }
        for change in commit.owners {
            rows[change.key]?.owners.removeAll { $0.flow == 1 && $0.source == change.source }
            guard let value = change.value else { continue }
            #expect(rows[change.key] != nil, "an owner without a row")
            rows[change.key]?.owners.append(
                LedgerOwner(
                    flow: 1, source: change.source, event: value.event, generation: value.generation,
                    contribution: value.contribution))
        }
        for mark in commit.marks {
            for (key, row) in rows where row.id == mark.entryID {
                guard let index = row.owners.firstIndex(where: { $0.source == mark.source }) else { continue }
                rows[key]?.owners[index].generation = mark.generation
            }
        }
    }
}

extension Engine.Operation {
    /// What the target calls it: the known id, or a new one.
    var id: String { remoteID.isEmpty ? "new-" + content.text : remoteID }
    var described: String { "\(kind) \(content.text)" }
}

extension OperationBatch {
    var described: [String] { operations.map(\.described) }
}

extension [OperationBatch] {
    var described: [[String]] { map(\.described) }
}
