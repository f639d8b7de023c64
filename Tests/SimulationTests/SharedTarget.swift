// SPDX-License-Identifier: Apache-2.0

import Base
import Storage

@testable import Engine

/// Across flows the strictest content stands, here the larger variant, whenever it came.
private struct StrictestModel: StateModel {
    let inner: TestModel

    func merged(_ owners: [LedgerOwner]) -> [UInt8] {
        owners.map(\.contribution).max { $0.last ?? 0 < $1.last ?? 0 } ?? []
    }
    func removal(of contribution: [UInt8], by template: [UInt8]) -> [UInt8] {
        inner.removal(of: contribution, by: template)
    }
    func remainder(of removal: [UInt8]) -> Remainder { inner.remainder(of: removal) }
    func digest(of content: [UInt8]) -> Digest128 { inner.digest(of: content) }
    func subject(of content: [UInt8]) -> GuardSubject { inner.subject(of: content) }
}

/// Two flows into one tenant, from a seed: both want the same few keys, and every answer comes when it likes.
struct SharedTarget {
    struct Failure: Error, CustomStringConvertible { let description: String }

    /// The ledger of both, as the store keeps it.
    private struct Ledger {
        struct Row {
            var id: Int64
            var value: EntryChange.Value
            var owners: [LedgerOwner] = []
        }
        static let gone = EntryChange.Value(remoteID: "", digest: Digest128(high: 0, low: 0), state: .absent)
        var rows: [Digest128: Row] = [:]
        var nextID: Int64 = 1

        mutating func commit(_ commit: FlowCommit) -> [Digest128] {
            for change in commit.entries {
                if let value = change.value {
                    set(change.key, value)
                    continue
                }
                rows[change.key]?.owners.removeAll { $0.flow == commit.flow }
                if rows[change.key]?.owners.isEmpty ?? true {
                    rows[change.key] = nil
                } else {
                    set(change.key, Self.gone)
                }
            }
            for change in commit.owners {
                if change.value != nil, rows[change.key] == nil { set(change.key, Self.gone) }
                rows[change.key]?.owners.removeAll { $0.flow == commit.flow && $0.source == change.source }
                guard let value = change.value else { continue }
                rows[change.key]?.owners.append(
                    LedgerOwner(
                        flow: commit.flow, source: change.source, event: value.event, generation: value.generation,
                        contribution: value.contribution))
            }
            return commit.entries.map(\.key) + commit.owners.map(\.key)
        }

        private mutating func set(_ key: Digest128, _ value: EntryChange.Value) {
            if rows[key] == nil {
                rows[key] = Row(id: nextID, value: value)
                nextID += 1
            }
            rows[key]?.value = value
        }

        func lookUp(_ query: LedgerQuery) -> [LedgerEntry] {
            let keys = Set(query.keys)
            let sources = Set(query.sources)
            return rows.filter { key, row in
                keys.contains(key) || row.owners.contains { $0.flow == query.flow && sources.contains($0.source) }
            }
            .map { key, row in
                LedgerEntry(
                    id: row.id, key: key, remoteID: row.value.remoteID, digest: row.value.digest,
                    state: row.value.state, owners: row.owners)
            }
            .sorted { $0.id < $1.id }
        }
    }

    private enum Answer {
        case lookUp(UInt64, LedgerQuery)
        case resolved(UInt64, [LedgerEntry])
        case deliver(OperationBatch)
        case delivered(UInt64, [OperationResult])
        case commit(FlowCommit)
        case committed
    }

    private let seed: UInt64
    private var random: SeededRandom
    private let model: StrictestModel
    private var ledger = Ledger()
    private var target = Target()
    private var cores: [FlowCore] = []
    private var answers: [(flow: Int, answer: Answer)] = []
    private var backlogs: [[Item]] = []
    private var wants: [Digest128: [(flow: Int, variant: UInt8)]] = [:]
    private var clock = Duration.seconds(1)
    private var faultsLeft: Int
    var isTelling = false
    /// How often a change of one flow met a key in play at the other.
    private(set) var meetings = 0

    init(seed: UInt64) {
        self.seed = seed
        random = SeededRandom(seed: seed)
        model = StrictestModel(inner: TestModel(isSoft: random.chance(0.3)))
        faultsLeft = Int.random(in: 0...4, using: &random)
        for flow in 0..<2 {
            var limits = FlowLimits()
            limits.batchSize = Int.random(in: 1...3, using: &random)
            limits.maxInFlight = Int.random(in: 1...2, using: &random)
            limits.commitRows = Int.random(in: 1...4, using: &random)
            cores.append(
                FlowCore(
                    identity: .init(flow: Int64(flow + 1), target: 1, partition: "p", fencingToken: 0), model: model,
                    limits: limits, ceiling: DeleteCeiling(count: 1_000_000), guards: .off, generation: 1,
                    recovery: .complete, checkpoint: nil))
            backlogs.append([])
        }
        makeUp()
    }

