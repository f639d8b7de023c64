// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Foundation
import JSON
import Sekoia
import Storage
import Testing
import Vectors

@testable import FalconTelemetry

@Suite("Lines into batches") struct LineBatcherTests {
    private static let moment = Moment(uptime: .seconds(10), wall: Instant(milliseconds: 1_771_060_000_000))
    private static let frame = LineFrame.strings(IntakeFrame(key: Secret("a\"key")))

    private func policy(_ frame: LineFrame = frame) -> LineBatcher.Policy {
        LineBatcher.Policy(partition: "feed", flow: 7, frame: frame)
    }

    /// What went in comes out of the batches, by the target's own reader.
    private func lines(_ batches: [RelayBatch]) throws -> [String] {
        try batches.filter { $0.count > 0 }.flatMap { batch in
            let body = try JSONValue(parsing: batch.bytes)
            #expect(body["intake_key"]?.string == "a\"key")
            return try #require(body["jsons"]?.array).map { try #require($0.string) }
        }
    }

    private func run(
        _ policy: LineBatcher.Policy, _ pieces: [[UInt8]], lastOffset: UInt64 = 0
    ) -> ([RelayBatch], LineBatcher.Counts) {
        var batcher = LineBatcher(policy, lastOffset: lastOffset)
        var batches: [RelayBatch] = []
        batcher.connected()
        for piece in pieces { batcher.take(piece, at: Self.moment) { batches.append($0) } }
        batcher.flush(olderThan: .zero, at: Self.moment) { batches.append($0) }
        return (batches, batcher.counts)
    }

    static let files = ["falcon-events.ndjson", "falcon-events-odd.ndjson"]

    // covers: stream:raw-lines, data:falcon-events, data:falcon-events-odd
    @Test(arguments: files) func `passes every line on byte for byte`(_ file: String) throws {
        let bytes = [UInt8](try Vectors.data(file))
        let expected = bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        let (batches, counts) = run(policy(), [bytes])
        #expect(try lines(batches) == expected)
        #expect(counts.lines == expected.count && counts.invalid == 0 && counts.repeats == 0)
        let last = try #require(JSONValue(parsing: expected.last ?? "")["metadata"]?["offset"]?.number?.uint64)
        #expect(batches.last?.position == last)
        let (plain, _) = run(policy(.lines), [bytes])
        #expect(plain.flatMap(\.bytes) == bytes)
        for batch in plain {
            for index in 0..<batch.count { #expect(!batch.bytes[batch.range(index)].contains(UInt8(ascii: "\n"))) }
        }
    }

    @Test func `gives the same wherever the stream is cut into pieces`() throws {
        let bytes = Array([UInt8](try Vectors.data("falcon-events-odd.ndjson")))
        let whole = try lines(run(policy(), [bytes]).0)
        for size in [1, 2, 3, 7, 64, 333] {
            let pieces = stride(from: 0, to: bytes.count, by: size).map {
                Array(bytes[$0..<min($0 + size, bytes.count)])
            }
            #expect(try lines(run(policy(), pieces).0) == whole, "pieces of \(size)")
        }
    }

    // covers: stream:framing, stream:blank-line, stream:invalid-line
    @Test func `strips ends of lines, ignores blank ones, and puts aside what is no event`() throws {
        let text =
            "\r\n  \n{\"metadata\":{\"offset\":1}}\r\n \t{\"metadata\":{\"offset\":2}} \nnot json\n[1]\n{\"a\":tru}\n{\"x\":1}\n"
        let (batches, counts) = run(policy(), [Array(text.utf8)])
        #expect(try lines(batches) == ["{\"metadata\":{\"offset\":1}}", "{\"metadata\":{\"offset\":2}}", "{\"x\":1}"])
        let letters = batches.flatMap(\.deadLetters)
        #expect(letters.map { String(decoding: $0.input, as: UTF8.self) } == ["not json", "[1]", "{\"a\":tru}"])
        #expect(letters.allSatisfy { $0.code == "event.invalid" && $0.flow == 7 })
        #expect(counts.lines == 6 && counts.invalid == 3)
        #expect(batches.map(\.read).reduce(0, +) == 6)
        #expect(batches.last?.position == 2)
    }

    @Test func `refuses every malformed text that a lazy reader would let through`() {
        for text in [
            "{\"a\":01}", "{\"a\" 1}", "{\"a\":[1,2}}", "{\"a\":\"\\q\"}", "{\"a\":1,}", "{\"a\":\"\u{1}\"}",
            "{\"a\":1}}",
        ] {
            let (batches, counts) = run(policy(), [Array((text + "\n").utf8)])
            #expect(counts.invalid == 1 && batches.map(\.count).reduce(0, +) == 0, "\(text)")
        }
    }

    // covers: stream:line-limit
    @Test func `puts aside the begin of a line without end, and goes on after it`() throws {
        var policy = policy()
        policy.limits.lineBytes = 10_000
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: 25_000)
        let pieces = [Array(long[..<9000]), Array(long[9000...]), Array("\n{\"metadata\":{\"offset\":5}}\n".utf8)]
        let (batches, counts) = run(policy, pieces)
        #expect(try lines(batches) == ["{\"metadata\":{\"offset\":5}}"])
        #expect(counts.lines == 2)
        let letter = try #require(batches.flatMap(\.deadLetters).first)
        #expect(letter.code == "event.too_long" && letter.input.count == 4096)
    }

