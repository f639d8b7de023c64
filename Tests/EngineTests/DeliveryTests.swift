// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import Testing

@testable import Engine

@Suite("Delivering states") struct DeliveryTests {
    private static let down = OperationResult.unavailable(after: .seconds(30), code: "t.down", reason: "down")
    private static let again = OperationResult.retry(after: .seconds(1), code: "t.retry", reason: "failed")

    // covers: better:idempotent
    @Test func `a create, an update and a delete are each one operation; the same again is none`() {
        var bench = CoreBench()
        bench.read(.wants(1, from: 1, "domain:a"))
        bench.settle()
        #expect(bench.sent.described == [["create domain:a"]])
        bench.deliverAll()
        bench.read(.wants(2, from: 1, "domain:a"))
        bench.settle()
        #expect(bench.sent.isEmpty && bench.core.accounting.effects[.unchanged] == 1)
        bench.read(.wants(3, from: 1, "domain:a more"))
        bench.settle()
        #expect(bench.sent.described == [["update domain:a more"]])
        #expect(bench.sent[0].operations[0].remoteID == "new-domain:a")
        bench.deliverAll()
        bench.read(.drops(4, from: 1, "domain:a more"))
        bench.settle()
        #expect(bench.sent.described == [["delete domain:a more"]])
        bench.deliverAll()
        #expect(bench.rows.isEmpty && bench.core.entryCount == 0)
    }

    // covers: better:order, better:parallel
    @Test func `one operation a key is under way, and others pass it`() {
        var bench = CoreBench { $0.batchSize = 1 }
        bench.read(.wants(1, from: 1, "domain:a"))
        bench.read(.wants(2, from: 1, "domain:a more"), .wants(3, from: 2, "domain:b"))
        #expect(bench.sent.described == [["create domain:a"], ["create domain:b"]])
        bench.read(.wants(4, from: 1, "domain:a most"))
        bench.settle()
        #expect(bench.sent.count == 2)
        bench.deliver()
        bench.settle()
        #expect(bench.sent.described.contains(["update domain:a most"]))
        bench.deliverAll()
        #expect(bench.core.accounting.effects[.superseded] == 1 && bench.core.accounting.effects[.delivered] == 3)
    }

    // covers: better:back-pressure
    @Test func `batches fill up, linger, and are bounded in number`() {
        var bench = CoreBench {
            $0.batchSize = 3
            $0.maxInFlight = 2
            $0.linger = .milliseconds(250)
            $0.windowItems = 10
        }
        for number in UInt64(1)...8 { bench.read(.wants(number, from: number, "domain:\(number)")) }
        #expect(bench.sent.map(\.operations.count) == [3, 3])
        bench.pass(.seconds(9))
        #expect(bench.sent.count == 2)
        bench.deliver()
        #expect(bench.sent.map(\.operations.count) == [3, 2])
        for number in UInt64(9)...20 where bench.core.wantsRead {
            bench.read(.wants(number, from: number, "domain:\(number)"))
        }
        #expect(!bench.core.wantsRead && bench.core.accounting.itemsOpen == 10)
        bench.deliverAll()
        #expect(bench.core.wantsRead)
    }

    @Test func `what can't grow any more does not linger`() {
        var bench = CoreBench { $0.linger = .seconds(60) }
        bench.read(.wants(1, from: 1, "domain:a"))
        #expect(bench.sent.isEmpty)
        bench.drain()
        #expect(bench.sent.count == 1)
    }

    // covers: better:quota
    @Test func `a target that takes no creates still takes updates and deletes`() {
        var bench = CoreBench(entryCount: 2)
        bench.stand("domain:b", owners: [2])
        bench.stand("domain:c", owners: [3])
        bench.read(.wants(10, from: 1, "domain:a"))
        bench.settle()
        let until = bench.clock + .seconds(30)
        bench.deliver { _ in Self.down }
        #expect(bench.core.trouble?.code == "t.down" && bench.core.nextTick() == until)
        bench.read(.wants(11, from: 2, "domain:b more"), .drops(12, from: 3, "domain:c"))
        bench.pass(.seconds(1))
        #expect(bench.sent.described.sorted { $0[0] < $1[0] } == [["delete domain:c"], ["update domain:b more"]])
        bench.deliver()
        bench.deliver()
        #expect(bench.core.trouble == nil)
        bench.pass(.seconds(28))
        #expect(bench.sent.isEmpty)
        bench.pass(.seconds(2))
        #expect(bench.sent.described == [["create domain:a"]])
        #expect(bench.core.accounting.retries == 0)
    }

