// SPDX-License-Identifier: Apache-2.0

import Base
import OpenCTI
import Testing

/// A frame as text, comparable whatever the chunks were.
private struct Read: Equatable, CustomStringConvertible {
    var id: String?
    var event: String?
    var data: String
    var kind: StreamFrame.Kind
    var dropped = 0
    var description: String { "(\(id ?? "–") \(event ?? "–") \(data) dropped \(dropped))" }
}

private func read(_ chunks: [[UInt8]], limit: Int = 16 << 20) -> [Read] {
    var parser = SSEParser(maxFrameBytes: limit)
    return chunks.flatMap { chunk in
        let batch = parser.read(chunk)
        return batch.frames.map { frame in
            Read(
                id: batch.idText(of: frame), event: batch.eventName(of: frame), data: batch.dataText(of: frame),
                kind: frame.kind, dropped: frame.droppedBytes)
        }
    }
}

private func read(_ text: String, limit: Int = 16 << 20) -> [Read] { read([Array(text.utf8)], limit: limit) }

@Suite("Server-sent events") struct SSEParserTests {
    static let platform = """
        event: connected
        data: {"firstEventId":"1730000000000-0","lastEventId":"1735787045123-0"}

        id: 1735787050000-0
        event: heartbeat
        data: "2025-01-02T03:04:10.000Z"

        id: 1735787052345-0
        event: create
        data: {"data":{"name":"a\u{2028}b\u{85}c\u{0B}d\u{0C}e é 😀"}}

        : a comment
        retry: 1500
        id: 1735787052346-12
        event: delete
        data: {}


        """

