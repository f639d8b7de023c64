// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import Telemetry
import TestKit
import Testing

@testable import Engine

@Suite("Records") struct RecordTests {
    private func records(_ number: UInt64, _ texts: String...) -> Item {
        Item(number, from: number, texts.map { .record([UInt8]($0)) })
    }

    @Test func `are appended in order, never folded, in batches bounded by number and bytes`() {
        var bench = CoreBench {
            $0.recordBatch = 3
            $0.recordBytes = 10
            $0.recordsInFlight = 2
        }
        bench.read(records(1, "a", "b", "a", "c", "12345678", "1234", "d"))
        #expect(bench.appended.map { $0.records.map(\.text) } == [["a", "b", "a"], ["c", "12345678"]])
        bench.append()
        #expect(bench.appended.last?.records.map(\.text) == ["1234", "d"])
        bench.append()
        bench.append()
        bench.settle()
        #expect(bench.core.accounting.effects[.delivered] == 7 && bench.core.isIdle)
    }

    @Test func `one that is larger than a batch travels alone`() {
        var bench = CoreBench { $0.recordBytes = 4 }
        bench.read(records(1, "123456", "1"))
        #expect(bench.appended.map { $0.records.count } == [1, 1])
    }

    @Test func `a refused one is a dead letter, its neighbours are through`() {
        var bench = CoreBench()
        bench.read(records(1, "a", "b", "c"))
        bench.append(.appended(refused: [1: "too old"]))
        bench.settle()
        #expect(bench.core.accounting.effects[.delivered] == 2)
        #expect(bench.deadLetters.map(\.reason) == ["too old"] && bench.core.accounting.items[.deadLettered] == 1)
    }

    @Test func `a batch that failed comes again as it was, and nothing overtakes it`() {
        var bench = CoreBench { $0.recordBatch = 2 }
        bench.read(records(1, "a", "b"))
        let first = bench.appended[0].id
        bench.append(.retry(after: .seconds(5), code: "t.down", reason: "down"))
        #expect(bench.core.trouble?.code == "t.down")
        bench.read(records(2, "c"))
        bench.pass(.seconds(4))
        #expect(bench.appended.isEmpty)
        #expect(bench.core.nextTick() == bench.clock + .seconds(1))
        bench.pass(.seconds(1))
        #expect(bench.appended.map(\.id).first == first)
        #expect(bench.appended.map { $0.records.map(\.text) } == [["a", "b"], ["c"]])
        bench.append(to: first)
        #expect(bench.core.trouble == nil)
        bench.append()
        bench.read(.nothing(3))
        bench.settle()
        #expect(bench.checkpoint == "2-0")
    }

    @Test func `the position waits for the earliest that is open`() {
        var bench = CoreBench { $0.recordBatch = 1 }
        bench.read(records(1, "a"), records(2, "b"), .nothing(3))
        let ids = bench.appended.map(\.id)
        bench.append(to: ids[1])
        bench.settle()
        #expect(bench.checkpoint == nil)
        bench.append(to: ids[0])
        bench.settle()
        #expect(bench.checkpoint == "2-0")
    }
}

@Suite("Acts") struct ActTests {
    private static func act(_ id: String) -> Act {
        Act(id: id, flow: 1, kind: "comment", payload: [], intended: Instant(milliseconds: 0))
    }

    @Test func `are each a call, a few at a time`() {
        var bench = CoreBench { $0.maxActs = 2 }
        bench.read(Item(1, from: 1, ["a", "b", "c"].map { .act(Self.act($0)) }))
        #expect(bench.acting.map(\.act.id) == ["a", "b"])
        bench.act(.done(remoteID: "r"))
        #expect(bench.acting.map(\.act.id) == ["b", "c"])
        bench.act(.refused(code: "t.no", reason: "no"))
        bench.act(.parked(reason: "who knows"))
        bench.settle()
        let effects = bench.core.accounting.effects
        #expect(effects[.delivered] == 1 && effects[.deadLettered] == 2 && bench.core.isIdle)
        // One dead letter an item, and the reason of each act in the history.
        #expect(bench.deadLetters.map(\.code) == ["t.no"])
        #expect(bench.history.map(\.reason) == ["comment", "t.no: no", "act.parked: who knows"])
    }

