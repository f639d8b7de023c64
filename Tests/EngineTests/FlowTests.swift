// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import Telemetry
import TestKit
import Testing

@testable import Engine

/// A flow with a real store, and everything else of it fake.
private struct FlowBench {
    let source: FakeSource
    let sink = FakeSink()
    let store: FaultyStore
    let status = FlowStatus()
    let stop = StopSignal()
    let commands = BoundedChannel<FlowCommand>(capacity: 16)
    let time: TestTime
    let log = MemorySink()
    let output: LogOutput
    let flow: Int64

    init(_ source: FakeSource, time: TestTime = TestTime(jumping: true)) async throws {
        self.source = source
        self.time = time
        output = LogOutput(format: .logfmt, sink: log)
        store = FaultyStore(try await .open(path: ":memory:"))
        flow = try await store.number(of: "flow", in: .flow)
        _ = try await store.number(of: "target", in: .target)
    }

    func core(
        recovery: FlowCore.Recovery = .complete, generation: Int64 = 1, token: Int64 = 0,
        ceiling: DeleteCeiling = DeleteCeiling(), entryCount: Int = 0
    ) -> FlowCore {
        FlowCore(
            identity: .init(flow: flow, target: 1, partition: "p", fencingToken: token), model: TextModel(),
            ceiling: ceiling, guards: .off, generation: generation, recovery: recovery, entryCount: entryCount)
    }

    func run(_ core: FlowCore, mustSweep: Bool = false, grace: Duration = .seconds(20)) async throws {
        let parts = Flow.Parts(
            source: source, sink: sink, store: store, time: time, log: Log(to: output), status: status)
        try await Flow(parts, commands: commands).run(core, mustSweep: mustSweep, until: stop, grace: grace)
    }

    /// Runs until `isDone` holds, then stops it.
    func run(_ core: FlowCore, mustSweep: Bool = false, until isDone: @escaping @Sendable () async throws -> Bool)
        async throws
    {
        async let done: Void = run(core, mustSweep: mustSweep)
        while try await !isDone() { await Task.yield() }
        stop.raise()
        try await done
    }

    func checkpoint() async throws -> String? { try await store.checkpoints(flow: flow)["p"]?.text }
}

