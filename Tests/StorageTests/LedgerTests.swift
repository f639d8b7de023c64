// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import TestKit
import Testing

@Suite("Ledger") struct LedgerTests {
    @Test func `gives back an entry with its owners`() async throws {
        let store = try await inMemory()
        try await store.commit(
            FlowCommit { commit in
                commit.put(7, remoteID: falconID, state: .marked)
                commit.own(7, by: 70, generation: 3, "block")
            })
        let entry = try #require(try await store.entry(7))
        #expect(entry.key == digest(7))
        #expect(entry.remoteID == falconID)
        #expect(entry.digest == digest(8))
        #expect(entry.state == .marked)
        #expect(
            entry.owners == [
                LedgerOwner(flow: 1, source: digest(70), event: at(1000), generation: 3, contribution: bytes("block"))
            ])
    }

    @Test(arguments: ["", "x", falconID, falconID.uppercased(), String(repeating: "g", count: 64), "ümläut"])
    func `keeps a remote id as it is`(_ id: String) async throws {
        let store = try await inMemory()
        try await store.commit(FlowCommit { $0.put(1, remoteID: id) })
        #expect(try await store.entry(1)?.remoteID == id)
    }

    @Test func `finds entries by source and by key, each once`() async throws {
        let store = try await inMemory()
        try await store.commit(
            FlowCommit { commit in
                for key in 1...4 { commit.put(key) }
                commit.own(1, by: 10)
                commit.own(2, by: 10)
                commit.own(2, by: 20)
                commit.own(3, by: 20)
            })
        let found = try await store.lookUp(sources: [10, 20, 99], keys: [2, 4, 98])
        #expect(found.map(\.key) == [1, 2, 3, 4].map(digest))
        #expect(found[1].owners.map(\.source) == [digest(10), digest(20)])
        #expect(found[3].owners.isEmpty)
    }

    @Test func `keeps targets and flows apart`() async throws {
        let store = try await inMemory()
        try await store.commit(
            FlowCommit(flow: 1, target: 1) { commit in
                commit.put(5, remoteID: "one")
                commit.own(5, by: 50)
            })
        try await store.commit(
            FlowCommit(flow: 2, target: 2) { commit in
                commit.put(5, remoteID: "two")
                commit.own(5, by: 50)
            })
        #expect(try await store.entry(5, target: 1)?.remoteID == "one")
        #expect(try await store.entry(5, target: 2)?.remoteID == "two")
        #expect(try await store.lookUp(sources: [50], flow: 1, target: 2).isEmpty)
        #expect(try await store.lookUp(sources: [50], flow: 2, target: 2).map(\.remoteID) == ["two"])
    }

    @Test func `does not take a key for a source`() async throws {
        let store = try await inMemory()
        try await store.commit(
            FlowCommit { commit in
                commit.put(1)
                commit.put(2)
                commit.own(1, by: 2)
            })
        #expect(try await store.lookUp(sources: [1]).isEmpty)
        #expect(try await store.lookUp(sources: [2]).map(\.key) == [digest(1)])
        #expect(try await store.lookUp(keys: [2]).map(\.key) == [digest(2)])
    }

    @Test func `shares a key between flows on one target`() async throws {
        let store = try await inMemory()
        try await store.commit(
            FlowCommit(flow: 1) { commit in
                commit.put(1)
                commit.own(1, by: 10)
            })
        // The entry is not in this commit: the owner finds it.
        try await store.commit(FlowCommit(flow: 2) { $0.own(1, by: 10, "other") })
        let entry = try #require(try await store.entry(1))
        #expect(entry.owners.map(\.flow) == [1, 2])
        #expect(try await store.lookUp(sources: [10], flow: 2).map(\.id) == [entry.id])
    }

    @Test func `removes an entry with all its owners`() async throws {
        let store = try await inMemory()
        try await store.commit(
            FlowCommit(flow: 1) { commit in
                commit.put(1)
                commit.own(1, by: 10)
                commit.own(1, by: 11)
            })
        try await store.commit(FlowCommit(flow: 1) { $0.remove(1) })
        #expect(try await store.lookUp(sources: [10], keys: [1], flow: 1).isEmpty)
        try await store.checkIntegrity()
    }

    // covers: better:shared-target
    @Test func `a removed entry that another flow wants stays as absent`() async throws {
        let store = try await inMemory()
        try await store.commit(
            FlowCommit(flow: 1) { commit in
                commit.put(1)
                commit.own(1, by: 10)
            })
        try await store.commit(FlowCommit(flow: 2) { $0.own(1, by: 20) })
        try await store.commit(FlowCommit(flow: 1) { $0.remove(1) })
        let entry = try #require(try await store.entry(1))
        #expect(entry.state == .absent && entry.remoteID.isEmpty)
        #expect(entry.owners.map(\.source) == [digest(20)])
        #expect(try await store.lookUp(sources: [10], flow: 1).isEmpty)
        try await store.checkIntegrity()
    }

    // covers: better:shared-target
    @Test func `tells a flow what others commit at its target, before they know of it`() async throws {
        let store = try await inMemory()
        let heard = Recorder<[Digest128]>()
        await store.watch(target: 1, for: 1) { heard.append($0) }
        try await store.commit(
            FlowCommit(flow: 2) { commit in
                commit.put(1)
                commit.own(1, by: 10)
            })
        #expect(heard.elements.map { Set($0) } == [[digest(1)]])
        try await store.commit(FlowCommit(flow: 1) { $0.put(2) })
        try await store.commit(FlowCommit(flow: 2, target: 2) { $0.put(3) })
        try await store.commit(FlowCommit(flow: 2) { $0.checkpoints["0"] = bytes("5-0") })
        #expect(heard.elements.count == 1)
        await store.watch(target: 1, for: 1, nil)
        try await store.commit(FlowCommit(flow: 2) { $0.put(4) })
        #expect(heard.elements.count == 1)
    }

    @Test func `removes one owner and leaves the others`() async throws {
        let store = try await inMemory()
        try await store.commit(
            FlowCommit { commit in
                commit.put(1)
                commit.own(1, by: 10)
                commit.own(1, by: 11)
            })
        try await store.commit(
            FlowCommit { commit in
                commit.disown(1, by: 10)
                commit.disown(1, by: 12)
                commit.disown(99, by: 10)
            })
        #expect(try await store.entry(1)?.owners.map(\.source) == [digest(11)])
        #expect(try await store.lookUp(sources: [10]).isEmpty)
    }

    @Test func `lets the last change of a commit stand`() async throws {
        let store = try await inMemory()
        try await store.commit(
            FlowCommit { commit in
                commit.put(1, remoteID: "first")
                commit.put(1, remoteID: "second")
                commit.own(1, by: 10, "first")
                commit.own(1, by: 10, "second")
                commit.own(1, by: 11)
                commit.disown(1, by: 11)
                commit.put(2)
                commit.remove(2)
                commit.put(3, remoteID: "old")
                commit.remove(3)
                commit.put(3, remoteID: "new")
                commit.own(3, by: 30)
            })
        let found = try await store.lookUp(keys: [1, 2, 3])
        #expect(found.map(\.remoteID) == ["second", "new"])
        #expect(found[0].owners.map(\.contribution) == [bytes("second")])
        #expect(found[1].owners.map(\.source) == [digest(30)])
        try await store.checkIntegrity()
    }

    @Test func `an owner whose entry another flow has just removed keeps its wish`() async throws {
        let store = try await inMemory()
        try await store.commit(
            FlowCommit { commit in
                commit.own(2, by: 10)
                commit.own(2, by: 11)
                commit.checkpoints["0"] = bytes("5-0")
            })
        let entry = try #require(try await store.entry(2))
        #expect(entry.state == .absent && entry.owners.map(\.source) == [digest(10), digest(11)])
        #expect(try await store.lookUp(sources: [11]).map(\.id) == [entry.id])
        try await store.checkIntegrity()
    }

    @Test func `marks owners of its own flow only`() async throws {
        let store = try await inMemory()
        try await store.commit(
            FlowCommit(flow: 1) { commit in
                commit.put(1)
                commit.own(1, by: 10, generation: 1)
                commit.own(1, by: 11, generation: 1)
            })
        try await store.commit(FlowCommit(flow: 2) { $0.own(1, by: 10, generation: 1) })
        let id = try #require(try await store.entry(1)).id
        try await store.commit(
            FlowCommit(flow: 1) { $0.marks = [OwnerMark(entryID: id, source: digest(10), generation: 2)] })
        let owners = try #require(try await store.entry(1)).owners
        #expect(owners.map(\.generation) == [2, 1, 1])
        #expect(owners.map(\.contribution) == Array(repeating: bytes("want"), count: 3))
    }

    @Test func `pages through stale owners, each entry with all its owners`() async throws {
        let store = try await inMemory()
        try await store.commit(
            FlowCommit { commit in
                for key in 1...10 {
                    commit.put(key)
                    commit.own(key, by: 100 + key, generation: key.isMultiple(of: 2) ? 1 : 2)
                    commit.own(key, by: 200 + key, generation: 2)
                }
            })
        try await store.commit(
            FlowCommit(flow: 1, target: 2) { commit in
                commit.put(1)
                commit.own(1, by: 300, generation: 1)
            })
        var keys: [Digest128] = []
        var after: Int64 = 0
        while true {
            let page = try await store.staleOwners(flow: 1, target: 1, below: 2, after: after, limit: 2)
            guard let last = page.last else { break }
            #expect(page.count <= 2)
            #expect(page.allSatisfy { $0.owners.count == 2 })
            keys += page.map(\.key)
            after = last.id
        }
        #expect(keys == [2, 4, 6, 8, 10].map(digest))
        #expect(try await store.staleOwners(flow: 2, target: 1, below: 9, after: 0, limit: 9).isEmpty)
    }

    @Test func `pages through a target's entries and counts them by state`() async throws {
        let store = try await inMemory()
        try await store.commit(
            FlowCommit { commit in
                for key in 1...5 { commit.put(key, state: key < 3 ? .found : .present) }
            })
        try await store.commit(FlowCommit(target: 2) { $0.put(1) })
        let first = try await store.entries(target: 1, after: 0, limit: 3)
        let rest = try await store.entries(target: 1, after: first[2].id, limit: 3)
        #expect((first + rest).map(\.key) == (1...5).map(digest))
        #expect(try await store.countEntries(target: 1) == [.found: 2, .present: 3])
        #expect(try await store.countEntries(target: 3).isEmpty)
    }
}