    @Test func `reads what the platform sends`() {
        #expect(
            read(Self.platform) == [
                Read(
                    event: "connected",
                    data: #"{"firstEventId":"1730000000000-0","lastEventId":"1735787045123-0"}"#, kind: .connected),
                Read(id: "1735787050000-0", event: "heartbeat", data: "\"2025-01-02T03:04:10.000Z\"", kind: .heartbeat),
                Read(
                    id: "1735787052345-0", event: "create",
                    data: #"{"data":{"name":"a"# + "\u{2028}b\u{85}c\u{0B}d\u{0C}e é 😀\"}}", kind: .create),
                Read(id: "1735787052346-12", event: "delete", data: "{}", kind: .delete),
            ])
    }

    // covers: stream:frames
    @Test(arguments: ["\n", "\r\n", "\r"])
    func `gives the same frames wherever the chunks are cut`(lineEnd: String) {
        let text =
            "\u{FEFF}" + Self.platform.replacing("\n", with: lineEnd)
            + "id:7-7\(lineEnd)data:a\(lineEnd)data\(lineEnd)data: b\(lineEnd)\(lineEnd)"
        let bytes = Array(text.utf8)
        let whole = read([bytes])
        #expect(whole.count == 5)
        #expect(whole.last == Read(id: "7-7", data: "a\n\nb", kind: .unknown))
        for cut in 0...bytes.count {
            #expect(read([Array(bytes[..<cut]), Array(bytes[cut...])]) == whole, "cut at \(cut)")
        }
        #expect(read(bytes.map { [$0] }) == whole)
    }

    // covers: stream:frames
    @Test func `mixes line ends`() {
        #expect(read("event: update\r\nid: 1-1\rdata: x\n\r\n").map(\.data) == ["x"])
        #expect(read("data: x\r\rdata: y\n\n").map(\.data) == ["x", "y"])
    }

    @Test func `joins several data lines with line feeds`() {
        let frames = read("id: 1-0\ndata: one\nevent: create\ndata: two\ndata:\ndata:  three\n\n")
        #expect(frames == [Read(id: "1-0", event: "create", data: "one\ntwo\n\n three", kind: .create)])
    }

    @Test func `takes off one blank after the colon and accepts fields without one`() {
        #expect(read("data:x\n\ndata:  y\n\ndata\n\n").map(\.data) == ["x", " y", ""])
    }

    @Test func `ignores comments, unknown fields and blank lines`() {
        #expect(read(":\n\n: ping\n\nfoo: bar\n\n\n\n\ndataa: x\n\n").isEmpty)
    }

    @Test func `a comment cut in two does not swallow the frame after it`() {
        let bytes = Array(": a comment\n\nid: 1-0\ndata: x\n\ndata: y\n\n".utf8)
        for cut in 0...bytes.count {
            #expect(read([Array(bytes[..<cut]), Array(bytes[cut...])]).map(\.data) == ["x", "y"], "cut at \(cut)")
        }
    }

    @Test func `keeps the last of repeated fields and ignores an id with NUL`() {
        let frames = read("id: 1-0\nid: 2-0\nid: 3\u{0}-0\nevent: create\nevent: update\ndata: x\n\n")
        #expect(frames == [Read(id: "2-0", event: "update", data: "x", kind: .update)])
    }

    @Test func `tells a frame without data, whose id still moves the position`() {
        #expect(read("id: 5-0\n\n") == [Read(id: "5-0", data: "", kind: .unknown)])
    }

    // covers: stream:unknown-event, stream:heartbeat
    @Test(arguments: [
        ("create", StreamFrame.Kind.create), ("update", .update), ("delete", .delete), ("merge", .merge),
        ("heartbeat", .heartbeat), ("consumer_metrics", .heartbeat), ("sync", .heartbeat), ("connected", .connected),
        ("no-recover", .noRecover), ("created", .unknown), ("Create", .unknown), ("", .unknown),
    ])
    func `knows the platform's events`(name: String, kind: StreamFrame.Kind) {
        #expect(read("event: \(name)\ndata: x\n\n").map(\.kind) == [kind])
    }

    @Test func `remembers the server's wish for reconnects`() {
        var parser = SSEParser()
        _ = parser.read(Array("retry: 1500\n\nretry: soon\n\n".utf8))
        #expect(parser.retry == .milliseconds(1500))
    }

    // covers: stream:reconnect
    @Test func `drops a half frame on reset, so that it is not glued to the next connection`() {
        var parser = SSEParser()
        #expect(parser.read(Array("id: 9-9\nevent: create\ndata: ha".utf8)).frames.isEmpty)
        #expect(parser.pendingBytes > 0)
        parser.reset()
        let batch = parser.read(Array("event: connected\ndata: {}\n\n".utf8))
        #expect(batch.frames.map(\.id) == [nil])
        #expect(batch.frames.map(\.kind) == [.connected])
    }

    // covers: bad:sse
    @Test(arguments: ["\n", "\r\n", "\r"])
    func `drops a frame beyond the limit and goes on with the next`(lineEnd: String) {
        let long = String(repeating: "x", count: 300)
        let tooLong = "id: 1-0\nevent: create\ndata: \(long)\ndata: more\n\n".replacing("\n", with: lineEnd)
        let good = "id: 2-0\nevent: update\ndata: ok\n\n".replacing("\n", with: lineEnd)
        let bytes = Array((tooLong + good).utf8)
        for cut in 0...bytes.count {
            var parser = SSEParser(maxFrameBytes: 100)
            var frames: [StreamFrame] = []
            var texts: [String] = []
            for chunk in [bytes[..<cut], bytes[cut...]] {
                let batch = parser.read(Array(chunk))
                frames += batch.frames
                texts += batch.frames.map { batch.dataText(of: $0) }
            }
            #expect(texts == ["", "ok"], "cut at \(cut)")
            #expect(frames.map(\.kind).last == .update)
            #expect(frames.first.map { abs($0.droppedBytes - tooLong.utf8.count) <= 1 } == true)
            if cut > 30 { #expect(frames.first?.id == EventID(milliseconds: 1)) }
        }
        let single = read(bytes.map { [$0] }, limit: 100)
        #expect(single.map(\.data) == ["", "ok"])
        #expect(single.first?.kind == .create)
    }

    @Test func `holds no more than the limit while it skips`() {
        var parser = SSEParser(maxFrameBytes: 1000)
        _ = parser.read(Array("id: 1-0\ndata: ".utf8))
        for _ in 0..<100 {
            #expect(parser.read(Array(repeating: UInt8(ascii: "y"), count: 500)).frames.isEmpty)
            #expect(parser.pendingBytes <= 1500)
        }
        let batch = parser.read(Array("\n\n".utf8))
        #expect(batch.frames.map(\.id) == [EventID(milliseconds: 1)])
        #expect(batch.frames.map(\.droppedBytes) == [50_000 + 16])
    }

    @Test func `lends data that can be parsed in place`() throws {
        var parser = SSEParser()
        let batch = parser.read(Array(Self.platform.utf8))
        var lengths: [Int] = []
        batch.forEachFrame { _, data in lengths.append(data.count) }
        #expect(lengths == batch.frames.map { batch.dataText(of: $0).utf8.count })
    }
}

@Suite("Event ids") struct EventIDTests {
    @Test func `read and write the platform's form only`() {
        #expect(EventID(parsing: "1735787045123-7") == EventID(milliseconds: 1_735_787_045_123, sequence: 7))
        #expect(EventID(parsing: "1735787045123-7")?.description == "1735787045123-7")
        for text in ["", "-", "1", "1-", "-1", "1-2-3", "1-x", " 1-2", "99999999999999999999-0"] {
            #expect(EventID(parsing: text) == nil, "\(text)")
        }
    }

    @Test func `compare by number, not by text`() throws {
        let ids = ["9-0", "10-0", "10-2", "10-10"].compactMap { EventID(parsing: $0) }
        #expect(ids == ids.sorted())
    }

    @Test func `read positions as the platform does`() {
        #expect(EventID(position: "0") == .beginning)
        #expect(EventID(position: "0-0") == .beginning)
        #expect(EventID(position: "1735787045123") == EventID(milliseconds: 1_735_787_045_123))
        #expect(EventID(position: "2025-01-02T03:04:05.123Z") == EventID(milliseconds: 1_735_787_045_123))
        #expect(EventID(position: "2025-01-02T04:04:05+01:00") == EventID(milliseconds: 1_735_787_045_000))
        #expect(EventID(position: "yesterday") == nil)
    }
}
