// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import Testing

@Suite("History") struct HistoryTests {
    @Test func `comes newest first, by source or key, up to a limit`() async throws {
        let store = try await inMemory()
        try await store.commit(FlowCommit(flow: 1) { $0.history = (1...5).map { record($0) } })
        try await store.commit(FlowCommit(flow: 2) { $0.history = [record(2, flow: 2)] })
        var query = HistoryQuery()
        #expect(try await store.history(query).map(\.source) == [2, 5, 4, 3, 2, 1].map(digest))
        query.sources = [digest(2)]
        #expect(try await store.history(query).map(\.flow) == [2, 1])
        query.keys = [digest(1004)]
        #expect(try await store.history(query).map(\.source) == [2, 4, 2].map(digest))
        query.flow = 1
        query.limit = 1
        #expect(try await store.history(query) == [record(4)])
        query.limit = 0
        #expect(try await store.history(query).isEmpty)
    }

    @Test func `keeps a record whole, but for very long texts`() async throws {
        let store = try await inMemory()
        let long = HistoryRecord(
            at: at(-5), flow: 1, source: digest(1), key: nil, position: "", outcome: "skipped",
            reason: String(repeating: "é", count: 10_000))
        try await store.commit(FlowCommit { $0.history = [record(7), long] })
        let kept = try await store.history(HistoryQuery())
        #expect(kept[1] == record(7))
        #expect(kept[0].key == nil)
        #expect(kept[0].at == at(-5))
        #expect(kept[0].reason == String(repeating: "é", count: 500))
    }

    @Test func `is bounded by age`() async throws {
        var options = SQLiteOptions()
        options.historyAge = .seconds(10)
        let store = try await inMemory(options)
        try await store.commit(FlowCommit { $0.history = (1...30).map { record($0, at: Int64($0) * 1000) } })
        try await store.maintain(now: at(35_000))
        #expect(try await store.history(HistoryQuery()).map(\.source) == (25...30).reversed().map(digest))
        try await store.maintain(now: at(99_000))
        #expect(try await store.history(HistoryQuery()).isEmpty)
        try await store.maintain(now: at(99_000))
    }

    @Test func `is bounded by rows, also when there are many to remove`() async throws {
        var options = SQLiteOptions()
        options.historyRows = 10
        let store = try await inMemory(options)
        try await store.commit(FlowCommit { $0.history = (1...25_000).map { record($0) } })
        try await store.maintain(now: at(2000))
        #expect(try await store.history(HistoryQuery()).map(\.source) == (24_991...25_000).reversed().map(digest))
        #expect(try await store.facts()["history_rows"] == "10")
    }
}

@Suite("Dead letters") struct DeadLetterTests {
    @Test func `keeps the input and counts a repetition as an attempt`() async throws {
        let store = try await inMemory()
        try await store.commit(FlowCommit { $0.deadLetters = [letter(1), letter(2)] })
        var again = letter(1, input: "longer input", seen: 9000)
        again.reason = "another reason"
        try await store.commit(FlowCommit { $0.deadLetters = [again] })
        let letters = try await store.deadLetters(DeadLetterQuery())
        #expect(letters.count == 2)
        #expect(letters[0].attempts == 2)
        #expect(letters[0].firstSeen == at(1000))
        #expect(letters[0].lastSeen == at(9000))
        #expect(letters[0].input == bytes("longer input"))
        #expect(letters[0].reason == "another reason")
        #expect(letters[1].attempts == 1)
        #expect(try await store.facts()["dead_letter_bytes"] == "17")
    }

    @Test func `is found by flow, id, mark and page`() async throws {
        let store = try await inMemory()
        try await store.commit(FlowCommit(flow: 1) { $0.deadLetters = [letter(1), letter(2), letter(3)] })
        try await store.commit(FlowCommit(flow: 2) { $0.deadLetters = [letter(1, flow: 2)] })
        let all = try await store.deadLetters(DeadLetterQuery())
        #expect(all.map(\.flow) == [1, 1, 1, 2])
        var query = DeadLetterQuery()
        query.flow = 2
        #expect(try await store.deadLetters(query).map(\.id) == [all[3].id])
        query.flow = 1
        query.limit = 2
        query.after = all[0].id
        #expect(try await store.deadLetters(query).map(\.id) == [all[1].id, all[2].id])
        query = DeadLetterQuery()
        query.ids = [all[2].id, 999]
        #expect(try await store.deadLetters(query).map(\.id) == [all[2].id])
        #expect(try await store.countDeadLetters(flow: 1) == 3)
        #expect(try await store.countDeadLetters(flow: nil) == 4)
    }

