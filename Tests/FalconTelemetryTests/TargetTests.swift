// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Engine
import Foundation
import HTTPClient
import JSON
import Sekoia
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import FalconTelemetry

@Suite("Targets of a relay") struct TargetTests {
    private let time = TestTime(jumping: true)
    private let frame = LineFrame.strings(IntakeFrame(key: Secret("k")))

    private var events: Events {
        Events(log: .silent, metrics: Metrics(time: time), flow: "f", key: Secret("k"), time: time)
    }
    private var pulse: SymphonyPulse { SymphonyPulse(time: time, threshold: .zero) }

    private func batch(_ count: Int, _ frame: LineFrame) -> RelayBatch {
        var batcher = LineBatcher(.init(partition: "", flow: 1, frame: frame))
        return batcher.body((0..<count).map { Array(#"{"n":\#($0)}"#.utf8) })
    }

    /// An intake that refuses events by number.
    private final class Intake: Sendable {
        let bad: Set<Int>
        let taken = Mutex<[Int]>([])
        let calls = Mutex(0)
        let before: @Sendable (Int) -> SekoiaIntake.Answer?
        init(bad: Set<Int>, before: @escaping @Sendable (Int) -> SekoiaIntake.Answer? = { _ in nil }) {
            self.bad = bad
            self.before = before
        }
        func post(_ body: [UInt8]) -> SekoiaIntake.Answer {
            let call = calls.withLock { calls in
                calls += 1
                return calls
            }
            if let early = before(call) { return early }
            let events = (try? JSONValue(parsing: body))?["jsons"]?.array ?? []
            let numbers = events.compactMap { $0.string.flatMap { try? JSONValue(parsing: $0) }?["n"]?.int }.map {
                Int($0)
            }
            guard !numbers.isEmpty, bad.isDisjoint(with: numbers) else { return .refused(status: 400) }
            taken.withLock { $0 += numbers }
            return .accepted
        }
    }

    private func sink(_ intake: Intake) -> PostSink {
        PostSink("The intake", frame: frame, events: events, pulse: pulse, time: time) { intake.post($0) }
    }

    // covers: intake:bisect, intake:400
    @Test(arguments: [[0], [999], [5, 6, 500], [0, 1, 2, 3]])
    func `finds refused events by halves, and sends every other one once`(_ bad: [Int]) async {
        let intake = Intake(bad: Set(bad))
        let batch = batch(1000, frame)
        let result = await sink(intake).append(batch)
        guard case .appended(let refused) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(refused.keys.sorted() == bad)
        #expect(intake.taken.withLock { $0.sorted() } == (0..<1000).filter { !bad.contains($0) })
        #expect(intake.calls.withLock { $0 } < 100)
        #expect(sink(intake).input(bad[0], of: batch) == Array(#"{"n":\#(bad[0])}"#.utf8))
    }

    @Test func `waits in the middle of a search when the intake is away, without sending anything twice`() async {
        let intake = Intake(bad: [3]) { call in
            (4...6).contains(call) ? .unavailable(reason: "503", retryAfter: .seconds(7), isOutcomeUnknown: false) : nil
        }
        let result = await sink(intake).append(batch(16, frame))
        #expect(result == .appended(refused: [3: "The intake refuses this event (400)"]))
        #expect(intake.taken.withLock { $0.sorted() } == (0..<16).filter { $0 != 3 })
        #expect(time.slept.contains { $0 >= .seconds(7) })
    }

    // covers: intake:all-refused
    @Test func `does not take a refused key for refused events`() async {
        let intake = Intake(bad: Set(0..<200))
        guard case .retry(let wait, "relay.refused_all", _) = await sink(intake).append(batch(200, frame)) else {
            Issue.record("events were given up")
            return
        }
        #expect(wait == .seconds(60))
    }

    // covers: intake:401, intake:429, intake:5xx
    @Test func `pauses when it is not let in, and tries again when asked to wait`() async {
        let closed = Intake(bad: []) { _ in .closed(status: 401) }
        guard case .retry(.seconds(30), "relay.closed", _) = await sink(closed).append(batch(1, frame)) else {
            Issue.record("401")
            return
        }
        let busy = Intake(bad: []) { _ in .unavailable(reason: "429", retryAfter: .seconds(40), isOutcomeUnknown: false)
        }
        guard case .retry(.seconds(40), "relay.unavailable", _) = await sink(busy).append(batch(1, frame)) else {
            Issue.record("429")
            return
        }
    }

    // covers: destination:file
    @Test func `writes whole lines to a file and moves it aside when it is full`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "sallyport-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "events.ndjson").path
        // A crash in the middle of a batch.
        try Data("{\"n\":1}\n{\"n\":".utf8).write(to: URL(filePath: path))
        let target = try FileTarget(path: path, maxBytes: 60, kept: 2, events: events, pulse: pulse, time: time)
        for _ in 0..<5 {
            #expect(await target.append(batch(4, .lines)) == .appended(refused: [:]))
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names.count == 3 && names.allSatisfy { $0.hasPrefix("events.ndjson") })
        for name in names {
            let text = try String(contentsOfFile: folder.appending(path: name).path, encoding: .utf8)
            #expect(text.hasSuffix("\n"))
            for line in text.split(separator: "\n") { #expect((try? JSONValue(parsing: String(line))) != nil) }
        }
    }

    // covers: destination:file-foreign
    @Test func `removes the oldest of its own files and nobody else's`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "sallyport-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "events.ndjson").path
        let foreign = ["events.ndjson.notes", "events.ndjson.20250101T000000Z.gz", "events.ndjson.2025"]
        for name in foreign { try Data("mine".utf8).write(to: folder.appending(path: name)) }
        let target = try FileTarget(path: path, maxBytes: 60, kept: 2, events: events, pulse: pulse, time: time)
        // All in one second: the tenth is newer than the second, which their text does not tell.
        for _ in 0..<13 { _ = await target.append(batch(4, .lines)) }
        let names = Set(try FileManager.default.contentsOfDirectory(atPath: folder.path))
        #expect(names.isSuperset(of: foreign))
        let moved = names.subtracting(foreign).subtracting(["events.ndjson"])
        #expect(Set(moved.map { $0.split(separator: ".").last }) == ["11", "12"])
    }

    @Test func `says what keeps it from writing`() {
        #expect(throws: ConnectorError.self) {
            _ = try FileTarget(path: "/nowhere/x", maxBytes: 0, kept: 0, events: events, pulse: pulse, time: time)
        }
        #expect(throws: ConnectorError.self) {
            _ = try KafkaTarget(
                brokers: "b", topic: "t", options: Secret("no.such.property=1"), events: events, pulse: pulse,
                time: time)
        }
    }

    // covers: destination:kafka
    @Test func `appends to a topic of a cluster`() async throws {
        let target = try KafkaTarget(
            brokers: "", topic: "events", options: Secret("test.mock.num.brokers=3"), events: events, pulse: pulse,
            time: SystemTime())
        #expect(await target.append(batch(500, .lines)) == .appended(refused: [:]))
        await target.close()
    }

    // covers: destination:http
    @Test func `posts newline-delimited events to an endpoint`() async {
        let transport = ScriptedTransport()
        transport.answer(.status(202))
        transport.answer(.status(503, headers: ["Retry-After": "9"]))
        let endpoint = Endpoint(
            transport: transport, url: "https://collector.example/x", token: Secret("t"), time: time)
        #expect(await endpoint.send(batch(2, .lines).bytes) == .accepted)
        let answer = await endpoint.send([])
        #expect(answer == .unavailable(reason: "status 503", retryAfter: .seconds(9), isOutcomeUnknown: true))
        let first = transport.requests[0]
        #expect(first.text == "{\"n\":0}\n{\"n\":1}\n")
        #expect(first.request.headers["Authorization"] == "Bearer t")
        #expect(first.request.headers["Content-Type"] == "application/x-ndjson")
    }
}
