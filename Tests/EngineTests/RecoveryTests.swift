// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import Testing

@testable import Engine

@Suite("Recoveries") struct RecoveryTests {
    private var end: Item {
        var end = Item(0, from: 0)
        end.position = nil
        end.marker = .recoveryEnd
        return end
    }

    // covers: state:delete-during-recovery
    @Test(arguments: [FlowCore.Holding.held, .free, .unknown])
    func `a removal whose last owner is uncertain asks, and waits where nobody can say`(_ holding: FlowCore.Holding) {
        var bench = CoreBench(recovery: .running, entryCount: 1)
        bench.stand("domain:a", state: .found)
        bench.read(.drops(1, from: 1, "domain:a"), .nothing(2))
        bench.settle()
        #expect(bench.sent.isEmpty && bench.asked.map(\.key) == [key("domain:a")])
        #expect(bench.asked[0].source == source(1) && bench.core.accounting.itemsOpen == 2)
        bench.answer(holding)
        bench.settle()
        switch holding {
        case .free: #expect(bench.sent.described == [["delete domain:a"]])
        case .held:
            #expect(bench.sent.isEmpty && bench.core.accounting.effects[.unchanged] == 1)
        case .unknown:
            #expect(bench.sent.isEmpty && bench.core.accounting.effects[.skipped] == 1)
            let held = bench.jobs.compactMap { HeldRemoval(bytes: $0.payload) }
            #expect(held.map(\.key) == [key("domain:a")] && held.map(\.removal.text) == ["domain:a"])
            #expect(held.map(\.source) == [source(1)] && held.map(\.time) == [Instant(milliseconds: 1)])
            #expect(bench.jobs[0].runner == HeldRemoval.runner(flow: 1))
        }
        bench.deliverAll()
        #expect(bench.core.accounting.itemsOpen == 0)
    }

    @Test func `where no recovery comes, what nobody can say is removed`() {
        var bench = CoreBench(recovery: .none, entryCount: 1)
        bench.stand("domain:a", state: .found)
        bench.read(.drops(1, from: 1, "domain:a"))
        bench.answer(.unknown)
        bench.settle()
        #expect(bench.sent.described == [["delete domain:a"]])
    }

    @Test func `somebody who claims the value while the question is open ends it`() {
        var bench = CoreBench(recovery: .running, entryCount: 1)
        bench.stand("domain:a", state: .found)
        bench.read(.drops(1, from: 1, "domain:a"))
        bench.read(.wants(2, from: 2, "domain:a"))
        bench.answer(.free)
        bench.settle()
        #expect(bench.sent.isEmpty && bench.rows[key("domain:a")]?.owners.map(\.source) == [source(2)])
    }

    @Test func `a held removal comes back as an item that its end tidies away`() {
        var bench = CoreBench(entryCount: 1)
        bench.stand("domain:a", state: .found)
        var item = Item(0, from: 1, [.state(key: key("domain:a"), .remove([UInt8]("domain:a")))])
        item.position = nil
        item.origin = .job(runner: "held", id: "x")
        bench.read(item)
        bench.settle()
        #expect(bench.tidied.isEmpty)
        bench.deliverAll()
        #expect(bench.tidied == [.init(origin: .job(runner: "held", id: "x"), outcome: .delivered)])
        #expect(bench.checkpoint == nil)
    }

    @Test func `the layout of a held removal survives the store`() {
        let held = HeldRemoval(
            key: key("domain:a"), source: source(1), time: Instant(milliseconds: -5), removal: [1, 2, 3])
        #expect(HeldRemoval(bytes: held.bytes) == held)
        #expect(HeldRemoval(bytes: Array(held.bytes[..<39])) == nil)
    }

    @Test func `the end is durable with everything before it`() {
        var bench = CoreBench(recovery: .running, generation: 4)
        bench.read(.wants(1, from: 1, "domain:a"), end)
        bench.settle()
        #expect(bench.recoveriesFinished == 0 && bench.core.recovery == .running)
        bench.deliverAll()
        #expect(bench.recoveriesFinished == 1 && bench.core.recovery == .complete)
        let values = bench.commits.compactMap { $0.values[FlowValues.recoveryDone] }
        #expect(values.map { $0?.text } == ["4"])
        // From now on the ledger knows everybody: nobody is asked.
        bench.read(.drops(2, from: 1, "domain:a"))
        bench.settle()
        #expect(bench.asked.isEmpty && bench.sent.count == 1)
    }

