// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import OpenCTI
import Storage
import Telemetry
import TestKit
import Testing

@testable import ConnectorKit
@testable import Engine
@testable import FalconIndicators

@Suite("The live stream as a source") struct SourceTests {
    private let model = IOCModel(.init())
    private let indicator =
        #"{"data":{"type":"indicator","id":"indicator--6e7b0da6-5dc0-5407-9d1f-d6489e394c7e","pattern_type":"stix","#
        + #""pattern":"[domain-name:value = 'a.example']"},"version":"4"}"#

    private func items(_ source: LiveStreamSource<IndicatorTranslator>) async throws -> [Item] {
        guard case .items(let items) = try await source.next() else { return [] }
        return items
    }

    // covers: stream:shared-ids, stream:event-name, stream:unknown-event, stream:dependencies
    @Test func `gives every frame as an item with its place`() async throws {
        let platform = try FakePlatform()
        platform.stream([
            "event: connected\ndata: {}\n\n",
            FakePlatform.frame("5-0", "create", #"{"data":{"type":"identity","id":"identity--1"}}"#),
            FakePlatform.frame("5-0", "create", indicator), FakePlatform.frame("6-0", "delete", indicator),
            FakePlatform.frame("7-0", "colour", indicator), FakePlatform.frame(nil, "update", indicator),
        ])
        let items = try await items(platform.source(model: model))
        #expect(items.map { $0.position?.description } == ["5-0", "5-0", "6-0", "7-0", "7-0"])
        #expect(items.map(\.label) == ["create", "create", "delete", "colour", "update"])
        #expect(items.map { $0.note?.code } == ["not_an_indicator", nil, nil, "event.unknown", nil])
        #expect(items[0].note?.isQuiet == true)
        #expect(items[1].input.map { String(decoding: $0.bytes, as: UTF8.self) } == indicator)
        guard case .state(_, .remove) = try #require(items[2].effects.first) else {
            Issue.record("a deletion takes away")
            return
        }
    }

    // covers: stream:heartbeat, stream:idle-clock
    @Test func `trusts a heartbeat's clock only so far`() async throws {
        let platform = try FakePlatform()
        platform.stream([
            FakePlatform.frame("100000-0", "heartbeat", "x"), FakePlatform.frame("100005-3", "create", indicator),
            FakePlatform.frame("100009-0", "heartbeat", "x"), FakePlatform.frame("200000-0", "heartbeat", "x"),
        ])
        let items = try await items(platform.source(model: model))
        #expect(items.map { $0.position?.description } == ["90000-0", "100005-3", "100005-3", "190000-0"])
        #expect(items.map(\.group.description) == ["100000-0", "100005-3", "100009-0", "200000-0"])
    }

