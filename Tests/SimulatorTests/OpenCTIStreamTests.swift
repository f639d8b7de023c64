// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import OpenCTISimulator
import Testing

@Suite("Simulated OpenCTI: the live stream") struct OpenCTIStreamTests {
    @Test func `says hello, then sends what was given byte by byte`() async throws {
        let consumer = try Consumer()
        let raw = #"{"data": {"type":"identity" , "id":"identity--1"}}"#
        try await consumer.admin(
            "POST", "events",
            [
                Consumer.event(1, id: "1767225600001-0"),
                ["id": "1767225600002-5", "event": "merge", "raw": .string(raw)],
                ["id": "1767225600003-0", "event": "odd", "raw": "not json"],
            ])
        let stream = try await consumer.open()
        #expect(stream.head.headers["Content-Type"] == "text/event-stream; charset=utf-8")
        #expect(stream.head.headers["Cache-Control"] == "no-cache, no-transform")
        #expect(stream.head.headers["Content-Encoding"] == nil)
        let frames = await Consumer.read(stream) { $0.count == 4 }.frames
        #expect(frames[0].event == "connected")
        #expect(frames[0].id == nil)
        #expect(frames[0].json["lastEventId"] == "1767225600003-0")
        #expect(frames[1].id == "1767225600001-0")
        #expect(frames[1].json["data"] == Consumer.indicator(1))
        #expect(frames[2] == Consumer.Frame(id: "1767225600002-5", event: "merge", data: raw))
        #expect(frames[3] == Consumer.Frame(id: "1767225600003-0", event: "odd", data: "not json"))
    }

    @Test func `frames that no platform would send go out as they are`() async throws {
        let consumer = try Consumer()
        let frames = ["data: no end", ": a comment\r\ndata: a\r\ndata: b\r\n\r\n", "id: x\nevent: create\n\n"]
        try await consumer.admin("POST", "events", .array(frames.map { ["frame": .string($0)] }))
        try await consumer.admin("POST", "events", [Consumer.event(1)])
        let stream = try await consumer.open()
        var text = ""
        while !text.contains("host1.example"), let chunk = try await stream.next() {
            text += String(decoding: chunk, as: UTF8.self)
        }
        stream.cancel()
        #expect(text.contains(frames.joined() + "id: "))
    }

    @Test(
        arguments: [
            (["Last-Event-ID": "2-0"], "", ["3-0"]),
            (["from": "1-0", "Last-Event-ID": "2-0"], "", ["2-0", "2-0", "3-0"]),
            (["Last-Event-ID": "2-0"], "?from=1970-01-01T00:00:00.001Z", ["2-0", "2-0", "3-0"]),
            (["from": "0"], "", ["1-0", "2-0", "2-0", "3-0"]),
            (["from": "1"], "", ["2-0", "2-0", "3-0"]),
            (["Last-Event-ID": "0-0"], "?recover=2030-01-01T00:00:00Z", ["1-0", "2-0", "2-0", "3-0"]),
        ] as [(HTTPHeaders, String, [String])])
    func `resumes after the position`(headers: HTTPHeaders, query: String, ids: [String]) async throws {
        let consumer = try Consumer()
        try await consumer.admin(
            "POST", "events", .array(["1-0", "2-0", "2-0", "3-0"].enumerated().map { Consumer.event($0, id: $1) }))
        #expect(try await consumer.events(ids.count, headers, query: query).map(\.id) == ids)
    }

    @Test func `without a position only what comes later is sent`() async throws {
        let consumer = try Consumer()
        try await consumer.admin("POST", "events", [Consumer.event(1)])
        let stream = try await consumer.open([:])
        let hello = await stream.next(matching: "connected")
        try await consumer.admin("POST", "events", [Consumer.event(2)])
        let frames = await Consumer.read(stream) { $0.contains(where: \.isData) }.frames
        #expect(hello)
        #expect(frames.filter(\.isData).map { $0.json["data"]?["name"] } == ["host2.example"])
    }

    @Test func `deletes are left out on demand`() async throws {
        let consumer = try Consumer()
        try await consumer.admin(
            "POST", "events",
            [Consumer.event(1, id: "1-0"), Consumer.event(1, id: "2-0", event: "delete"), Consumer.event(2, id: "3-0")])
        let all = try await consumer.events(3)
        #expect(all.map(\.event) == ["create", "delete", "create"])
        let some = try await consumer.events(2, ["Last-Event-ID": "0-0", "listen-delete": "false"])
        #expect(some.map(\.id) == ["1-0", "3-0"])
    }