@Suite("A running flow", .timeLimit(.minutes(2))) struct FlowTests {
    private func items(_ range: ClosedRange<UInt64>) -> [Item] {
        range.map { .wants($0, from: $0, "domain:d\($0)") }
    }

    @Test func `reads, delivers, commits and acknowledges`() async throws {
        let bench = try await FlowBench(FakeSource(items(1...5), items(6...9), [.nothing(10), .nothing(11)]))
        try await bench.run(bench.core()) { bench.status.snapshot.durablePosition?.major == 10 }
        #expect(bench.sink.contents.count == 9)
        #expect(try await bench.checkpoint() == "10-0")
        #expect(bench.source.acknowledged.last?.major == 10)
        let accounting = bench.status.snapshot.accounting
        #expect(accounting.holds && accounting.items[.delivered] == 9 && accounting.itemsCommitted == 11)
    }

    // covers: bad:disk-full
    @Test func `a full disk is waited for, and nothing is lost`() async throws {
        let bench = try await FlowBench(FakeSource(items(1...3), [.nothing(4), .nothing(5)]))
        bench.store.failNext(5, with: .full(path: "/state"))
        try await bench.run(bench.core()) { bench.status.snapshot.durablePosition?.major == 4 }
        #expect(bench.store.tries > 5 && bench.status.snapshot.storageTrouble == nil)
        #expect(try await bench.store.countEntries(target: 1) == [.present: 3])
        // The same transaction, with growing pauses.
        #expect(bench.time.slept.contains(.seconds(16)))
        _ = bench.output.flush()
        #expect(bench.log.lines.count { $0.contains("storage.full") } >= 1)
    }

    @Test func `who was overtaken by another node stops writing`() async throws {
        let bench = try await FlowBench(FakeSource(items(1...3)))
        let now = bench.time.now
        for holder in ["we", "they"] {
            _ = try await bench.store.acquireLease(name: "flow", holder: holder, until: now, now: now)
        }
        let error = await #expect(throws: StorageError.self) { try await bench.run(bench.core(token: 1)) }
        #expect(error?.code == "storage.fenced")
        #expect(try await bench.store.countEntries(target: 1).isEmpty)
    }

    @Test func `a broken store ends the run`() async throws {
        let bench = try await FlowBench(FakeSource(items(1...3)))
        bench.store.failNext(1, with: .failed(reason: "I/O"))
        let error = await #expect(throws: StorageError.self) { try await bench.run(bench.core()) }
        #expect(error?.code == "storage.failed")
    }

    @Test func `a source that asks for a new start gets it`() async throws {
        let source = FakeSource(items(1...3))
        let bench = try await FlowBench(source)
        source.fail(ConnectorError.restart(reason: "reset"))
        let error = await #expect(throws: ConnectorError.self) { try await bench.run(bench.core()) }
        #expect(error?.description == "reset")
    }

    // covers: cli:sigterm
    @Test func `a stop finishes what is under way and takes in nothing new`() async throws {
        let source = FakeSource(items(1...3))
        let bench = try await FlowBench(source, time: TestTime())
        bench.sink.hold()
        async let done: Void = bench.run(bench.core())
        while bench.status.snapshot.accounting.itemsRead < 3 { await Task.yield() }
        bench.stop.raise()
        await bench.sink.wait(for: 1)
        source.give(items(4...6))
        bench.sink.release()
        try await done
        #expect(bench.sink.contents.count == 3)
        #expect(try await bench.store.countEntries(target: 1) == [.present: 3])
        #expect(bench.status.snapshot.accounting.itemsRead == 3)
    }

    @Test func `a stop does not wait for ever`() async throws {
        let bench = try await FlowBench(FakeSource(items(1...3)), time: TestTime())
        bench.sink.hold()
        async let done: Void = bench.run(bench.core(), grace: .seconds(20))
        while bench.status.snapshot.accounting.itemsRead < 3 { await Task.yield() }
        bench.stop.raise()
        await bench.sink.wait(for: 1)
        while bench.time.slept.allSatisfy({ $0 < .seconds(20) }) { await Task.yield() }
        bench.time.advance(by: .seconds(21))
        // The call itself ends with the group's cancellation in production; here it is let go.
        _ = bench.output.flush()
        while !bench.log.lines.contains(where: { $0.contains("Stopped before") }) {
            await Task.yield()
            _ = bench.output.flush()
        }
        bench.sink.release()
        try await done
        #expect(try await bench.store.countEntries(target: 1).isEmpty)
    }

    // covers: cli:approve
    @Test func `the ceiling stops it until somebody approves`() async throws {
        let bench = try await FlowBench(FakeSource(items(1...4), [.nothing(5)]))
        let core = bench.core(ceiling: DeleteCeiling(count: 1, share: 0.1))
        async let done: Void = bench.run(core)
        while bench.status.snapshot.entryCount < 4 { await Task.yield() }
        bench.source.give((1...4).map { .drops(10 + UInt64($0), from: UInt64($0), "domain:d\($0)") })
        while !bench.status.snapshot.isAwaitingApproval { await Task.yield() }
        while bench.sink.contents.count > 3 { await Task.yield() }
        #expect(bench.sink.contents.count == 3)
        for left in [2, 1, 0] {
            try await bench.store.setValues(flow: bench.flow, [FlowValues.approval: [1]])
            while bench.sink.contents.count > left { await Task.yield() }
        }
        bench.stop.raise()
        try await done
        #expect(try await bench.store.values(flow: bench.flow)[FlowValues.approval] == nil)
        _ = bench.output.flush()
        #expect(bench.log.lines.contains { $0.contains("sallyport approve") })
    }

    // covers: cli:dlq-retry
    @Test func `a dead letter is tried again when somebody asks, and goes when it is through`() async throws {
        var poison = Item(1, from: 1)
        poison.note = .init(.deadLettered, code: "bad", reason: "no")
        poison.input = InputSlice([UInt8]("in"))
        let bench = try await FlowBench(FakeSource([poison, .nothing(2)]))
        let store = bench.store
        async let done: Void = bench.run(bench.core())
        while try await store.countDeadLetters(flow: 1) == 0 { await Task.yield() }
        let letter = try #require(try await store.deadLetters(DeadLetterQuery()).first)
        bench.source.answer(letter: letter.id, with: .wants(1, from: 1, "domain:mended"))
        #expect(bench.sink.contents.isEmpty)
        _ = try await store.markDeadLetters(ids: [letter.id], retry: true)
        while try await store.countDeadLetters(flow: 1) > 0 { await Task.yield() }
        bench.stop.raise()
        try await done
        #expect(bench.sink.contents == ["domain:mended"])
    }

    @Test func `the end of a recovery takes up what was held back, then sweeps`() async throws {
        var end = Item(0, from: 0)
        end.position = nil
        end.marker = .recoveryEnd
        let bench = try await FlowBench(FakeSource())
        // From an earlier generation: one value nobody shows any more, one of ours without an owner, one that stays.
        var before = FlowCommit(flow: 1, target: 1, fencingToken: 0)
        for (name, number) in [("domain:old", UInt64(1)), ("domain:stays", 2)] {
            before.entries.append(
                EntryChange(
                    key: key(name),
                    value: .init(remoteID: name, digest: TextModel().digest(of: [UInt8](name)), state: .present)))
            before.owners.append(
                OwnerChange(
                    key: key(name), source: source(number),
                    value: .init(event: Instant(milliseconds: 1), generation: 1, contribution: [UInt8](name))))
        }
        before.entries.append(
            EntryChange(key: key("domain:held"), value: .init(remoteID: "h", digest: .zero, state: .found)))
        try await bench.store.commit(before)
        bench.source.give([
            .drops(5, from: 9, "domain:held"), .wants(6, from: 2, "domain:stays"), end, .nothing(7), .nothing(8),
        ])
        let store = bench.store
        try await bench.run(bench.core(recovery: .running, generation: 2, entryCount: 3)) {
            try await store.values(flow: 1)[FlowValues.sweepDone] == [UInt8]("2")
        }
        #expect(bench.sink.batches.flatMap(\.self).sorted() == ["delete domain:held", "delete domain:old"])
        #expect(try await store.values(flow: 1)[FlowValues.recoveryDone] == [UInt8]("2"))
        #expect(try await store.countJobs(runner: HeldRemoval.runner(flow: 1)) == 0)
        #expect(try await store.countEntries(target: 1) == [.present: 1])
    }

    @Test func `what an earlier run did not get to is taken up at the start`() async throws {
        let bench = try await FlowBench(FakeSource([.nothing(1)]))
        var before = FlowCommit(flow: 1, target: 1, fencingToken: 0)
        before.entries = [
            EntryChange(key: key("domain:held"), value: .init(remoteID: "h", digest: .zero, state: .found))
        ]
        let held = HeldRemoval(
            key: key("domain:held"), source: source(9), time: Instant(milliseconds: 5),
            removal: [UInt8]("domain:held"))
        before.jobs = [
            Job(
                runner: HeldRemoval.runner(flow: 1), id: held.id, flow: 1, step: "held",
                due: Instant(milliseconds: 0), attempts: 0, payload: held.bytes, created: Instant(milliseconds: 0))
        ]
        try await bench.store.commit(before)
        let store = bench.store
        try await bench.run(bench.core(entryCount: 1)) {
            try await store.countJobs(runner: HeldRemoval.runner(flow: 1)) == 0
        }
        #expect(bench.sink.batches == [["delete domain:held"]])
    }

    @Test func `is told from outside what the target shows`() async throws {
        let bench = try await FlowBench(FakeSource(items(1...1), [.nothing(2)]))
        async let done: Void = bench.run(bench.core())
        while bench.sink.contents.isEmpty || bench.status.snapshot.accounting.itemsCommitted < 1 { await Task.yield() }
        try await bench.commands.send(
            .observe([ObservedEntry(key: key("domain:d1"), remoteID: "", digest: .zero)]))
        await bench.sink.wait(for: 2)
        bench.stop.raise()
        try await done
        #expect(bench.sink.batches == [["create domain:d1"], ["create domain:d1"]])
    }
}