    /// Each flow has one source a key, which comes and goes.
    private mutating func makeUp() {
        var alive: [Set<UInt8>] = [[], []]
        for number in 1...40 {
            let flow = Int.random(in: 0...1, using: &random)
            let name = UInt8.random(in: 1...3, using: &random)
            let time = Instant(milliseconds: Int64(number))
            let position = SourcePosition(major: UInt64(number))
            let key = Platform.key(name)
            var item = Item(
                group: position, position: position, source: Digest128(high: UInt64(flow + 1), low: UInt64(name)),
                time: time, label: "event")
            item.replacesSource = true
            item.removal = [101]
            wants[key, default: []].removeAll { $0.flow == flow }
            if alive[flow].contains(name), random.chance(0.5) {
                alive[flow].remove(name)
            } else {
                alive[flow].insert(name)
                let variant = UInt8.random(in: 1...3, using: &random)
                item.effects = [.state(key: key, .upsert([name, variant]))]
                wants[key, default: []].append((flow, variant))
            }
            backlogs[flow].append(item)
        }
    }

    private var now: Moment { Moment(uptime: clock, wall: Instant(milliseconds: clock.milliseconds)) }

    mutating func run() throws {
        for _ in 0..<20_000 {
            for flow in 0..<2 where cores[flow].wantsRead && !backlogs[flow].isEmpty && random.chance(0.3) {
                let count = min(backlogs[flow].count, Int.random(in: 1...3, using: &random))
                if isTelling { print("\(clock) \(flow + 1) READ \(backlogs[flow].prefix(count))") }
                cores[flow].read(Array(backlogs[flow].prefix(count)), at: now)
                backlogs[flow].removeFirst(count)
            }
            if !answers.isEmpty, random.chance(0.8) {
                let index = Int.random(in: 0..<answers.count, using: &random)
                let (flow, answer) = answers.remove(at: index)
                settle(answer, of: flow)
            } else {
                clock += .milliseconds(Int64.random(in: 1...300, using: &random))
                for flow in 0..<2 { cores[flow].tick(at: now) }
            }
            for flow in 0..<2 { takeActions(of: flow) }
            if answers.isEmpty, cores.allSatisfy(\.isIdle), backlogs.allSatisfy(\.isEmpty) { return try checkEnd() }
        }
        throw Failure(description: "seed \(seed): no end in sight: \(cores.map(\.accounting))")
    }

    private mutating func takeActions(of flow: Int) {
        for action in cores[flow].takeActions() {
            if isTelling { print("\(clock) \(flow + 1) → \(action)") }
            switch action {
            case .lookUp(let id, let query): answers.append((flow, .lookUp(id, query)))
            case .send(let batch): answers.append((flow, .deliver(batch)))
            case .commit(let commit): answers.append((flow, .commit(commit)))
            default: break
            }
        }
    }

    private mutating func settle(_ answer: Answer, of flow: Int) {
        if isTelling { print("\(clock) \(flow + 1) ← \(answer)") }
        switch answer {
        case .lookUp(let id, let query): answers.append((flow, .resolved(id, ledger.lookUp(query))))
        case .resolved(let id, let entries): cores[flow].resolved(id, entries: entries, at: now)
        case .deliver(let batch):
            var results = batch.operations.map { target.apply($0) }
            if faultsLeft > 0, random.chance(0.1) {
                faultsLeft -= 1
                results = results.map { _ in .retry(after: .milliseconds(50), code: "t.500", reason: "lost") }
            }
            answers.append((flow, .delivered(batch.id, results)))
        case .delivered(let id, let results): cores[flow].delivered(id, results: results, at: now)
        case .commit(let commit):
            let changed = ledger.commit(commit)
            let before = cores[1 - flow].readsOpen
            if !changed.isEmpty { cores[1 - flow].changedElsewhere(changed, at: now) }
            meetings += cores[1 - flow].readsOpen - before
            answers.append((flow, .committed))
        case .committed: cores[flow].committed(at: now)
        }
    }

    private func checkEnd() throws {
        for name in UInt8(1)...3 {
            let key = Platform.key(name)
            let here = target.contents[key]?.content
            let last = (wants[key] ?? []).max { $0.variant < $1.variant }
            let meant = last.map { [name, $0.variant] }
            let isMark = here == [0xFF] && model.inner.isSoft && meant == nil
            guard here == meant || isMark else {
                throw Failure(description: "seed \(seed): key \(name) is \(here ?? []), not \(meant ?? [])")
            }
        }
        if let core = cores.first(where: { !$0.accounting.holds }) {
            throw Failure(description: "seed \(seed): the sums do not hold: \(core.accounting)")
        }
    }
}