    // covers: metric:odd-id, metric:processed_messages_total
    @Test func `counts each message as the original did`() async throws {
        let platform = try FakePlatform()
        platform.stream([
            FakePlatform.frame("1711633413527-4", "create", indicator),
            FakePlatform.frame("1711633413528-0", "create", #"{"data":{"type":"malware"}}"#),
            FakePlatform.frame("1711633413529-0", "heartbeat", "x"),
            FakePlatform.frame("an odd id", "merge", indicator),
            FakePlatform.frame("1711633413530-0", "no such event", indicator),
        ])
        let metrics = Metrics()
        _ = try await items(platform.source(model: model, metrics: metrics))
        let lines = metrics.text().split(separator: "\n")
        for line in [
            #"processed_messages_total{name="Test",action="create"} 2"#,
            #"processed_messages_total{name="Test",action="merge"} 1"#,
            #"processed_messages_total{name="Test",action="unknown"} 1"#, #"current_state{name="Test"} 1711633413530"#,
        ] { #expect(lines.contains(Substring(line)), "\(line)") }
    }

    @Test func `the end of a recovery comes after its last frames`() async throws {
        let platform = try FakePlatform()
        platform.stream([
            FakePlatform.frame("1000-0", "create", indicator), FakePlatform.frame("5000-0", "create", indicator),
            FakePlatform.frame("99999999-0", "create", indicator),
        ])
        let start = StreamStart(position: .beginning, recoverUntil: "1970-01-01T00:01:00Z")
        let items = try await items(platform.source(model: model, from: start, recoversEverything: true))
        #expect(items.map { $0.marker != nil } == [false, false, false, true])
        let other = try FakePlatform()
        other.stream([FakePlatform.frame("99999999-0", "create", indicator)])
        let partial = try await self.items(other.source(model: model, from: start))
        #expect(partial.map { $0.marker != nil } == [false])
    }

    // covers: stream:no-recover
    @Test func `a platform that does not recover is read live`() async throws {
        let platform = try FakePlatform()
        platform.stream([
            FakePlatform.frame(nil, "no-recover", "{}"), FakePlatform.frame("99999999-0", "create", indicator),
        ])
        let start = StreamStart(position: .beginning, recoverUntil: "1970-01-01T00:01:00Z")
        let progress = StreamState(ConnectorState(startFrom: .beginning, recoverUntil: "1970-01-01T00:01:00Z"))
        let source = platform.source(model: model, from: start, recoversEverything: true, progress: progress)
        let items = try await items(source)
        #expect(items.count == 1 && items[0].marker == nil)
        #expect(progress.connector.recoverUntil == nil)
    }

    // covers: stream:trimmed
    @Test func `a gap asks for a new start with everything`() async throws {
        let platform = try FakePlatform()
        platform.stream([
            "event: connected\ndata: {\"firstEventId\":\"9000-0\",\"lastEventId\":\"9999-0\"}\n\n"
        ])
        let progress = StreamState(ConnectorState(startFrom: EventID(milliseconds: 17), recoverUntil: nil))
        let source = platform.source(
            model: model, from: StreamStart(position: EventID(milliseconds: 17)), progress: progress)
        await #expect(throws: ConnectorError.self) { _ = try await source.next() }
        #expect(progress.hasGap && progress.restartReason != nil)
    }

    // covers: state:reset
    @Test func `a state that was replaced on the platform ends the run`() async throws {
        let platform = try FakePlatform()
        let progress = StreamState(ConnectorState(startFrom: .beginning, recoverUntil: nil))
        let source = platform.source(model: model, progress: progress)
        progress.replaced(because: "the state was reset on the platform")
        let error = await #expect(throws: ConnectorError.self) { _ = try await source.next() }
        #expect(error?.description == "the state was reset on the platform")
        #expect(platform.transport.requests.isEmpty)
    }

    // covers: state:never-ahead
    @Test func `tells the platform only what is durable`() async throws {
        let platform = try FakePlatform()
        platform.stream([FakePlatform.frame("5-0", "create", indicator)])
        let progress = StreamState(ConnectorState(startFrom: .beginning, recoverUntil: "x"))
        let source = platform.source(model: model, progress: progress)
        _ = try await items(source)
        #expect(progress.connector.startFrom == .beginning)
        await source.acknowledge(SourcePosition(major: 5))
        #expect(progress.connector.json["start_from"] == "5-0" && progress.connector.json["recover_until"] == "x")
    }

    // covers: cli:dlq-retry
    @Test func `reads a dead letter's input again`() async throws {
        let source = try FakePlatform().source(model: model)
        func letter(_ position: String, _ text: String) -> DeadLetter {
            DeadLetter(
                flow: 1, source: model.source("x"), fingerprint: model.source("y"), code: "c", reason: "r",
                position: position, input: Array(text.utf8), attempts: 1, firstSeen: Instant(milliseconds: 0),
                lastSeen: Instant(milliseconds: 0))
        }
        let item = try #require(await source.item(from: letter("update 17-3", indicator)))
        #expect(item.position == nil && item.group == SourcePosition(major: 17, minor: 3) && item.label == "update")
        #expect(item.effects.count == 1 && item.input?.bytes == Array(indicator.utf8))
        #expect(await source.item(from: letter("update 17-3", "not json"))?.note?.outcome == .deadLettered)
        for odd in ["merge 17-3", "update", "update soon", ""] {
            #expect(await source.item(from: letter(odd, "")) == nil)
        }
    }

    @Test func `ends when it is closed`() async throws {
        let platform = try FakePlatform()
        let source = platform.source(model: model)
        await source.close()
        guard case .end = try await source.next() else {
            Issue.record("it goes on")
            return
        }
    }
}
