// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Storage
import Synchronization
import Telemetry
import TestKit
import Testing

/// Batches of numbered records, `n,n,n`.
private func batch(_ partition: String, _ records: ClosedRange<Int>, jobs: [Job] = []) -> RelayBatch {
    var bytes: [UInt8] = []
    var ends: [Int] = []
    for record in records {
        if !bytes.isEmpty { bytes.append(UInt8(ascii: ",")) }
        bytes += String(record).utf8
        ends.append(bytes.count)
    }
    var batch = RelayBatch(
        partition: partition, position: UInt64(records.upperBound), bytes: bytes, start: 0, ends: ends, separator: 1)
    batch.jobs = jobs
    return batch
}

private func numbers(_ batch: RelayBatch) -> [Int] {
    String(decoding: batch.bytes, as: UTF8.self).split(separator: ",").compactMap { Int($0) }
}

@Suite("Buffers for bodies") struct SpareBuffersTests {
    // covers: relay:spares
    @Test func `are used again, as many as may be and none that a long record has made large`() {
        let spares = SpareBuffers(limit: 2, largest: 4096)
        #expect(spares.take(room: 1) == nil)
        for _ in 0..<3 { spares.give([UInt8](repeating: 1, count: 1000)) }
        spares.give([UInt8](repeating: 2, count: 100_000))
        #expect(spares.take(room: 500)?.count == 1000)
        // One that is too small is let go of.
        #expect(spares.take(room: 50_000) == nil && spares.take(room: 1) == nil)
    }
}

@Suite("Relay core") struct RelayCoreTests {
    private static let identity = RelayCore.Identity(flow: 1, target: 2, fencingToken: 3)
    private func moment(_ seconds: Double) -> Moment {
        Moment(uptime: .milliseconds(Int(seconds * 1000)), wall: Instant(milliseconds: Int64(seconds * 1000)))
    }

    private func sends(_ core: inout RelayCore) -> [UInt64] {
        core.takeActions().compactMap { if case .send(let id, _) = $0 { id } else { nil } }
    }
    private func commits(_ core: inout RelayCore) -> [FlowCommit] {
        core.takeActions().compactMap { if case .commit(let commit) = $0 { commit } else { nil } }
    }

    // covers: relay:prefix
    @Test func `moves a checkpoint only behind an unbroken prefix`() {
        var core = RelayCore(identity: Self.identity)
        for start in [1, 11, 21] { core.read(batch("p", start...start + 9), at: moment(1)) }
        #expect(sends(&core) == [1, 2, 3])
        core.appended(2, result: .appended(refused: [:]), inputs: { _, _ in [] }, at: moment(2))
        core.appended(3, result: .appended(refused: [:]), inputs: { _, _ in [] }, at: moment(2))
        #expect(commits(&core).isEmpty)
        core.appended(1, result: .appended(refused: [:]), inputs: { _, _ in [] }, at: moment(2))
        let made = commits(&core)
        #expect(made.map { String(decoding: $0.checkpoints["p"] ?? [], as: UTF8.self) } == ["30"])
        core.committed(at: moment(3))
        #expect(core.durablePositions == ["p": 30] && core.isIdle && core.accounting.itemsCommitted == 30)
    }

    @Test func `one commit is under way at a time and a position never moves back`() {
        var core = RelayCore(identity: Self.identity, checkpoints: ["p": 15])
        core.read(batch("p", 1...10), at: moment(1))
        core.appended(1, result: .appended(refused: [:]), inputs: { _, _ in [] }, at: moment(1))
        // Below the durable position: nothing to write.
        #expect(commits(&core).isEmpty && core.isIdle)
        core.read(batch("p", 11...20), at: moment(2))
        core.appended(2, result: .appended(refused: [:]), inputs: { _, _ in [] }, at: moment(2))
        #expect(commits(&core).count == 1)
        core.read(batch("p", 21...30), at: moment(2))
        core.appended(3, result: .appended(refused: [:]), inputs: { _, _ in [] }, at: moment(2))
        #expect(commits(&core).isEmpty)
        core.committed(at: moment(2))
        #expect(core.nextTick == .milliseconds(2025))
        core.tick(at: moment(2.1))
        #expect(commits(&core).count == 1)
    }

    // covers: relay:dead-letter, relay:job
    @Test func `puts refused records and jobs into the commit of their batch`() {
        var core = RelayCore(identity: Self.identity)
        let job = Job(
            runner: "r", id: "1", flow: 1, step: "walk", due: Instant(milliseconds: 0), attempts: 0, payload: [],
            created: Instant(milliseconds: 0))
        core.read(batch("p", 1...3, jobs: [job]), at: moment(1))
        core.appended(
            1, result: .appended(refused: [1: "bad"]),
            inputs: { index, batch in Array("record \(numbers(batch)[index])".utf8) }, at: moment(1))
        let made = commits(&core)
        #expect(made.first?.jobs == [job])
        #expect(made.first?.deadLetters.map { String(decoding: $0.input, as: UTF8.self) } == ["record 2"])
        #expect(core.accounting.items[.delivered] == 2 && core.accounting.items[.deadLettered] == 1)
        #expect(core.accounting.holds)
    }