    // covers: intake:event-limit
    @Test func `puts aside an event beyond the intake's 250 000 characters, counted as characters`() throws {
        func event(_ count: Int) -> String {
            #"{"metadata":{"offset":\#(count)},"t":""# + String(repeating: "é", count: count) + "\"}"
        }
        let fits = event(249_000)
        let (batches, _) = run(policy(), [Array((fits + "\n" + event(250_001) + "\n").utf8)])
        #expect(try lines(batches) == [fits])
        #expect(batches.flatMap(\.deadLetters).map(\.code) == ["event.too_long"])
        #expect(batches.map(\.position).compactMap(\.self).max() == 250_001)
        #expect(run(policy(.lines), [Array((event(250_001) + "\n").utf8)]).0.flatMap(\.deadLetters).isEmpty)
    }

    // covers: batch:count, batch:bytes
    @Test func `bounds a body by count and by bytes`() throws {
        var policy = policy()
        policy.limits.lines = 10
        let line = #"{"metadata":{"offset":OFFSET},"event":{"text":"\#(String(repeating: "q\\\"", count: 100))"}}"#
        let text =
            (1...25).map { line.replacingOccurrences(of: "OFFSET", with: "\($0)") }.joined(separator: "\n") + "\n"
        #expect(run(policy, [Array(text.utf8)]).0.map(\.count) == [10, 10, 5])
        policy.limits.lines = 1000
        policy.limits.bytes = 3000
        let (batches, _) = run(policy, [Array(text.utf8)])
        #expect(batches.dropLast().allSatisfy { $0.bytes.count >= 3000 && $0.bytes.count < 4500 })
        #expect(try lines(batches).count == 25)
    }

    // covers: batch:age
    @Test func `hands over what is open once it is old enough`() {
        var batcher = LineBatcher(policy())
        var batches: [RelayBatch] = []
        batcher.take(Array("{\"metadata\":{\"offset\":1}}\n".utf8), at: Self.moment) { batches.append($0) }
        let soon = Moment(uptime: .milliseconds(10_400), wall: Self.moment.wall)
        batcher.flush(olderThan: .milliseconds(500), at: soon) { batches.append($0) }
        #expect(batches.isEmpty)
        let later = Moment(uptime: .milliseconds(10_500), wall: Self.moment.wall)
        batcher.flush(olderThan: .milliseconds(500), at: later) { batches.append($0) }
        #expect(batches.map(\.count) == [1])
        batcher.flush(olderThan: .zero, at: later) { batches.append($0) }
        #expect(batches.count == 1)
    }

    // covers: stream:repeat, stream:gap, stream:cut-line
    @Test func `leaves out what it has read, and a line that a broken connection cut`() throws {
        var batcher = LineBatcher(policy(), lastOffset: 4)
        var batches: [RelayBatch] = []
        func take(_ text: String) { batcher.take(Array(text.utf8), at: Self.moment) { batches.append($0) } }
        batcher.connected()
        take("{\"metadata\":{\"offset\":4}}\n{\"metadata\":{\"offset\":5}}\n{\"metadata\":{\"off")
        batcher.connected()
        take("{\"metadata\":{\"offset\":5}}\n{\"metadata\":{\"offset\":8}}\n")
        batcher.flush(olderThan: .zero, at: Self.moment) { batches.append($0) }
        #expect(try lines(batches) == ["{\"metadata\":{\"offset\":5}}", "{\"metadata\":{\"offset\":8}}"])
        #expect(batcher.counts.repeats == 2 && batcher.counts.jumps == 1 && batcher.lastOffset == 8)
        #expect(batches.map(\.skipped).reduce(0, +) == 2)
    }

