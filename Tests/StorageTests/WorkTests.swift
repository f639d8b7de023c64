// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import Testing

@Suite("Jobs") struct JobTests {
    private func job(_ id: String, due: Int64, step: String = "start", runner: String = "walk") -> Job {
        Job(
            runner: runner, id: id, flow: 1, step: step, due: at(due), attempts: 0, payload: bytes(id), created: at(1))
    }

    @Test func `gives what is due, the longest waiting first`() async throws {
        let store = try await inMemory()
        let jobs = [
            job("late", due: 30), job("first", due: 10), job("second", due: 20), job("other", due: 5, runner: "x"),
        ]
        try await store.commit(FlowCommit { $0.jobs = jobs })
        #expect(try await store.dueJobs(runner: "walk", at: at(20), limit: 9).map(\.id) == ["first", "second"])
        #expect(try await store.dueJobs(runner: "walk", at: at(99), limit: 1).map(\.id) == ["first"])
        #expect(try await store.countJobs(runner: "walk") == 3)
    }

    @Test func `leaves a job alone that comes again`() async throws {
        let store = try await inMemory()
        try await store.commit(FlowCommit { $0.jobs = [job("a", due: 10)] })
        var later = job("a", due: 50, step: "wait")
        later.attempts = 2
        try await store.updateJob(later, history: [record(1)])
        try await store.commit(FlowCommit { $0.jobs = [job("a", due: 10)] })
        #expect(try await store.job(runner: "walk", id: "a") == later)
        #expect(try await store.history(HistoryQuery()).count == 1)
    }

    @Test func `ends a job and refuses to update it then`() async throws {
        let store = try await inMemory()
        try await store.commit(FlowCommit { $0.jobs = [job("a", due: 10)] })
        try await store.deleteJob(runner: "walk", id: "a", history: [record(1)])
        #expect(try await store.job(runner: "walk", id: "a") == nil)
        await #expect(throws: StorageError.self) {
            try await store.updateJob(job("a", due: 20), history: [record(2)])
        }
        #expect(try await store.history(HistoryQuery()) == [record(1)])
    }
}

@Suite("Acts") struct ActTests {
    private func act(_ id: String, flow: Int64 = 1) -> Act {
        Act(id: id, flow: flow, kind: "comment", payload: bytes("text"), intended: at(10))
    }

    @Test func `meets the first intent again until there is an outcome`() async throws {
        let store = try await inMemory()
        #expect(try await store.recordIntent(act("a")) == .recorded)
        #expect(try await store.recordIntent(act("a")) == .unfinished(since: at(10)))
        #expect(try await store.openActs(flow: 1) == [act("a")])
        #expect(try await store.openActs(flow: 2).isEmpty)
    }

    @Test(arguments: [
        ActOutcome.done(remoteID: "c-1"), .refused(reason: "closed"), .parked(reason: "no answer"),
    ])
    func `remembers the outcome`(_ outcome: ActOutcome) async throws {
        let store = try await inMemory()
        _ = try await store.recordIntent(act("a"))
        try await store.recordOutcome(actID: "a", outcome: outcome, at: at(20))
        #expect(try await store.recordIntent(act("a")) == .finished(outcome))
        #expect(try await store.openActs(flow: 1).isEmpty)
    }

    @Test func `refuses an outcome without intent`() async throws {
        let store = try await inMemory()
        await #expect(throws: StorageError.self) {
            try await store.recordOutcome(actID: "none", outcome: .done(remoteID: ""), at: at(1))
        }
    }

    @Test func `forgets finished acts after their time, open ones never`() async throws {
        var options = SQLiteOptions()
        options.actAge = .seconds(1)
        let store = try await inMemory(options)
        _ = try await store.recordIntent(act("finished"))
        _ = try await store.recordIntent(act("open"))
        try await store.recordOutcome(actID: "finished", outcome: .done(remoteID: "1"), at: at(20))
        try await store.maintain(now: at(1000))
        #expect(try await store.recordIntent(act("finished")) == .finished(.done(remoteID: "1")))
        try await store.maintain(now: at(1_000_000))
        #expect(try await store.recordIntent(act("finished")) == .recorded)
        #expect(try await store.recordIntent(act("open")) == .unfinished(since: at(10)))
    }
}

@Suite("Attempts") struct AttemptTests {
    @Test func `counts each message of each flow`() async throws {
        let store = try await inMemory()
        #expect(try await store.countAttempt(flow: 1, message: digest(1), at: at(1)) == 1)
        #expect(try await store.countAttempt(flow: 1, message: digest(1), at: at(2)) == 2)
        #expect(try await store.countAttempt(flow: 2, message: digest(1), at: at(2)) == 1)
        #expect(try await store.countAttempt(flow: 1, message: digest(2), at: at(2)) == 1)
        try await store.forgetAttempts(flow: 1, messages: [digest(1), digest(9)])
        #expect(try await store.countAttempt(flow: 1, message: digest(1), at: at(3)) == 1)
        #expect(try await store.countAttempt(flow: 1, message: digest(2), at: at(3)) == 2)
        try await store.forgetAttempts(flow: 1, messages: nil)
        #expect(try await store.countAttempt(flow: 1, message: digest(2), at: at(4)) == 1)
        #expect(try await store.countAttempt(flow: 2, message: digest(1), at: at(4)) == 2)
    }

    @Test func `forgets counts that nothing has touched`() async throws {
        var options = SQLiteOptions()
        options.attemptAge = .seconds(1)
        let store = try await inMemory(options)
        _ = try await store.countAttempt(flow: 1, message: digest(1), at: at(0))
        _ = try await store.countAttempt(flow: 1, message: digest(2), at: at(5000))
        try await store.maintain(now: at(5500))
        #expect(try await store.countAttempt(flow: 1, message: digest(1), at: at(5500)) == 1)
        #expect(try await store.countAttempt(flow: 1, message: digest(2), at: at(5500)) == 2)
    }
}

@Suite("Leases") struct LeaseTests {
    @Test func `belongs to one holder until it expires`() async throws {
        let store = try await inMemory()
        let first = try #require(try await store.acquireLease(name: "f", holder: "a", until: at(100), now: at(0)))
        #expect(try await store.acquireLease(name: "f", holder: "b", until: at(150), now: at(50)) == nil)
        let renewed = try #require(try await store.acquireLease(name: "f", holder: "a", until: at(200), now: at(90)))
        #expect(renewed.fencingToken == first.fencingToken)
        #expect(try await store.acquireLease(name: "f", holder: "b", until: at(250), now: at(150)) == nil)
        let second = try #require(try await store.acquireLease(name: "f", holder: "b", until: at(300), now: at(200)))
        #expect(second.fencingToken > first.fencingToken)
        #expect(try await store.acquireLease(name: "g", holder: "a", until: at(300), now: at(200)) != nil)
    }

    @Test func `is free at once when released, and its token still grows`() async throws {
        let store = try await inMemory()
        let first = try #require(try await store.acquireLease(name: "f", holder: "a", until: at(100), now: at(0)))
        try await store.releaseLease(first)
        let second = try #require(try await store.acquireLease(name: "f", holder: "b", until: at(100), now: at(1)))
        #expect(second.fencingToken > first.fencingToken)
        // The former holder comes late: it must not take the lease from the new one.
        try await store.releaseLease(first)
        #expect(try await store.acquireLease(name: "f", holder: "c", until: at(100), now: at(2)) == nil)
    }
}