    @Test func `an operation that keeps failing travels alone, then becomes a dead letter`() {
        var bench = CoreBench {
            $0.triesBeforeAlone = 2
            $0.triesBeforeDeadLetter = 4
        }
        var item = Item.wants(1, from: 1, "domain:bad")
        item.input = InputSlice([UInt8]("the input"))
        bench.read(item, .wants(2, from: 2, "domain:good"))
        bench.settle()
        #expect(bench.sent.map(\.operations.count) == [2])
        for _ in 0..<2 {
            bench.deliver { _ in Self.again }
            bench.pass(.seconds(2))
        }
        #expect(bench.sent.map(\.operations.count).max() == 1 && bench.sent.count <= 2)
        for _ in 0..<8 where !bench.sent.isEmpty {
            bench.deliver { $0.content.text == "domain:bad" ? Self.again : .applied(remoteID: "x") }
            bench.pass(.seconds(2))
        }
        #expect(bench.sent.isEmpty)
        #expect(bench.core.accounting.items[.deadLettered] == 1 && bench.core.accounting.items[.delivered] == 1)
        #expect(bench.deadLetters.map(\.code) == ["t.retry"] && bench.deadLetters.map(\.input.text) == ["the input"])
        #expect(bench.deadLetters[0].reason == "failed (4 tries)")
    }

    @Test func `while nothing gets through it is the target's fault, and nothing is given up`() {
        var bench = CoreBench {
            $0.triesBeforeAlone = 2
            $0.triesBeforeDeadLetter = 3
        }
        bench.read(.wants(1, from: 1, "domain:a"))
        bench.settle()
        for _ in 0..<20 {
            bench.deliver { _ in Self.again }
            bench.pass(.seconds(2))
        }
        #expect(bench.sent.count == 1 && bench.deadLetters.isEmpty && bench.core.accounting.itemsOpen == 1)
        #expect(bench.core.accounting.retries == 20)
        bench.deliverAll()
        #expect(bench.core.accounting.items[.delivered] == 1)
    }

    // covers: call:refused
    @Test func `a refusal is a dead letter, and the next event tries again`() {
        var bench = CoreBench()
        bench.stand("domain:b", owners: [2])
        bench.read(.wants(10, from: 1, "domain:a"), .wants(11, from: 2, "domain:b more"))
        bench.settle()
        while !bench.sent.isEmpty { bench.deliver { _ in .refused(code: "t.no", reason: "never") } }
        bench.settle()
        #expect(bench.deadLetters.map(\.code) == ["t.no", "t.no"] && bench.core.isIdle)
        #expect(bench.rows[key("domain:a")] == nil)
        #expect(bench.rows[key("domain:b")]?.digest == .zero)
        bench.read(.wants(12, from: 1, "domain:a"), .wants(13, from: 2, "domain:b more"))
        bench.settle()
        #expect(bench.sent.flatMap(\.described).sorted() == ["create domain:a", "update domain:b more"])
    }

    @Test func `an update of what is gone becomes a create, a delete of it is done`() {
        var bench = CoreBench(entryCount: 2)
        bench.stand("domain:a", owners: [1])
        bench.stand("domain:b", owners: [2])
        bench.read(.wants(10, from: 1, "domain:a more"), .drops(11, from: 2, "domain:b"))
        bench.settle()
        while !bench.sent.isEmpty { bench.deliver { _ in .missing } }
        bench.settle()
        #expect(bench.sent.described == [["create domain:a more"]])
        bench.deliverAll()
        #expect(bench.core.accounting.effects[.delivered] == 2 && Array(bench.rows.keys) == [key("domain:a")])
    }

    @Test func `a sink that answers too little has not told`() {
        var bench = CoreBench()
        bench.read(.wants(1, from: 1, "domain:a", "domain:b"))
        bench.settle()
        bench.deliver(bench.sent[0].id, [.applied(remoteID: "x")])
        bench.settle()
        #expect(bench.sent.map(\.operations.count) == [1])
        bench.deliverAll()
        #expect(bench.core.accounting.items[.delivered] == 1)
    }

    // covers: better:fold
    @Test func `what is dropped before it was sent is looked up, or marked, as an earlier run may have sent it`() {
        var hard = CoreBench()
        hard.read(.wants(1, from: 1, "domain:a"), .drops(2, from: 1, "domain:a"))
        hard.settle()
        #expect(hard.sent.described == [["delete domain:a"]] && hard.sent[0].operations[0].isBlind)
        hard.deliver { _ in .missing }
        hard.settle()
        #expect(hard.core.isIdle && hard.rows.isEmpty && hard.core.accounting.effects[.superseded] == 1)
        var soft = CoreBench(TextModel(isSoft: true))
        soft.read(.wants(1, from: 1, "domain:a"), .drops(2, from: 1, "domain:a"))
        soft.settle()
        #expect(soft.sent.described == [["create domain:a†"]] && soft.sent[0].operations[0].isMark)
        soft.deliverAll()
        #expect(soft.rows[key("domain:a")]?.state == .marked)
        // And wanted again, the mark goes.
        soft.read(.wants(3, from: 1, "domain:a"))
        soft.settle()
        #expect(soft.sent.described == [["update domain:a"]])
    }