    @Test func `owners are marked as seen without a write at the target`() {
        var bench = CoreBench(recovery: .running, generation: 2, entryCount: 1)
        bench.stand("domain:a", owners: [1], at: 1)
        bench.read(.wants(1, from: 1, "domain:a"))
        bench.settle()
        #expect(bench.sent.isEmpty && bench.rows[key("domain:a")]?.owners.map(\.generation) == [2])
        #expect(bench.commits.flatMap(\.marks).count == 1)
    }

    @Test func `the sweep takes away owners that the recovery has not shown, and them only`() {
        var bench = CoreBench(generation: 2, entryCount: 3)
        bench.stand("domain:old", owners: [1])
        bench.stand("domain:seen", owners: [2], generation: 2)
        bench.stand("domain:both", owners: [3])
        let entries = bench.rows.values.sorted { $0.id < $1.id }
        let items = Sweep.items(entries, flow: 1, below: 2)
        #expect(items.map(\.source) == [source(1), source(3)])
        // Somebody else turns up for the third one meanwhile.
        bench.read(.wants(5, from: 4, "domain:both"))
        for item in items { bench.read(item) }
        bench.settle()
        #expect(bench.sent.flatMap(\.described) == ["delete domain:old"])
        bench.deliverAll()
        #expect(bench.rows[key("domain:both")]?.owners.map(\.source) == [source(4)])
        #expect(bench.rows[key("domain:seen")] != nil && bench.rows[key("domain:old")] == nil)
        #expect(Sweep.items(entries, flow: 2, below: 2).isEmpty)
    }
}

@Suite("What the target shows otherwise") struct ObservationTests {
    private func shown(_ content: String, id: String = "known") -> ObservedEntry {
        ObservedEntry(key: key(content), remoteID: id, digest: TextModel().digest(of: [UInt8](content)))
    }
    private func gone(_ content: String) -> ObservedEntry {
        ObservedEntry(key: key(content), remoteID: "", digest: .zero)
    }

    // covers: better:reconcile
    @Test func `what was changed is written again, what is gone is created`() {
        var bench = CoreBench(entryCount: 3)
        bench.stand("domain:a", owners: [1])
        bench.stand("domain:b", owners: [2])
        bench.stand("domain:c", owners: [3])
        bench.observe([shown("domain:a changed"), gone("domain:b"), shown("domain:c")])
        bench.settle()
        #expect(bench.sent.flatMap(\.described).sorted() == ["create domain:b", "update domain:a"])
        bench.deliverAll()
        #expect(bench.core.entryCount == 3 && bench.core.isIdle)
        #expect(bench.rows[key("domain:b")]?.remoteID == "new-domain:b")
    }

    @Test func `what nobody wants is noted, not touched`() {
        var bench = CoreBench(entryCount: 1)
        bench.stand("domain:a", state: .marked)
        bench.observe([gone("domain:a"), shown("domain:new", id: "n")])
        bench.settle()
        #expect(bench.sent.isEmpty && bench.core.entryCount == 1)
        #expect(bench.rows[key("domain:a")] == nil && bench.rows[key("domain:new")]?.state == .found)
    }

    @Test func `the flow is not idle before it is written`() {
        var bench = CoreBench(entryCount: 1)
        bench.stand("domain:a", owners: [1])
        bench.observe([shown("domain:a changed")])
        bench.settle()
        #expect(bench.sent.count == 1 && !bench.core.isIdle)
        bench.deliverAll()
        #expect(bench.core.isIdle)
    }

    @Test func `a look that is older than a write under way says nothing`() {
        var bench = CoreBench(entryCount: 1)
        bench.stand("domain:a", owners: [1])
        bench.read(.wants(1, from: 1, "domain:a more"))
        bench.settle()
        bench.observe([gone("domain:a")])
        bench.deliverAll()
        #expect(bench.rows[key("domain:a")]?.remoteID == "known" && bench.core.entryCount == 1)
    }
}