    // covers: stream:order
    @Test func `sends an event that comes behind a later one, but none twice`() throws {
        var batcher = LineBatcher(policy(), lastOffset: 2)
        var batches: [RelayBatch] = []
        func take(_ offsets: [Int]) {
            let text = offsets.map { "{\"metadata\":{\"offset\":\($0)}}\n" }.joined()
            batcher.take(Array(text.utf8), at: Self.moment) { batches.append($0) }
        }
        batcher.connected()
        take([1, 2, 3, 6, 5, 6, 5, 4, 7])
        batcher.connected()
        // What lies before a connection's begin has been read.
        take([4, 7, 8])
        batcher.flush(olderThan: .zero, at: Self.moment) { batches.append($0) }
        #expect(try lines(batches).map { $0.filter(\.isNumber) } == ["3", "6", "5", "4", "7", "8"])
        #expect(batcher.counts.late == 2 && batcher.counts.repeats == 6 && batches.last?.position == 8)
    }

    @Test func `leaves out what is older than a connection says`() throws {
        var batcher = LineBatcher(policy())
        var batches: [RelayBatch] = []
        batcher.connected(notBefore: 2000)
        let text = [1: 1999, 2: 2000].sorted { $0.key < $1.key }
            .map { #"{"metadata":{"offset":\#($0.key),"eventCreationTime":\#($0.value)}}"# + "\n" }.joined()
        batcher.take(Array(text.utf8), at: Self.moment) { batches.append($0) }
        batcher.flush(olderThan: .zero, at: Self.moment) { batches.append($0) }
        #expect(try lines(batches).count == 1 && batcher.counts.tooOld == 1)
    }

    // covers: stream:gap-at-connection
    @Test(arguments: [
        // The server counts the asked offset in, or it does not; then a hole in the numbering.
        ([[1, 2], [2, 3], [3, 4]], []), ([[1, 2], [3, 4]], []), ([[1, 2], [2, 5]], []),
        ([[1, 2], [9]], [LineBatcher.Gap(last: 2, first: 9)]),
        // Known to count it in: then not even the next one is in order.
        ([[1, 2], [2, 3], [4]], [LineBatcher.Gap(last: 3, first: 4)]),
    ])
    func `tells when a connection does not go on where the last one ended`(
        _ connections: [[Int]], _ expected: [LineBatcher.Gap]
    ) {
        var batcher = LineBatcher(policy())
        var gaps: [LineBatcher.Gap] = []
        for offsets in connections {
            batcher.connected()
            let text = offsets.map { "{\"metadata\":{\"offset\":\($0)}}\n" }.joined()
            batcher.take(Array(text.utf8), at: Self.moment) { _ in }
            if let gap = batcher.takeGap() { gaps.append(gap) }
        }
        #expect(gaps == expected && batcher.counts.gaps == expected.count)
        #expect(batcher.takeGap() == nil)
    }

    @Test func `tells no gap where the source leaves events out`() {
        var policy = policy()
        policy.isWhole = false
        var batcher = LineBatcher(policy, lastOffset: 4)
        batcher.connected()
        batcher.take(Array("{\"metadata\":{\"offset\":90}}\n".utf8), at: Self.moment) { _ in }
        #expect(batcher.takeGap() == nil && batcher.counts.gaps == 0)
    }

    // covers: key:start_from
    @Test func `leaves out events before the wanted time, but moves past them`() throws {
        var policy = policy()
        policy.notBefore = 2000
        let text = [1: 1000, 2: 1999, 3: 2000].sorted { $0.key < $1.key }
            .map { #"{"metadata":{"offset":\#($0.key),"eventCreationTime":\#($0.value)}}"# + "\n" }.joined()
        let (batches, counts) = run(policy, [Array(text.utf8)])
        #expect(try lines(batches).count == 1 && counts.tooOld == 2)
        #expect(batches.last?.position == 3 && batches.last?.skipped == 2)
    }

    // covers: vertex:job
    @Test func `writes a job with each event whose vertices are wanted`() throws {
        var policy = policy()
        policy.walks = "vertices/7"
        let (batches, _) = run(policy, [[UInt8](try Vectors.data("falcon-events.ndjson"))])
        let walks = batches.flatMap(\.jobs).compactMap { VertexWalk(payload: $0.payload) }
        #expect(walks.count == 9)
        #expect(walks.filter { $0.kind == .detection }.allSatisfy { $0.id.hasPrefix("ldt:") })
        #expect(walks.first?.severityName == "High" && walks.first?.severityCode == 70)
        #expect(Set(batches.flatMap(\.jobs).map(\.id)).count == 9)
    }

    @Test func `gives a refused record back as it came`() throws {
        let line = #"{"metadata":{"offset":1},"event":{"p":"C:\\x \"é\" 😀"}}"#
        let (batches, _) = run(policy(), [Array((line + "\n").utf8)])
        let batch = try #require(batches.first)
        #expect(Self.frame.line(batch.bytes[batch.range(0)]) == Array(line.utf8))
    }
}
