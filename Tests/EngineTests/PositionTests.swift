// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import Testing

@testable import Engine

@Suite("Checkpoints") struct PositionTests {
    // covers: stream:shared-ids
    @Test func `stay before an id until a different one has come`() {
        var bench = CoreBench()
        bench.read(.nothing(1, group: 5), .nothing(2, group: 5))
        bench.settle()
        #expect(bench.checkpoint == nil)
        bench.read(.nothing(3, group: 5))
        bench.settle()
        #expect(bench.checkpoint == nil)
        bench.read(.nothing(4, group: 6))
        bench.settle()
        #expect(bench.checkpoint == "5-0" && bench.acknowledged.map(\.description) == ["5-0"])
        bench.read(.nothing(5, group: 7))
        bench.settle()
        #expect(bench.checkpoint == "6-0")
    }

    // covers: stream:heartbeat
    @Test func `follow a heartbeat's cautious position`() {
        var bench = CoreBench()
        var heartbeat = Item.nothing(1, group: 100)
        heartbeat.position = SourcePosition(major: 90)
        bench.read(.nothing(1, group: 50), heartbeat)
        bench.settle()
        #expect(bench.checkpoint == "50-0")
        bench.read(.nothing(2, group: 101))
        bench.settle()
        #expect(bench.checkpoint == "90-0")
    }

    @Test func `never pass what is not finished`() {
        var bench = CoreBench()
        bench.read(.wants(1, from: 1, "domain:a"), .nothing(2), .nothing(3))
        bench.settle()
        #expect(bench.checkpoint == nil && bench.core.openGroups.first?.description == "1-0")
        bench.deliverAll()
        #expect(bench.checkpoint == "2-0" && bench.core.durablePosition?.description == "2-0")
    }

    @Test func `are not moved by what the source did not send`() {
        var bench = CoreBench(checkpoint: SourcePosition(major: 1))
        var letter = Item.wants(9, from: 1, "domain:a")
        letter.position = nil
        letter.origin = .deadLetter(id: 4)
        bench.read(letter)
        bench.deliverAll()
        #expect(bench.checkpoint == nil && bench.core.durablePosition?.description == "1-0" && bench.core.isIdle)
        #expect(bench.tidied == [.init(origin: .deadLetter(id: 4), outcome: .delivered)])
    }

    // covers: cli:dlq-retry
    @Test func `a dead letter that fails again is told so`() {
        var bench = CoreBench()
        var letter = Item(9, from: 1)
        letter.position = nil
        letter.origin = .deadLetter(id: 4)
        letter.note = .init(.deadLettered, code: "bad", reason: "still")
        letter.input = InputSlice([UInt8]("in"))
        bench.read(letter)
        bench.settle()
        #expect(bench.tidied == [.init(origin: .deadLetter(id: 4), outcome: .deadLettered)])
        #expect(bench.deadLetters.map(\.code) == ["bad"])
    }

    // covers: better:poison
    @Test func `pass a poisoned event, which is kept whole`() {
        var bench = CoreBench()
        var poison = Item(1, from: 1)
        poison.note = .init(.deadLettered, code: "bad", reason: "no JSON")
        poison.input = InputSlice(chunk: [UInt8]("..poison.."), range: 2..<8)
        bench.read(poison, .nothing(2))
        bench.settle()
        #expect(bench.checkpoint == "1-0" && bench.deadLetters.map(\.input.text) == ["poison"])
        #expect(bench.deadLetters.first?.position == "update 1-0" && bench.core.accounting.items[.deadLettered] == 1)
    }

