// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import JSON
import TestKit
import Testing

@Suite("Detections of files") struct FileDetectionsTests {
    private static let start = Instant(milliseconds: 1_781_513_400_000)
    private static let alert =
        #"{"meta":{"pagination":{"after":"c2"}},"errors":[],"resources":[{"composite_id":"c:ind:h:1","sha256":"AB","#
        + #""product":"epp","status":"new","falcon_host_link":"https://l","agent_id":"h","#
        + #""created_timestamp":"2026-06-15T11:20:00Z","comments":[{"value":"seen"}]},{"status":"new"}]}"#
    private static let ids = #"{"meta":{"pagination":{"total":1}},"errors":[],"resources":["ldt:h:1"]}"#
    private static let summaries =
        #"{"meta":{},"errors":[],"resources":[{"detection_id":"ldt:h:1","status":"new","device":{"device_id":"h","#
        + #""hostname":"PC1"},"behaviors":[{"sha256":"ab"},{"sha256":"cd"},{},{"sha256":"ab"}]}]}"#

    /// - Parameter alerts: the status with which today's API refuses; `nil` when it answers.
    private static func tenant(alerts: Int? = nil, detections: Int? = nil) throws -> Tenant {
        try Tenant { recorded in
            let url = recorded.request.url
            let isToday = url.contains("/alerts/")
            if let status = isToday ? alerts : detections { return .status(status, #"{"errors":[]}"#) }
            return .status(200, isToday ? alert : url.contains("/queries/") ? ids : summaries)
        }
    }

    // covers: triage:falcon_detections_auto, triage:falcon_detections_form
    @Test func `reads alerts where a tenant has them`() async throws {
        let tenant = try Self.tenant()
        let page = try await FileDetections(tenant.client).page(.since(Self.start))
        #expect(page.next == .alerts(after: "c2") && page.unread == 1)
        let first = try #require(page.detections.first)
        #expect(first.id == "c:ind:h:1" && first.hashes == ["ab"] && first.host == "h" && first.comments == ["seen"])
        #expect(tenant.calls.map(\.request.url).allSatisfy { $0.contains("/alerts/combined/") })
    }

    // covers: triage:falcon_detections_auto, triage:falcon_detections_form
    @Test(arguments: [403, 404, 405, 410])
    func `reads detections where a tenant answers only those`(_ status: Int) async throws {
        let tenant = try Self.tenant(alerts: status)
        let page = try await FileDetections(tenant.client).page(.since(Self.start))
        #expect(page.next == nil)
        let first = try #require(page.detections.first)
        #expect(first.id == "ldt:h:1" && first.hashes == ["ab", "cd"] && first.hostname == "PC1")
        let contract = try FalconContract.shared.get()
        for call in tenant.calls { #expect(contract.problems(call) == [], "\(call.request)") }
    }

    // covers: triage:falcon_detections_auto
    @Test(arguments: [(403, 405), (403, 403), (500, nil)])
    func `names the refusal of today's API when nothing answers`(_ today: Int, _ legacy: Int?) async throws {
        let tenant = try Self.tenant(alerts: today, detections: legacy)
        let error = await #expect(throws: FalconError.self) {
            _ = try await FileDetections(tenant.client).page(.since(Self.start))
        }
        #expect(error?.status == today)
    }

    // covers: triage:falcon_detections_force
    @Test func `asks only the API that is wanted`() async throws {
        let forced = try Self.tenant(alerts: 500)
        _ = try await FileDetections(forced.client, mode: .force).page(.sha256("ab"))
        #expect(forced.calls.allSatisfy { $0.request.url.contains("/detects/") })
        let off = try Self.tenant(alerts: 404)
        await #expect(throws: FalconError.self) {
            _ = try await FileDetections(off.client, mode: .off).page(.since(Self.start))
        }
        #expect(off.calls.count == 1)
    }

    // covers: triage:falcon_detections_update
    @Test func `tells each id's own API`() async throws {
        let tenant = try Tenant()
        let detections = FileDetections(tenant.client)
        _ = try await detections.update(["c:ind:h:1", "ldt:h:1"], comment: "k", status: "in_progress")
        let bodies = try tenant.calls.map { try JSONValue(parsing: $0.body) }
        #expect(
            bodies == [
                [
                    "composite_ids": ["c:ind:h:1"],
                    "action_parameters": [
                        ["name": "append_comment", "value": "k"], ["name": "update_status", "value": "in_progress"],
                    ],
                ],
                ["ids": ["ldt:h:1"], "show_in_ui": true, "status": "in_progress", "comment": "k"],
            ])
        let contract = try FalconContract.shared.get()
        for call in tenant.calls { #expect(contract.problems(call) == [], "\(call.request)") }
        _ = try await detections.update(["ldt:h:1"], comment: "k", status: nil)
        #expect(try JSONValue(parsing: tenant.calls[2].body)["status"] == nil)
    }

    // covers: triage:falcon_detections_form
    @Test func `reads what stands there now, of both kinds`() async throws {
        let found = try await FileDetections(Self.tenant().client).detections(["c:ind:h:1", "ldt:h:1"])
        #expect(found.map(\.id) == ["c:ind:h:1", "ldt:h:1"])
    }
}
