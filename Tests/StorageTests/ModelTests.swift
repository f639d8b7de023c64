// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@testable import Storage

/// The ledger as it should be, in dictionaries.
private struct Model {
    struct Place: Hashable {
        var target: Int64
        var key: Digest128
    }
    struct OwnerName: Hashable {
        var place: Place
        var flow: Int64
        var source: Digest128
    }
    var entries: [Place: EntryChange.Value] = [:]
    var owners: [OwnerName: LedgerOwner] = [:]
    var checkpoints: [Int64: [UInt8]] = [:]

    static let gone = EntryChange.Value(remoteID: "", digest: Digest128(high: 0, low: 0), state: .absent)

    mutating func apply(_ commit: FlowCommit) {
        for change in commit.entries {
            let place = Place(target: commit.target, key: change.key)
            guard change.value == nil else {
                entries[place] = change.value
                continue
            }
            owners = owners.filter { $0.key.place != place || $0.key.flow != commit.flow }
            // What another flow wants keeps its row.
            let isWanted = owners.contains { $0.key.place == place }
            entries[place] = isWanted && entries[place] != nil ? Self.gone : nil
        }
        for change in commit.owners {
            let place = Place(target: commit.target, key: change.key)
            if change.value != nil, entries[place] == nil { entries[place] = Self.gone }
            owners[OwnerName(place: place, flow: commit.flow, source: change.source)] = change.value.map {
                LedgerOwner(
                    flow: commit.flow, source: change.source, event: $0.event, generation: $0.generation,
                    contribution: $0.contribution)
            }
        }
        if let position = commit.checkpoints["0"] { checkpoints[commit.flow] = position }
    }

    /// Like ``StateStore/lookUp(_:)``, with ids set to 0 and everything in the order of keys.
    func lookUp(_ query: LedgerQuery) -> [LedgerEntry] {
        let owned = owners.keys.filter {
            $0.flow == query.flow && $0.place.target == query.target && query.sources.contains($0.source)
        }
        let keys = Set(owned.map(\.place.key)).union(query.keys)
        return keys.sorted().compactMap { key in
            let place = Place(target: query.target, key: key)
            guard let entry = entries[place] else { return nil }
            let own = owners.filter { $0.key.place == place }.values
            return LedgerEntry(
                id: 0, key: key, remoteID: entry.remoteID, digest: entry.digest, state: entry.state,
                owners: own.sorted { ($0.flow, $0.source) < ($1.flow, $1.source) })
        }
    }
}

@Suite("Ledger against a model") struct ModelTests {
    private func digest(_ random: inout SeededRandom) -> Digest128 {
        // Few values, so that keys meet again; both halves, so that order matters; keys and sources alike.
        Digest128(
            high: UInt64.random(in: 0...3, using: &random) << 62, low: UInt64.random(in: 0...9, using: &random))
    }

    private func commit(_ model: Model, _ random: inout SeededRandom) -> FlowCommit {
        var commit = FlowCommit(
            flow: Int64.random(in: 1...2, using: &random), target: Int64.random(in: 1...2, using: &random),
            fencingToken: 0)
        var known = Set(model.entries.keys.filter { $0.target == commit.target }.map(\.key))
        for _ in 0..<Int.random(in: 0...12, using: &random) {
            let key = digest(&random)
            if random.chance(0.3) {
                known.remove(key)
                commit.entries.append(EntryChange(key: key, value: nil))
            } else {
                known.insert(key)
                let remoteID = random.chance(0.5) ? falconID : "\(random.next() % 100)"
                let state = EntryState.allCases.randomElement(using: &random) ?? .present
                commit.entries.append(
                    EntryChange(key: key, value: .init(remoteID: remoteID, digest: digest(&random), state: state)))
            }
        }
        // Another flow may have removed what an owner names.
        let candidates = random.chance(0.2) ? (0..<4).map { _ in digest(&random) } : known.sorted()
        for _ in 0..<Int.random(in: 0...16, using: &random) {
            if random.chance(0.3) {
                commit.owners.append(OwnerChange(key: digest(&random), source: digest(&random), value: nil))
            } else if let key = candidates.randomElement(using: &random) {
                let value = OwnerChange.Value(
                    event: at(Int64.random(in: 0...9, using: &random)), generation: 1,
                    contribution: Array(repeating: 7, count: Int.random(in: 0...200, using: &random)))
                commit.owners.append(OwnerChange(key: key, source: digest(&random), value: value))
            }
        }
        commit.checkpoints["0"] = bytes("\(random.next())")
        return commit
    }

    private func lookUp(_ query: LedgerQuery, in store: SQLiteStore) async throws -> [LedgerEntry] {
        try await store.lookUp(query).sorted { $0.key < $1.key }.map { entry in
            var entry = entry
            entry.id = 0
            return entry
        }
    }

    @Test(arguments: 1...12)
    func `gives what a dictionary would`(_ seed: UInt64) async throws {
        let folder = try TemporaryFolder()
        var random = SeededRandom(seed: seed)
        var options = SQLiteOptions()
        // So few that pointers are folded all the time.
        options.recentPointers = Int.random(in: 1...40, using: &random)
        var store = try await SQLiteStore.open(path: folder.file, options: options)
        var model = Model()
        for _ in 0..<60 {
            let next = commit(model, &random)
            try await store.commit(next)
            model.apply(next)
            for target: Int64 in 1...2 {
                let query = LedgerQuery(
                    target: target, flow: Int64.random(in: 1...2, using: &random),
                    sources: (0..<4).map { _ in digest(&random) }, keys: (0..<4).map { _ in digest(&random) })
                #expect(try await lookUp(query, in: store) == model.lookUp(query))
            }
            if random.chance(0.1) {
                await store.close()
                store = try await SQLiteStore.open(path: folder.file, options: options)
            }
        }
        try await store.checkIntegrity()
        for flow: Int64 in 1...2 {
            #expect(try await store.checkpoints(flow: flow)["0"] == model.checkpoints[flow])
        }
        for target: Int64 in 1...2 {
            let all = try await store.entries(target: target, after: 0, limit: 1000)
            #expect(Set(all.map(\.key)) == Set(model.entries.keys.filter { $0.target == target }.map(\.key)))
        }
    }
}