    @Test func `wait a little for company, and not at all for a full commit`() {
        var bench = CoreBench {
            $0.commitRows = 3
            $0.commitDelay = .milliseconds(100)
            $0.checkpointDelay = .seconds(1)
        }
        bench.commitsAtOnce = false
        bench.read(.nothing(1), .nothing(2))
        bench.pass(.milliseconds(999))
        #expect(!bench.isCommitting)
        bench.pass(.milliseconds(1))
        #expect(bench.isCommitting)
        // One at a time: what comes meanwhile gathers for the next.
        for number in UInt64(3)...8 { bench.read(Item(number, from: number, [.skip(code: "s", reason: "r")])) }
        bench.pass(.seconds(5))
        #expect(bench.commits.isEmpty)
        bench.commit()
        #expect(bench.isCommitting && bench.commits.count == 1)
        bench.commit()
        #expect(bench.commits.last?.history.count == 6 && bench.checkpoint == "7-0")
        for commit in bench.commits { #expect(commit.fencingToken == 3) }
    }

    @Test func `while an answer is outstanding the ledger says that it is uncertain`() {
        var bench = CoreBench()
        bench.stand("domain:a", owners: [1])
        bench.read(.wants(1, from: 1, "domain:a more"), .nothing(2))
        bench.settle()
        let row = bench.rows[key("domain:a")]
        #expect(
            bench.sent.count == 1 && row?.digest == .zero && row?.owners.first?.contribution.text == "domain:a more")
        bench.deliverAll()
        #expect(bench.rows[key("domain:a")]?.digest == TextModel().digest(of: [UInt8]("domain:a more")))
    }

    @Test func `an owner that leaves stays in the ledger until its removal is through`() {
        var bench = CoreBench(entryCount: 1)
        bench.stand("domain:a", owners: [1])
        bench.read(.drops(1, from: 1, "domain:a"))
        bench.settle()
        #expect(bench.sent.count == 1 && bench.rows[key("domain:a")]?.owners.count == 1)
        bench.deliverAll()
        #expect(bench.rows.isEmpty)
    }

    @Test func `a quiet note leaves no history, another one does`() {
        var bench = CoreBench()
        var loud = Item(2, from: 1)
        loud.note = .init(.skipped, code: "unsupported", reason: "url")
        bench.read(.nothing(1), loud)
        bench.settle()
        #expect(bench.history.map(\.reason) == ["unsupported: url"] && bench.core.accounting.items[.skipped] == 2)
    }

    @Test func `a job is durable with the item that asks for it`() {
        var bench = CoreBench()
        let job = Job(
            runner: "r", id: "j", flow: 1, step: "s", due: Instant(milliseconds: 1), attempts: 0, payload: [],
            created: Instant(milliseconds: 1))
        bench.read(Item(1, from: 1, [.job(job)]), .nothing(2))
        bench.settle()
        #expect(bench.jobs == [job] && bench.checkpoint == "1-0")
    }

    @Test func `nothing is to be done when only an answer can change anything`() {
        var bench = CoreBench()
        #expect(bench.core.nextTick() == nil && bench.core.isIdle)
        bench.read(.wants(1, from: 1, "domain:a"))
        // At first the owners wait for the row, and the batch for company.
        #expect(bench.core.nextTick() == bench.clock + .milliseconds(100))
        bench.pass(.milliseconds(100))
        #expect(bench.core.nextTick() == bench.clock + .milliseconds(150))
        bench.pass(.milliseconds(150))
        #expect(bench.sent.count == 1 && bench.core.nextTick() == nil && !bench.core.isIdle)
    }

    @Test func `positions are read and ordered as numbers`() {
        #expect(SourcePosition(parsing: "17-3") == SourcePosition(major: 17, minor: 3))
        #expect(SourcePosition(parsing: "17") == SourcePosition(major: 17))
        for odd in ["", "-", "a-1", "1-b", "1-2-3", "-1"] { #expect(SourcePosition(parsing: odd) == nil, "\(odd)") }
        #expect(SourcePosition(major: 9, minor: 9) < SourcePosition(major: 10))
        #expect(SourcePosition(major: 9, minor: 9) < SourcePosition(major: 9, minor: 10))
    }
}