    @Test func `ids are made from the clock and never repeat a heartbeat's`() async throws {
        let time = ManualTime()
        let consumer = try Consumer(time: time)
        let stream = try await consumer.open()
        async let beats = Consumer.read(stream) { $0.filter { $0.event == "heartbeat" }.count == 2 }
        for _ in 0..<2 {
            await time.sleepers(1)
            time.advance(by: .seconds(1))
        }
        let ids = await beats.frames.filter { $0.event == "heartbeat" }.map(\.id)
        #expect(ids == ["1767225601000-0", "1767225602000-0"])
        let given = try await consumer.admin("POST", "events", [Consumer.event(1), Consumer.event(2)])
        #expect(given["ids"] == ["1767225602000-1", "1767225602000-2"])
    }

    @Test func `an id before the last one is refused`() async throws {
        let consumer = try Consumer()
        let answer = try await consumer.admin(
            "POST", "events", [Consumer.event(1, id: "5-0"), Consumer.event(2, id: "4-0")])
        #expect(answer["error"] != nil)
        #expect(try await consumer.admin("GET", "state")["events"] == 0)
    }

    @Test func `consumer metrics come with every so-many-th heartbeat`() async throws {
        let time = ManualTime()
        let consumer = try Consumer(time: time) { $0.metricsEvery = 2 }
        let stream = try await consumer.open()
        async let read = Consumer.read(stream) { $0.count == 4 }
        for _ in 0..<2 {
            await time.sleepers(1)
            time.advance(by: .seconds(1))
        }
        let frames = await read.frames
        try #require(frames.map(\.event) == ["connected", "heartbeat", "heartbeat", "consumer_metrics"])
        #expect(frames[3].id == frames[2].id)
    }

    @Test func `a refused recovery is said and live events follow`() async throws {
        let consumer = try Consumer { $0.refusesRecovery = true }
        try await consumer.admin("POST", "events", [Consumer.event(1, id: "1-0")])
        let stream = try await consumer.open(query: "?recover=2030-01-01T00:00:00Z")
        let frames = await Consumer.read(stream) { $0.contains(where: \.isData) }.frames
        #expect(frames.prefix(3).map(\.event) == ["connected", "no-recover", "create"])
    }

    // MARK: Trimming and recovery

    @Test func `what was trimmed away comes from the database, as it stands now`() async throws {
        let consumer = try Consumer()
        try await consumer.admin(
            "POST", "events",
            [
                Consumer.event(1, id: "1767225600001-0"), Consumer.event(2, id: "1767225600002-0"),
                Consumer.event(1, id: "1767225600003-0", event: "update"),
                Consumer.event(2, id: "1767225600004-0", event: "delete"), Consumer.event(3, id: "1767225600005-0"),
            ])
        try await consumer.admin("POST", "trim", ["firstEventId": "1767225600005-0"])
        let hello = await Consumer.read(try await consumer.open()) { !$0.isEmpty }.frames[0]
        #expect(hello.json["firstEventId"] == "1767225600005-0")
        #expect(try await consumer.events(1).map(\.id) == ["1767225600005-0"])
        let recovered = try await consumer.events(2, query: "?recover=2026-06-01T00:00:00Z")
        #expect(recovered.map(\.id) == ["1767225600003-0", "1767225600005-0"])
        #expect(recovered.map(\.referer) == ["init-create", ""])
        #expect(recovered.map(\.event) == ["create", "create"])
        #expect(recovered[0].json["type"] == nil)
    }

    // MARK: Refusals

    @Test(arguments: [
        ("", "", 401, "You are not authenticated, please check your credentials"),
        (OpenCTIConfiguration.defaultToken, "/stream/nothing", 401, "This live stream doesn't exist"),
        (OpenCTIConfiguration.defaultToken, "/stream/live", 401, "You are not authorized to use this stream"),
        (OpenCTIConfiguration.defaultToken, "/stream", 401, "You are not authorized to use this stream"),
    ])
    func `refuses with the reason in the status line`(token: String, path: String, status: Int, reason: String)
        async throws
    {
        var consumer = try Consumer()
        consumer.token = token
        let stream = try await consumer.open(path: path.isEmpty ? Consumer.streamPath : path)
        #expect(stream.head.status == status)
        #expect(stream.head.reason == reason)
        #expect(await Consumer.read(stream).frames.isEmpty)
    }