    @Test func `one that must be repeated goes to the end of the line`() {
        var bench = CoreBench { $0.maxActs = 1 }
        bench.read(Item(1, from: 1, ["a", "b"].map { .act(Self.act($0)) }))
        bench.act(.retry(after: .seconds(1), code: "t", reason: "t"))
        #expect(bench.acting.map(\.act.id) == ["b"] && bench.core.accounting.retries == 1)
        bench.act(.done(remoteID: ""))
        #expect(bench.acting.map(\.act.id) == ["a"])
        bench.act(.done(remoteID: ""))
        bench.settle()
        #expect(bench.core.accounting.effects[.delivered] == 2)
    }

    @Test func `have their intent on disk before the call, and their outcome after it`() {
        #expect(ActStep.first == .recordIntent)
        #expect(ActStep.after(intent: .recorded) == .perform)
        #expect(ActStep.after(intent: .unfinished(since: Instant(milliseconds: 0))) == .readBack)
        #expect(ActStep.after(intent: .finished(.done(remoteID: "r"))) == .finish(.done(remoteID: "r")))
        #expect(
            ActStep.after(intent: .finished(.refused(reason: "no")))
                == .finish(.refused(code: "act.refused", reason: "no")))
        #expect(ActStep.after(intent: .finished(.parked(reason: "?"))) == .finish(.parked(reason: "?")))
        #expect(
            ActStep.after(readBack: .took(remoteID: "r"))
                == .recordOutcome(.done(remoteID: "r"), then: .done(remoteID: "r")))
        #expect(ActStep.after(readBack: .didNot) == .perform)
        #expect(
            ActStep.after(readBack: .unknown(reason: "?"))
                == .recordOutcome(.parked(reason: "?"), then: .parked(reason: "?")))
        for result in [ActResult.done(remoteID: "r"), .refused(code: "c", reason: "no"), .parked(reason: "?")] {
            guard case .recordOutcome(_, let then) = ActStep.after(performed: result) else {
                Issue.record("\(result) is not recorded")
                continue
            }
            #expect(then == result)
        }
        let retry = ActResult.retry(after: .seconds(1), code: "t", reason: "t")
        #expect(ActStep.after(performed: retry) == .finish(retry))
    }

    @Test func `are never carried out twice, also when an answer was lost`() async throws {
        let store = FaultyStore(try await .open(path: ":memory:"))
        let sink = FakeSink()
        let runner = ActRunner(store: store, sink: sink, time: TestTime(jumping: true))
        sink.onAct = [.retry(after: .seconds(1), code: "t", reason: "lost")]
        guard case .retry = await runner.run(Self.act("a")) else {
            Issue.record("the first try is lost")
            return
        }
        sink.onReadBack = .took(remoteID: "r")
        #expect(await runner.run(Self.act("a")) == .done(remoteID: "r"))
        #expect(await runner.run(Self.act("a")) == .done(remoteID: "r"))
        #expect(sink.acts == ["a"])
        // Not read back: a person must look.
        sink.onAct = [.retry(after: .seconds(1), code: "t", reason: "lost")]
        sink.onReadBack = .unknown(reason: "the vendor can't tell")
        _ = await runner.run(Self.act("b"))
        #expect(await runner.run(Self.act("b")) == .parked(reason: "the vendor can't tell"))
        #expect(sink.acts == ["a", "b"])
    }

    @Test func `without a durable intent nothing is called`() async throws {
        let store = FaultyStore(try await .open(path: ":memory:"))
        let sink = FakeSink()
        store.failNext(1, with: .full(path: "/state"))
        let runner = ActRunner(store: store, sink: sink, time: TestTime(jumping: true))
        guard case .retry(_, "storage.full", _) = await runner.run(Self.act("a")) else {
            Issue.record("it must wait")
            return
        }
        #expect(sink.acts.isEmpty)
        #expect(await runner.run(Self.act("a")) == .done(remoteID: "act-a"))
    }
}
