// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import OpenCTI
import Testing

private func state(_ text: String) throws -> ConnectorState? {
    ConnectorState(try JSONValue(parsing: text).object)
}

@Suite("Connector state") struct ConnectorStateTests {
    // covers: state:form
    @Test func `is read and written as the original has it`() throws {
        let text = #"{"start_from":"1735787045000-0","recover_until":"2025-01-01T00:00:00Z"}"#
        let read = try #require(try state(text))
        #expect(read.startFrom == EventID(milliseconds: 1_735_787_045_000))
        #expect(read.recoverUntil == "2025-01-01T00:00:00Z")
        #expect(JSONValue.object(read.json).text == text)
    }

    @Test(arguments: ["false", #""no""#, #""None""#, #""False""#, "null", #""""#])
    func `writes no recovery as false`(recover: String) throws {
        let read = try #require(try state(#"{"start_from":"1-0","recover_until":\#(recover)}"#))
        #expect(read.recoverUntil == nil)
        #expect(JSONValue.object(read.json).text == #"{"start_from":"1-0","recover_until":false}"#)
    }

    // covers: state:old-names
    @Test func `converts the oldest names once`() throws {
        let old = try #require(
            try state(#"{"connectorLastEventId":"17-1","connectorStartTime":"2021-01-01T00:00:00Z","mine":[1]}"#))
        #expect(
            JSONValue.object(old.json).text
                == #"{"start_from":"17-1","recover_until":"2021-01-01T00:00:00Z","mine":[1]}"#)
        #expect(try state(#"{"connectorLastEventId":"-"}"#)?.startFrom == .beginning)
        // A newer original kept the old names beside the new ones, where they are out of date.
        let both = try #require(
            try state(#"{"connectorLastEventId":"17-1","start_from":"99-0","recover_until":false}"#))
        #expect(both.startFrom == EventID(milliseconds: 99))
        #expect(both.json["connectorLastEventId"] == nil)
    }

    // covers: state:form
    @Test func `keeps what is not ours, in order`() throws {
        let text = #"{"start_from":"1-0","recover_until":false,"z":{"b":1,"a":12345678901234567890},"last_run":"x"}"#
        #expect(try JSONValue.object(#require(try state(text)).json).text == text)
    }

    @Test(arguments: ["{}", #"{"start_from":7}"#, #"{"start_from":"soon"}"#, #"{"last_run":"x"}"#])
    func `is none without a position`(text: String) throws { #expect(try state(text) == nil) }

    // covers: stream:first-start
    @Test func `begins as configured`() {
        let now = Instant(milliseconds: 1_767_225_600_500)
        let first = ConnectorState.initial(startTimestamp: nil, recoverDate: nil, now: now)
        #expect(JSONValue.object(first.json).text == #"{"start_from":"0-0","recover_until":"2026-01-01T00:00:00Z"}"#)
        let later = ConnectorState.initial(startTimestamp: "1735787045000", recoverDate: "None", now: now)
        #expect(JSONValue.object(later.json).text == #"{"start_from":"1735787045000-0","recover_until":false}"#)
        let until = ConnectorState.initial(startTimestamp: nil, recoverDate: "2025-05-05T00:00:00Z", now: now)
        #expect(until.streamStart.recoverUntil == "2025-05-05T00:00:00Z")
        #expect(until.streamStart.recoveryEnd == EventID(milliseconds: 1_746_403_200_000))
    }
}

@Suite("State synchronisation") struct StateSyncTests {
    private let ours: JSONObject = ["start_from": "5-0", "recover_until": false]

    @Test func `sends the state as text, and null for none`() {
        var sync = StateSync(registered: nil)
        #expect(sync.text(for: ours) == #"{"start_from":"5-0","recover_until":false}"#)
        #expect(sync.text(for: nil) == "null")
    }

    @Test func `is in step whatever the platform's spelling`() {
        var sync = StateSync(registered: nil)
        _ = sync.text(for: ours)
        #expect(sync.answered(#"{ "start_from" : "5-0" , "recover_until":false }"#) == .inStep)
        _ = sync.text(for: nil)
        #expect(sync.answered("") == .inStep)
        _ = sync.text(for: nil)
        #expect(sync.answered("null") == .inStep)
    }

    // covers: octi:ping-reset, state:reset
    @Test(arguments: ["", "null", nil] as [String?])
    func `drops the state after a reset, before the next ping`(answer: String?) {
        var sync = StateSync(registered: ours)
        _ = sync.text(for: ours)
        #expect(sync.answered(answer) == .replace(nil))
        #expect(sync.text(for: nil) == "null")
        #expect(sync.answered("null") == .inStep)
    }

    // covers: state:platform-wins
    @Test func `takes over what somebody else wrote`() {
        var sync = StateSync(registered: ours)
        _ = sync.text(for: ours)
        #expect(sync.answered(#"{"start_from":"9-0"}"#) == .replace(["start_from": "9-0"]))
    }

    @Test func `compares with what was sent, not with what we have meanwhile`() {
        var sync = StateSync(registered: nil)
        _ = sync.text(for: ours)
        #expect(sync.answered(#"{"start_from":"5-0","recover_until":false}"#) == .inStep)
    }

    // covers: octi:ping-unknown
    @Test func `registers again when the platform forgot us, and keeps our state then`() {
        var sync = StateSync(registered: ours)
        _ = sync.text(for: ours)
        let gone = OpenCTIError.refused(
            .init(code: .functional, message: "No connector found with the specified ID", operation: "pingConnector"))
        #expect(sync.failed(gone) == .registerAgain)
        #expect(sync.registered(nil) == .inStep)
        #expect(sync.registered(["start_from": "9-0"]) == .replace(["start_from": "9-0"]))
        #expect(sync.registered(["start_from": "9-0"]) == .inStep)
    }

    @Test func `concludes nothing from a ping that failed`() {
        var sync = StateSync(registered: ours)
        _ = sync.text(for: ours)
        #expect(sync.failed(.status(503, url: "u", retryAfter: nil)) == .failed)
    }
}
