// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import OpenCTI
import Testing

@testable import ConnectorKit
@testable import Engine
@testable import FalconIndicators

@Suite("Where a run begins") struct StartPositionTests {
    /// 2026-01-01T00:00:00Z
    static let now = Instant(milliseconds: 1_767_225_600_000)
    static let nowText = "2026-01-01T00:00:00Z"
    /// The original stood here: 2024-03-28T13:43:33.527Z.
    static let theirs = "1711633413527-0"
    static let theirsText = "2024-03-28T13:43:33.527Z"

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var platform: JSONObject?
        var values: [String: String] = [:]
        var checkpoint: String?
        var startTimestamp: String?
        var recoverDate: String?

        var startFrom: String
        var recoverUntil: String?
        var generation: Int64
        var recovery: FlowCore.Recovery
        var mustIndex = false
        var mustSweep = false
        /// Whether the durable position is given up.
        var isAfresh = true
    }

    static func state(_ from: String, _ until: String? = nil) -> JSONObject {
        ["start_from": .string(from), "recover_until": until.map { .string($0) } ?? .bool(false)]
    }

    /// The values of a run whose recovery is through and swept.
    static func settled(_ told: JSONObject?, generation: String = "3") -> [String: String] {
        var values = [
            "generation": generation, "recovery.scope": "full", "recovery.complete": generation,
            "sweep.complete": generation, "indexed": "7",
        ]
        if let told { values["platform.state"] = JSONValue.object(told).text }
        return values
    }

    static let own = state("500-2", "2025-01-01T00:00:00Z")

    static let first: [Case] = [
        Case(
            testDescription: "the first start of all", startFrom: "0-0", recoverUntil: nowText, generation: 1,
            recovery: .running, mustIndex: true),
        Case(
            testDescription: "with a start configured", startTimestamp: "1711633413527", startFrom: theirs,
            recoverUntil: nowText, generation: 1, recovery: .none, mustIndex: true),
        Case(
            testDescription: "with a date to recover until", recoverDate: "2025-05-05T00:00:00Z", startFrom: "0-0",
            recoverUntil: "2025-05-05T00:00:00Z", generation: 1, recovery: .running, mustIndex: true),
        Case(
            testDescription: "with recovering switched off", recoverDate: "no", startFrom: "0-0", generation: 1,
            recovery: .none, mustIndex: true),
        Case(
            testDescription: "after a crash before the first commit", platform: state("0-0", nowText),
            values: [
                "generation": "1", "recovery.scope": "full", "indexed": "7",
                "platform.state": JSONValue.object(state("0-0", nowText)).text,
            ], startFrom: "0-0", recoverUntil: nowText, generation: 2, recovery: .running, mustIndex: true),
        Case(
            testDescription: "after a crash before even the platform was told", values: ["generation": "1"],
            startFrom: "0-0", recoverUntil: nowText, generation: 2, recovery: .running, mustIndex: true),
    ]

    static let takeOver: [Case] = [
        Case(
            testDescription: "from the original", platform: state(theirs, "2024-01-01T00:00:00Z"), startFrom: "0-0",
            recoverUntil: theirsText, generation: 1, recovery: .running, mustIndex: true),
        Case(
            testDescription: "from the original of 5.0 to 5.3",
            platform: ["connectorLastEventId": .string(theirs), "connectorStartTime": "x"], startFrom: "0-0",
            recoverUntil: theirsText, generation: 1, recovery: .running, mustIndex: true),
        Case(
            testDescription: "from an original that had read nothing", platform: state("0-0", "2025-02-02T00:00:00Z"),
            startFrom: "0-0", recoverUntil: "2025-02-02T00:00:00Z", generation: 1, recovery: .running,
            mustIndex: true),
        Case(
            testDescription: "with a start configured", platform: state(theirs), startTimestamp: "1700000000000",
            startFrom: "1700000000000-0", recoverUntil: theirsText, generation: 1, recovery: .none, mustIndex: true),
        Case(
            testDescription: "with a start configured behind it", platform: state(theirs),
            startTimestamp: "1760000000000", startFrom: theirs, recoverUntil: theirsText, generation: 1,
            recovery: .none, mustIndex: true),
        Case(
            testDescription: "with recovering switched off", platform: state(theirs), recoverDate: "false",
            startFrom: theirs, generation: 1, recovery: .none, mustIndex: true),
        Case(
            testDescription: "once more, after a crash before the first commit", platform: state(theirs),
            values: ["generation": "1", "indexed": "7"], startFrom: "0-0", recoverUntil: theirsText, generation: 2,
            recovery: .running, mustIndex: true),
        Case(
            testDescription: "from nobody: the platform's state can't be read", platform: ["start_from": "soon"],
            startFrom: "0-0", recoverUntil: nowText, generation: 1, recovery: .running, mustIndex: true),
    ]

    static let resumed: [Case] = [
        Case(
            testDescription: "where everything is in order", platform: own, values: settled(own), checkpoint: "500-2",
            startFrom: "500-2", recoverUntil: "2025-01-01T00:00:00Z", generation: 3, recovery: .complete,
            isAfresh: false),
        Case(
            testDescription: "where the last commit came after the last ping", platform: own, values: settled(own),
            checkpoint: "900-0", startFrom: "900-0", recoverUntil: "2025-01-01T00:00:00Z", generation: 3,
            recovery: .complete, isAfresh: false),
        Case(
            testDescription: "where a ping was not noted before the crash", platform: own,
            values: settled(state("400-0")), checkpoint: "500-2", startFrom: "500-2",
            recoverUntil: "2025-01-01T00:00:00Z", generation: 3, recovery: .complete, isAfresh: false),
        Case(
            testDescription: "where somebody set the position back", platform: state("300-0"),
            values: settled(own), checkpoint: "500-2", startFrom: "300-0", generation: 3, recovery: .complete,
            isAfresh: false),
        Case(
            testDescription: "where the platform was never told",
            values: settled(nil).merging(
                ["recovery.until": "2025-07-07T00:00:00Z"]) { $1 }, checkpoint: "500-2", startFrom: "500-2",
            recoverUntil: "2025-07-07T00:00:00Z", generation: 3, recovery: .complete, isAfresh: false),
        Case(
            testDescription: "in the middle of a recovery", platform: own,
            values: settled(own).filter { $0.key != "recovery.complete" }, checkpoint: "500-2", startFrom: "500-2",
            recoverUntil: "2025-01-01T00:00:00Z", generation: 3, recovery: .running, mustIndex: true,
            isAfresh: false),
        Case(
            testDescription: "in the middle of a recovery that follows a complete one", platform: own,
            values: settled(own).merging(["generation": "4"]) { $1 }, checkpoint: "500-2", startFrom: "500-2",
            recoverUntil: "2025-01-01T00:00:00Z", generation: 4, recovery: .running, mustIndex: true,
            isAfresh: false),
        Case(
            testDescription: "in the middle of a recovery that is not of everything", platform: own,
            values: settled(own).filter { $0.key != "recovery.complete" }.merging(["recovery.scope": "partial"]) { $1 },
            checkpoint: "500-2", startFrom: "500-2", recoverUntil: "2025-01-01T00:00:00Z", generation: 3,
            recovery: .none, mustIndex: true, isAfresh: false),
        Case(
            testDescription: "after a recovery that was not of everything",
            platform: state("500-2", "1970-01-01T00:00:00Z"),
            values: settled(state("500-2", "1970-01-01T00:00:00Z")).filter { $0.key != "recovery.complete" }
                .merging(["recovery.scope": "partial"]) { $1 },
            checkpoint: "500-2", startFrom: "500-2", recoverUntil: "1970-01-01T00:00:00Z", generation: 3,
            recovery: .none, isAfresh: false),
        Case(
            testDescription: "between a recovery and its sweep", platform: own,
            values: settled(own).merging(["sweep.complete": "2"]) { $1 }, checkpoint: "500-2", startFrom: "500-2",
            recoverUntil: "2025-01-01T00:00:00Z", generation: 3, recovery: .complete, mustSweep: true,
            isAfresh: false),
        Case(
            testDescription: "where the tenant's listing was interrupted", platform: own,
            values: settled(own).filter { $0.key != "indexed" }, checkpoint: "500-2", startFrom: "500-2",
            recoverUntil: "2025-01-01T00:00:00Z", generation: 3, recovery: .complete, mustIndex: true,
            isAfresh: false),
    ]

    static let afresh: [Case] = [
        Case(
            testDescription: "the state was reset on the platform", values: settled(own), checkpoint: "500-2",
            startFrom: "0-0", recoverUntil: nowText, generation: 4, recovery: .running),
        Case(
            testDescription: "the platform's state starts over", platform: state("0-0", "2025-03-03T00:00:00Z"),
            values: settled(own), checkpoint: "500-2", startFrom: "0-0", recoverUntil: "2025-03-03T00:00:00Z",
            generation: 4, recovery: .running),
        Case(
            testDescription: "another program has read on", platform: state(theirs), values: settled(own),
            checkpoint: "500-2", startFrom: "0-0", recoverUntil: theirsText, generation: 4, recovery: .running,
            mustIndex: true),
        Case(
            testDescription: "the platform no longer holds what follows", platform: own,
            values: settled(own).merging(["recovery.forced": "gap"]) { $1 }, checkpoint: "500-2",
            startTimestamp: "1711633413527", recoverDate: "no", startFrom: "0-0", recoverUntil: nowText,
            generation: 4, recovery: .running),
        Case(
            testDescription: "the tenant or its client has changed", platform: state(theirs),
            values: settled(state(theirs)).merging(["indexed": "6"]) { $1 }, checkpoint: theirs, startFrom: "0-0",
            recoverUntil: theirsText, generation: 4, recovery: .running, mustIndex: true),
        Case(
            testDescription: "the state was reset, and the process died before it began", platform: nil,
            values: settled(own).merging(["generation": "4"]) { $1 }, startFrom: "0-0", recoverUntil: nowText,
            generation: 5, recovery: .running, mustIndex: true),
    ]

    private func check(_ given: Case) {
        let start = StartPosition.decide(
            .init(
                platform: given.platform, values: given.values.mapValues { Array($0.utf8) },
                checkpoint: given.checkpoint.flatMap { SourcePosition(parsing: $0) }, target: 7,
                startTimestamp: given.startTimestamp, recoverDate: given.recoverDate, now: Self.now))
        #expect(start.state.startFrom.description == given.startFrom, "\(start.reason)")
        #expect(start.state.recoverUntil == given.recoverUntil, "\(start.reason)")
        #expect(start.generation == given.generation && start.recovery == given.recovery, "\(start)")
        #expect(start.recoversEverything == (given.recovery == .running))
        #expect(start.mustIndex == given.mustIndex && start.mustSweep == given.mustSweep, "\(start)")
        #expect((start.checkpoint == nil) == given.isAfresh)
        guard given.isAfresh else {
            #expect(start.values.isEmpty && start.checkpoint?.description == given.startFrom)
            return
        }
        // What a later start must find, whatever happens until then.
        func value(_ name: String) -> String? {
            start.values[name].flatMap { $0 }.map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(value("generation") == String(given.generation))
        #expect(value("recovery.scope") == (given.recovery == .running ? "full" : "partial"))
        #expect(value("recovery.until") == given.recoverUntil)
        for gone in ["recovery.complete", "recovery.forced"] { #expect(start.values[gone] == .some(nil)) }
        #expect(start.values.keys.contains("indexed") == given.mustIndex)
    }

    // covers: stream:first-start, stream:recover-words, state:no-ledger
    @Test(arguments: first) func `at the first start`(_ given: Case) { check(given) }

    // covers: key:CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE, key:CONNECTOR_LIVE_STREAM_START_TIMESTAMP, state:old-names
    @Test(arguments: takeOver) func `after another program`(_ given: Case) { check(given) }

    // covers: state:form
    @Test(arguments: resumed) func `after a run of ours`(_ given: Case) { check(given) }

    // covers: state:reset, state:platform-wins, stream:trimmed
    @Test(arguments: afresh) func `where the former position no longer holds`(_ given: Case) { check(given) }
}
