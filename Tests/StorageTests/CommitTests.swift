// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import Testing

@Suite("Commits") struct CommitTests {
    @Test func `writes every part of a commit in one transaction`() async throws {
        let folder = try TemporaryFolder()
        let job = Job(
            runner: "walk", id: "j", flow: 1, step: "start", due: at(5), attempts: 0, payload: [1], created: at(4))
        var commit = FlowCommit { commit in
            commit.put(1)
            commit.own(1, by: 10)
            commit.jobs = [job]
            commit.history = [record(10)]
            commit.deadLetters = [letter(3)]
            commit.values = ["generation": [2], "gone": nil]
            commit.checkpoints = ["0": bytes("7-0")]
        }
        let store = try await SQLiteStore.open(path: folder.file)
        try await store.setValues(flow: 1, ["gone": [1]])
        try await store.commit(commit)
        commit.checkpoints = ["1": bytes("8-0")]
        try await store.commit(commit)
        await store.close()

        let again = try await SQLiteStore.open(path: folder.file)
        #expect(try await again.checkpoints(flow: 1) == ["0": bytes("7-0"), "1": bytes("8-0")])
        #expect(try await again.checkpoints(flow: 2).isEmpty)
        #expect(try await again.values(flow: 1) == ["generation": [2]])
        #expect(try await again.job(runner: "walk", id: "j") == job)
        #expect(try await again.history(HistoryQuery()) == [record(10), record(10)])
        #expect(try await again.countDeadLetters(flow: 1) == 1)
        #expect(try await again.entry(1)?.owners.count == 1)
    }

    @Test func `serves many flows that commit at once, one failing among them`() async throws {
        let folder = try TemporaryFolder()
        let store = try await SQLiteStore.open(path: folder.file)
        var flows: [Int64] = []
        for number in 1...16 { flows.append(try await store.number(of: "flow \(number)", in: .flow)) }
        // Somebody else has taken the 13th over.
        for number in 1...2 {
            _ = try await store.acquireLease(name: "flow 13", holder: "\(number)", until: at(0), now: at(1))
        }
        let failures = await withTaskGroup(of: Int.self) { [flows] group in
            for (index, flow) in flows.enumerated() {
                group.addTask {
                    var failures = 0
                    for round in 1...10 {
                        let commit = FlowCommit(flow: flow, token: 1) { commit in
                            commit.put(index * 1000 + round)
                            commit.own(index * 1000 + round, by: round)
                            commit.checkpoints["0"] = bytes("\(round)")
                        }
                        do { try await store.commit(commit) } catch { failures += 1 }
                    }
                    return failures
                }
            }
            return await group.reduce(0, +)
        }
        #expect(failures == 10)
        #expect(try await store.countEntries(target: 1) == [.present: 150])
        for (index, flow) in flows.enumerated() {
            #expect(try await store.checkpoints(flow: flow) == (index == 12 ? [:] : ["0": bytes("10")]))
        }
        try await store.checkIntegrity()
    }

    @Test func `refuses the commit of a flow that another node has taken over`() async throws {
        let store = try await inMemory()
        let flow = try await store.number(of: "iocs", in: .flow)
        let mine = try #require(
            try await store.acquireLease(name: "iocs", holder: "a", until: at(100), now: at(0)))
        let commit = FlowCommit(flow: flow, token: mine.fencingToken) { $0.put(1) }
        try await store.commit(commit)

        let theirs = try await store.acquireLease(name: "iocs", holder: "b", until: at(300), now: at(200))
        #expect(theirs?.fencingToken == mine.fencingToken + 1)
        await #expect {
            try await store.commit(FlowCommit(flow: flow, token: mine.fencingToken) { $0.put(2) })
        } throws: { error in
            if case .fenced("iocs") = error as? StorageError { true } else { false }
        }
        #expect(try await store.entry(2) == nil)
        let other = try await store.number(of: "other", in: .flow)
        try await store.commit(FlowCommit(flow: other, token: 0) { $0.put(3) })
    }

    @Test func `answers after closing with an error, not a crash`() async throws {
        let store = try await inMemory()
        await store.close()
        await store.close()
        await #expect(throws: StorageError.self) { try await store.commit(FlowCommit { $0.put(1) }) }
        await #expect(throws: StorageError.self) { try await store.checkpoints(flow: 1) }
    }
}