    // covers: relay:bounded
    @Test func `reads no more than its bounds allow, and sends nothing new while one waits`() {
        var limits = RelayCore.Limits()
        limits.batches = 3
        limits.inFlight = 2
        var core = RelayCore(identity: Self.identity, limits: limits)
        for start in [1, 11, 21] { core.read(batch("p", start...start + 9), at: moment(1)) }
        #expect(!core.wantsRead && sends(&core) == [1, 2])
        core.appended(
            1, result: .retry(after: .seconds(5), code: "c", reason: "r"), inputs: { _, _ in [] }, at: moment(2))
        #expect(sends(&core).isEmpty && core.trouble?.code == "c" && core.nextTick == .seconds(7))
        core.appended(2, result: .appended(refused: [:]), inputs: { _, _ in [] }, at: moment(3))
        #expect(sends(&core).isEmpty)
        core.tick(at: moment(7))
        #expect(sends(&core) == [1, 3])
        #expect(core.trouble == nil || core.batchesInFlight == 2)
    }

    // covers: relay:bounded
    @Test func `takes a batch in when it can be sent, not to wait`() {
        var limits = RelayCore.Limits()
        limits.batches = 4
        limits.inFlight = 2
        var core = RelayCore(identity: Self.identity, limits: limits)
        for start in [1, 11] {
            #expect(core.wantsRead)
            core.read(batch("p", start...start + 9), at: moment(1))
        }
        #expect(!core.wantsRead && sends(&core) == [1, 2])
        // The second is taken and waits for the first without its bytes: there is room for another.
        core.appended(2, result: .appended(refused: [:]), inputs: { _, _ in [] }, at: moment(2))
        #expect(core.wantsRead)
        core.read(batch("p", 21...30), at: moment(2))
        #expect(sends(&core) == [3] && !core.wantsRead)
        // One that rests will be sent again and keeps its place.
        core.appended(
            3, result: .retry(after: .seconds(5), code: "c", reason: "r"), inputs: { _, _ in [] }, at: moment(3))
        #expect(!core.wantsRead)
    }

    /// Crashes, failures and answers in any order: after all of it every record is at the target, at most the batches in
    /// flight came twice, and the checkpoint was never ahead of what the target has.
    // covers: relay:crash
    @Test(arguments: UInt64(1)...60) func `loses nothing whatever happens`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let total = ["a": 400, "b": 250]
        var durable: [String: UInt64] = [:]
        var taken: [String: [Int: Int]] = ["a": [:], "b": [:]]
        var uptime = 0.0
        var crashes = 0
        var inFlightAtCrashes = 0
        run: while true {
            var limits = RelayCore.Limits()
            limits.inFlight = Int.random(in: 1...6, using: &random)
            var core = RelayCore(identity: Self.identity, limits: limits, checkpoints: durable)
            var next = total.mapValues { _ in 1 }
            for (partition, position) in durable { next[partition] = Int(position) + 1 }
            var underWay: [(UInt64, RelayBatch)] = []
            var pendingCommit: FlowCommit?
            var steps = 0
            while true {
                steps += 1
                uptime += 0.01
                let now = moment(uptime)
                for action in core.takeActions() {
                    switch action {
                    case .send(let id, let batch): underWay.append((id, batch))
                    case .commit(let commit): pendingCommit = commit
                    case .acknowledge(let partition, let position): #expect(durable[partition] == position)
                    case .tidy: break
                    }
                }
                let partition = Bool.random(using: &random) ? "a" : "b"
                if core.wantsRead, let start = next[partition], let end = total[partition], start <= end {
                    let last = min(end, start + Int.random(in: 0...20, using: &random))
                    core.read(batch(partition, start...last), at: now)
                    next[partition] = last + 1
                }
                if !underWay.isEmpty, random.chance(0.6) {
                    let (id, sent) = underWay.remove(at: Int.random(in: 0..<underWay.count, using: &random))
                    let isTaken = random.chance(0.8)
                    // A lost answer: taken, yet sent again.
                    let isHeard = isTaken && random.chance(0.95)
                    if isTaken { for number in numbers(sent) { taken[sent.partition]?[number, default: 0] += 1 } }
                    core.appended(
                        id,
                        result: isHeard
                            ? .appended(refused: [:]) : .retry(after: .milliseconds(50), code: "x", reason: ""),
                        inputs: { _, _ in [] }, at: now)
                }
                if let commit = pendingCommit, random.chance(0.5) {
                    for (partition, position) in commit.checkpoints {
                        let value = UInt64(String(decoding: position, as: UTF8.self)) ?? 0
                        #expect(value > durable[partition] ?? 0)
                        durable[partition] = value
                        for number in 1...Int(value) { #expect(taken[partition]?[number] != nil, "seed \(seed)") }
                    }
                    pendingCommit = nil
                    core.committed(at: now)
                }
                core.tick(at: now)
                #expect(core.accounting.holds)
                if random.chance(0.004), crashes < 5 {
                    crashes += 1
                    inFlightAtCrashes += limits.batches
                    continue run
                }
                let isAllRead = next.allSatisfy { $0.value > total[$0.key] ?? 0 }
                if isAllRead, core.isIdle { break run }
                #expect(steps < 100_000, "seed \(seed) does not end")
                if steps >= 100_000 { break run }
            }
        }
        for (partition, count) in total {
            #expect(taken[partition]?.keys.sorted() == Array(1...count), "seed \(seed)")
            #expect(durable[partition] == UInt64(count))
        }
    }
}

