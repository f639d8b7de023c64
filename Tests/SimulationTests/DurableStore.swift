// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Storage

/// What a disk would hold. A commit is applied whole or not at all.
struct DurableStore {
    struct Row {
        var id: Int64
        var value: EntryChange.Value
        var owners: [Digest128: OwnerChange.Value] = [:]
    }
    var rows: [Digest128: Row] = [:]
    var nextID: Int64 = 1
    var checkpoint: SourcePosition?
    var values: [String: [UInt8]] = [:]
    var jobs: [String: Job] = [:]
    var deadLetters: [DeadLetter] = []
    var intents: [String: ActOutcome?] = [:]
    var fencingToken: Int64 = 0
    var refusedCommits = 0

    mutating func commit(_ commit: FlowCommit) throws {
        guard commit.fencingToken >= fencingToken else {
            refusedCommits += 1
            throw StorageError.fenced(lease: "flow")
        }
        for change in commit.entries {
            if let value = change.value {
                if rows[change.key] == nil {
                    rows[change.key] = Row(id: nextID, value: value)
                    nextID += 1
                } else {
                    rows[change.key]?.value = value
                }
            } else {
                rows[change.key] = nil
            }
        }
        for change in commit.owners { rows[change.key]?.owners[change.source] = change.value }
        for mark in commit.marks {
            for (key, row) in rows where row.id == mark.entryID {
                rows[key]?.owners[mark.source]?.generation = mark.generation
            }
        }
        for job in commit.jobs where jobs[job.id] == nil { jobs[job.id] = job }
        deadLetters += commit.deadLetters
        for (name, value) in commit.values { values[name] = value }
        if let position = commit.checkpoints["p"] {
            checkpoint = SourcePosition(parsing: String(decoding: position, as: UTF8.self))
        }
    }

    func lookUp(_ query: LedgerQuery) -> [LedgerEntry] {
        let sources = Set(query.sources)
        let keys = Set(query.keys)
        return rows.filter { key, row in keys.contains(key) || !sources.isDisjoint(with: row.owners.keys) }.map {
            entry($0.key, $0.value)
        }
    }

    func stale(below generation: Int64) -> [LedgerEntry] {
        rows.filter { $0.value.owners.values.contains { $0.generation < generation } }.map { entry($0.key, $0.value) }
            .sorted { $0.id < $1.id }
    }

    private func entry(_ key: Digest128, _ row: Row) -> LedgerEntry {
        LedgerEntry(
            id: row.id, key: key, remoteID: row.value.remoteID, digest: row.value.digest, state: row.value.state,
            owners: row.owners.sorted { $0.key < $1.key }.map {
                LedgerOwner(
                    flow: 1, source: $0.key, event: $0.value.event, generation: $0.value.generation,
                    contribution: $0.value.contribution)
            })
    }

    mutating func recordIntent(_ act: Act) -> IntentAnswer {
        guard let known = intents[act.id] else {
            intents[act.id] = .some(nil)
            return .recorded
        }
        guard let outcome = known else { return .unfinished(since: act.intended) }
        return .finished(outcome)
    }
}
