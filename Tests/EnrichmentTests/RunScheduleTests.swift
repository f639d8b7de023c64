// SPDX-License-Identifier: Apache-2.0

import Base
import OpenCTI
import Settings
import TestKit
import Testing

@testable import ConnectorKit

@Suite("When a run begins") struct RunScheduleTests {
    private func settings(_ environment: [String: String]) throws -> ResolvedSettings {
        let declaration = ConnectorSettings(name: "test", title: "T", summary: "T.", settings: ScheduleSettings.all)
        let input = SettingsInput(environment: environment)
        return try SettingsCatalogue(connectors: [declaration]).dropIn(declaration, input: input).flows[0].settings
    }

    // covers: key:CONNECTOR_RUN_AND_TERMINATE, key:CONNECTOR_DURATION_PERIOD
    @Test(arguments: [
        ([:], false, 300.0), (["CONNECTOR_DURATION_PERIOD": "PT1H"], false, 3600),
        (["CONNECTOR_DURATION_PERIOD": "PT0.1S"], false, 1), (["CONNECTOR_DURATION_PERIOD": "0"], true, 1),
        (["CONNECTOR_DURATION_PERIOD": "PT0S"], true, 1), (["CONNECTOR_RUN_AND_TERMINATE": "true"], true, 300),
    ])
    func `a period of nothing is one run`(
        _ environment: [String: String], _ runsOnce: Bool, _ seconds: Double
    ) throws {
        let schedule = RunSchedule(try settings(environment), usual: .seconds(300))
        #expect(schedule.runsOnce == runsOnce)
        #expect(schedule.period.inSeconds == seconds)
    }

    // covers: key:CONNECTOR_QUEUE_THRESHOLD
    @Test func `a full queue holds runs back, but never the first one`() async throws {
        let waiting = Recorder<Int64>()
        func threshold(_ environment: [String: String] = [:]) throws -> QueueThreshold {
            QueueThreshold(try settings(environment)) { () async throws(OpenCTIError) in waiting.elements.last ?? 0 }
        }
        let usual = try threshold()
        waiting.append(500_000_000)
        #expect(await usual.congestion() == nil)
        #expect(await usual.congestion() == "500 MB wait in the connector's queue")
        waiting.append(499_999_999)
        #expect(await usual.congestion() == nil)
        let small = try threshold(["CONNECTOR_QUEUE_THRESHOLD": "0.5"])
        _ = await small.congestion()
        #expect(await small.congestion() != nil)
        let off = try threshold(["CONNECTOR_QUEUE_THRESHOLD": "0"])
        _ = await off.congestion()
        #expect(await off.congestion() == nil)
    }

    @Test func `where we may not ask nothing is held back`() async throws {
        let threshold = QueueThreshold(try settings([:])) { () async throws(OpenCTIError) in
            throw .malformed(operation: "connector", reason: "test")
        }
        _ = await threshold.congestion()
        #expect(await threshold.congestion() == nil)
    }
}