    @Test func `is marked for another try until it fails again`() async throws {
        let store = try await inMemory()
        try await store.commit(FlowCommit { $0.deadLetters = [letter(1), letter(2), letter(3)] })
        let ids = try await store.deadLetters(DeadLetterQuery()).map(\.id)
        #expect(try await store.markDeadLetters(ids: [ids[0], ids[1], 999], retry: true) == 2)
        var marked = DeadLetterQuery()
        marked.retryOnly = true
        #expect(try await store.deadLetters(marked).map(\.id) == [ids[0], ids[1]])
        #expect(try await store.markDeadLetters(ids: [ids[1]], retry: false) == 1)
        #expect(try await store.deadLetters(marked).map(\.retryRequested) == [true])
        try await store.commit(FlowCommit { $0.deadLetters = [letter(1)] })
        #expect(try await store.deadLetters(marked).isEmpty)
    }

    @Test func `never gives an id twice`() async throws {
        let store = try await inMemory()
        try await store.commit(FlowCommit { $0.deadLetters = [letter(1)] })
        let first = try await store.deadLetters(DeadLetterQuery())[0].id
        #expect(try await store.removeDeadLetters(ids: [first]) == 1)
        #expect(try await store.removeDeadLetters(ids: [first]) == 0)
        try await store.commit(FlowCommit { $0.deadLetters = [letter(1)] })
        #expect(try await store.deadLetters(DeadLetterQuery())[0].id > first)
    }

    @Test func `drops the oldest beyond the rows allowed, and says how many`() async throws {
        var options = SQLiteOptions()
        options.deadLetterRows = 3
        let store = try await inMemory(options)
        try await store.commit(FlowCommit { $0.deadLetters = (1...5).map { letter($0) } })
        #expect(try await store.deadLetters(DeadLetterQuery()).map(\.source) == [3, 4, 5].map(digest))
        try await store.commit(FlowCommit { $0.deadLetters = [letter(6)] })
        let facts = try await store.facts()
        #expect(facts["dead_letters"] == "3")
        #expect(facts["dead_letters_evicted"] == "3")
        #expect(facts["dead_letter_bytes"] == "15")
    }

    @Test func `drops the oldest beyond the bytes allowed, never the newest`() async throws {
        var options = SQLiteOptions()
        options.deadLetterBytes = 12
        let store = try await inMemory(options)
        try await store.commit(FlowCommit { $0.deadLetters = (1...3).map { letter($0) } })
        #expect(try await store.deadLetters(DeadLetterQuery()).map(\.source) == [2, 3].map(digest))
        try await store.commit(FlowCommit { $0.deadLetters = [letter(4, input: "more than twelve bytes")] })
        #expect(try await store.deadLetters(DeadLetterQuery()).map(\.source) == [digest(4)])
    }
}

@Suite("Names and values") struct ValueTests {
    @Test func `numbers names for good, each space by itself`() async throws {
        let folder = try TemporaryFolder()
        let store = try await SQLiteStore.open(path: folder.file)
        let flow = try await store.number(of: "iocs", in: .flow)
        let target = try await store.number(of: "iocs", in: .target)
        #expect(flow != target)
        await store.close()
        let again = try await SQLiteStore.open(path: folder.file)
        #expect(try await again.number(of: "iocs", in: .flow) == flow)
        #expect(try await again.names(in: .target) == ["iocs": target])
    }

    @Test func `sets and removes values`() async throws {
        let store = try await inMemory()
        try await store.setValues(flow: 1, ["a": [1], "b": [], "c": [3]])
        try await store.setValues(flow: 1, ["a": [9], "c": nil, "d": nil])
        #expect(try await store.values(flow: 1) == ["a": [9], "b": []])
        #expect(try await store.values(flow: 2).isEmpty)
    }
}