    @Test func `a create whose answer was lost is removed by looking it up`() {
        var bench = CoreBench()
        bench.read(.wants(1, from: 1, "domain:a"))
        bench.settle()
        bench.read(.drops(2, from: 1, "domain:a"))
        bench.deliver { _ in Self.down }
        bench.pass(.seconds(31))
        #expect(bench.sent.described == [["delete domain:a"]])
        bench.deliverAll()
        #expect(bench.rows.isEmpty && bench.core.isIdle)
    }
}

@Suite("Owners of a value") struct OwnerTests {
    // covers: reference:count, reference:remaining, bug:16
    @Test func `the value stays until the last leaves, with what the latest of the others wants`() {
        var bench = CoreBench()
        bench.read(.wants(1, from: 1, "domain:a one"), .wants(2, from: 2, "domain:a two"))
        bench.deliverAll()
        bench.read(.drops(3, from: 2, "domain:a two"))
        bench.settle()
        #expect(bench.sent.described == [["update domain:a one"]])
        bench.deliverAll()
        bench.read(.drops(4, from: 2, "domain:a two"))
        bench.settle()
        #expect(bench.sent.isEmpty)
        bench.read(.drops(5, from: 1, "domain:a one"))
        bench.settle()
        #expect(bench.sent.described == [["delete domain:a one"]])
    }

    // covers: reference:across-flows
    @Test func `owners of other flows count too, and are not touched`() {
        var bench = CoreBench(entryCount: 1)
        bench.stand("domain:a longest", owners: [50], flow: 2)
        bench.read(.wants(1, from: 1, "domain:a mine"))
        bench.settle()
        #expect(bench.sent.isEmpty && bench.core.accounting.effects[.unchanged] == 1)
        #expect(bench.rows[key("domain:a")]?.owners.count == 2)
        bench.read(.drops(2, from: 1, "domain:a mine"))
        bench.settle()
        #expect(bench.sent.isEmpty && bench.rows[key("domain:a")]?.owners.map(\.flow) == [2])
        // What another flow owns is not ours to remove.
        bench.read(.drops(3, from: 50, "domain:a longest"))
        bench.settle()
        #expect(bench.sent.isEmpty)
    }

    // covers: removal:left, bug:8
    @Test func `what an item no longer names leaves, with the item's manner`() {
        var bench = CoreBench(TextModel(isSoft: true))
        bench.read(.wants(1, from: 1, "domain:a", "domain:b"))
        bench.deliverAll()
        var edit = Item.wants(2, from: 1, "domain:b", "domain:c")
        edit.removal = [UInt8](" gone")
        bench.read(edit)
        bench.settle()
        #expect(bench.sent.flatMap(\.described).sorted() == ["create domain:c", "update domain:a gone†"])
        bench.deliverAll()
        #expect(bench.core.accounting.effectsRead == 5)
    }

    @Test func `an item that does not replace its source leaves the rest alone`() {
        var bench = CoreBench()
        bench.read(.wants(1, from: 1, "domain:a", "domain:b"))
        bench.deliverAll()
        bench.read(Item(2, from: 1, [.skip(code: "s", reason: "r")]))
        bench.settle()
        #expect(bench.sent.isEmpty && bench.rows.count == 2)
    }

    @Test func `an older event does not undo a newer one`() {
        var bench = CoreBench()
        bench.read(.wants(5, from: 1, "domain:a new"))
        bench.deliverAll()
        var late = Item.drops(6, from: 1, "domain:a new")
        late.time = Instant(milliseconds: 4)
        bench.read(late)
        bench.settle()
        #expect(bench.sent.isEmpty && bench.core.accounting.effects[.superseded] == 1)
        #expect(bench.history.contains { $0.reason.hasPrefix("stale") })
    }

    @Test func `a value of ours that nobody claims yet is left alone until somebody does`() {
        var bench = CoreBench(entryCount: 1)
        bench.stand("domain:a", state: .found)
        bench.read(.wants(1, from: 1, "domain:a"))
        bench.settle()
        #expect(bench.sent.isEmpty && bench.rows[key("domain:a")]?.state == .present)
        #expect(bench.rows[key("domain:a")]?.owners.count == 1)
    }

    // covers: reference:never-seen
    @Test func `who was never seen is the last to leave`() {
        var bench = CoreBench(entryCount: 1)
        bench.stand("domain:a", state: .found)
        bench.read(.drops(1, from: 1, "domain:a"))
        bench.settle()
        #expect(bench.sent.described == [["delete domain:a"]])
    }
}