@Suite("Relay") struct RelayTests {
    private final class Target: RelaySink {
        let taken = Mutex<[Int]>([])
        let failures: Mutex<Int>
        init(failures: Int) { self.failures = Mutex(failures) }
        func append(_ batch: RelayBatch) async -> RecordResult {
            let fails = failures.withLock { left in
                left -= 1
                return left >= 0
            }
            if fails { return .retry(after: .milliseconds(5), code: "t", reason: "not yet") }
            taken.withLock { $0 += numbers(batch) }
            return .appended(refused: numbers(batch).first == 7 ? [0: "seven"] : [:])
        }
        func input(_ index: Int, of batch: RelayBatch) -> [UInt8] { Array(String(numbers(batch)[index]).utf8) }
    }

    @Test func `carries batches to the target and positions to the store, and ends when the channel does`() async throws
    {
        let store = try await SQLiteStore.open(path: ":memory:")
        let flow = try await store.number(of: "f", in: .flow)
        let target = Target(failures: 2)
        let status = FlowStatus()
        let acknowledged = Mutex<[UInt64]>([])
        let relay = Relay(
            .init(
                sink: target, store: store, time: SystemTime(), log: .silent, status: status,
                acknowledge: { _, position in acknowledged.withLock { $0.append(position) } }, batch: { _ in nil }))
        let channel = BoundedChannel<RelayBatch>(capacity: 1)
        let core = RelayCore(identity: .init(flow: flow, target: 1, fencingToken: 0))
        async let running: Void = relay.run(core, from: channel, until: StopSignal())
        for start in [1, 7, 13] { try await channel.send(batch("p", start...start + 5)) }
        channel.finish()
        try await running
        #expect(target.taken.withLock { $0.sorted() } == Array(1...18))
        #expect(try await store.checkpoints(flow: flow)["p"].map { String(decoding: $0, as: UTF8.self) } == "18")
        #expect(acknowledged.withLock { $0.last } == 18)
        let letters = try await store.deadLetters(DeadLetterQuery())
        #expect(
            letters.map { String(decoding: $0.input, as: UTF8.self) } == ["7"] && letters[0].code == "record.refused")
        #expect(status.snapshot.accounting.items[.delivered] == 17)
        await store.close()
    }

    @Test func `tries a dead letter again when somebody asks for it`() async throws {
        let store = try await SQLiteStore.open(path: ":memory:")
        let flow = try await store.number(of: "f", in: .flow)
        var commit = FlowCommit(flow: flow, target: 1, fencingToken: 0)
        commit.deadLetters = [
            RelayCore.letter(
                Array("42".utf8), flow: flow, code: "record.refused", reason: "", position: "p",
                at: Instant(milliseconds: 0))
        ]
        try await store.commit(commit)
        _ = try await store.markDeadLetters(ids: [1], retry: true)
        let target = Target(failures: 0)
        let relay = Relay(
            .init(
                sink: target, store: store, time: SystemTime(), log: .silent, status: FlowStatus(),
                acknowledge: { _, _ in },
                batch: { letter in
                    let number = Int(String(decoding: letter.input, as: UTF8.self)) ?? 0
                    return batch("", number...number)
                }))
        let channel = BoundedChannel<RelayBatch>(capacity: 1)
        async let running: Void = relay.run(
            RelayCore(identity: .init(flow: flow, target: 1, fencingToken: 0)), from: channel, until: StopSignal())
        while try await store.countDeadLetters(flow: flow) > 0 { await Task.yield() }
        channel.finish()
        try await running
        #expect(target.taken.withLock { $0 } == [42])
        await store.close()
    }
}