    @Test func `a recovery without a start is a failure`() async throws {
        let consumer = try Consumer()
        let stream = try await consumer.open([:], query: "?recover=2026-01-01T00:00:00Z")
        #expect(stream.head.status == 500)
        #expect(stream.head.reason.contains("Recovery mode is only possible with a start date."))
    }

    @Test func `a wrong path is a web page`() async throws {
        let consumer = try Consumer { $0.basePath = "/cti" }
        let wrong = try await consumer.open()
        #expect(wrong.head.status == 200)
        #expect(wrong.head.headers["Content-Type"] == "text/html; charset=utf-8")
        let right = try await consumer.open(path: "/cti" + Consumer.streamPath)
        #expect(right.head.headers["Content-Type"] == "text/event-stream; charset=utf-8")
    }

    @Test(arguments: [("stopped", 410), ("private", 401)])
    func `a stream that is taken away ends and is refused`(state: String, status: Int) async throws {
        let consumer = try Consumer()
        let stream = try await consumer.open()
        _ = await stream.next(matching: "connected")
        try await consumer.admin("POST", "stream", ["state": .string(state)])
        #expect(await Consumer.read(stream).end == .ended)
        #expect(try await consumer.open().head.status == status)
        try await consumer.admin("POST", "stream", ["state": "running"])
        #expect(try await consumer.open().head.status == 200)
    }

    @Test func `a public stream needs no token`() async throws {
        var consumer = try Consumer()
        consumer.token = ""
        try await consumer.admin("POST", "stream", ["state": "public"])
        #expect(try await consumer.open().head.status == 200)
    }

    @Test func `a reset ends streams and forgets everything`() async throws {
        let consumer = try Consumer()
        _ = try await consumer.register()
        try await consumer.admin("POST", "events", [Consumer.event(1)])
        let stream = try await consumer.open()
        _ = await stream.next(matching: "connected")
        try await consumer.admin("POST", "reset")
        #expect(await Consumer.read(stream).end == .ended)
        let state = try await consumer.admin("GET", "state")
        #expect(state["events"] == 0)
        #expect(state["connectors"] == [])
    }

    // MARK: Breaks

    @Test(arguments: [
        ("between", "reset", 3, Consumer.End.broken), ("between", "end", 3, .ended), ("inside", "end", 3, .ended),
        ("group", "end", 3, .ended),
    ])
    func `breaks where it is told`(place: String, way: String, frames: Int, end: Consumer.End) async throws {
        let consumer = try Consumer()
        let ids = ["1-0", "2-0", "3-0", "3-0", "4-0", "5-0"]
        try await consumer.admin("POST", "events", .array(ids.enumerated().map { Consumer.event($0, id: $1) }))
        try await consumer.admin(
            "POST", "stream", ["cut": ["frames": .int(frames), "place": .string(place), "way": .string(way)]])
        let read = await Consumer.read(try await consumer.open())
        #expect(read.end == end)
        #expect(read.frames.filter(\.isData).map(\.id) == ["1-0", "2-0", "3-0"])
        #expect(read.rest.isEmpty == (place != "inside"))
        #expect(try await consumer.events(6).count == 6)
    }

    @Test func `falls silent with the connection open`() async throws {
        let time = ManualTime()
        let consumer = try Consumer(time: time)
        try await consumer.admin("POST", "events", [Consumer.event(1, id: "1-0"), Consumer.event(2, id: "2-0")])
        try await consumer.admin("POST", "stream", ["cut": ["frames": 1, "way": "silence"]])
        let silent = try await consumer.open()
        let first = await Consumer.read(silent) { $0.contains(where: \.isData) }
        #expect(first.frames.filter(\.isData).map(\.id) == ["1-0"])
        time.advance(by: .seconds(30))
        #expect(first.rest.isEmpty)
        #expect(try await consumer.events(2).count == 2)
    }

    @Test func `the kit's faults strike the stream`() async throws {
        let consumer = try Consumer()
        try await consumer.admin("POST", "events", .array((1...50).map { Consumer.event($0) }))
        try await consumer.admin("POST", "faults", ["kind": "cut", "argument": 5_000, "path": "/stream/*"])
        let read = await Consumer.read(try await consumer.open())
        #expect(read.end == .broken)
        #expect((1..<50).contains(read.frames.count))
        #expect(!read.rest.isEmpty)
    }
}

extension HTTPStream {
    /// Reads one chunk; whether it holds the text.
    func next(matching text: String) async -> Bool {
        guard let chunk = try? await next() else { return false }
        return String(decoding: chunk, as: UTF8.self).contains(text)
    }
}
