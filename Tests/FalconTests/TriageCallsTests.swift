// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import JSON
import TestKit
import Testing

@Suite("Falcon alerts, quarantine, samples and cases") struct TriageCallsTests {
    private func expectContract(_ tenant: Tenant, calls: Int) throws {
        let contract = try FalconContract.shared.get()
        #expect(tenant.calls.count == calls)
        for call in tenant.calls { #expect(contract.problems(call) == [], "\(call.request)") }
    }

    private static let page: ScriptedTransport.Answer = .status(
        200,
        #"{"meta":{"pagination":{"limit":2,"offset":2,"total":5,"after":"next"}},"resources":["a","b"],"errors":[]}"#)

    // covers: triage:falcon_alerts_combined
    @Test func `reads whole alerts page by page with a cursor`() async throws {
        let tenant = try Tenant { _ in
            .status(200, #"{"meta":{"pagination":{"after":"c2"}},"resources":[{"composite_id":"x"}],"errors":[]}"#)
        }
        let filter = "created_timestamp:>='2026-06-15T08:50:00Z'+product:'epp'"
        let page = try await tenant.client.combinedAlerts(filter, limit: 500, after: "c1") {
            $0["composite_id"]?.string
        }
        #expect(page.rows == ["x"] && page.after == "c2")
        let body = try JSONValue(parsing: tenant.calls[0].body)
        #expect(
            body == [
                "filter": .string(filter), "sort": "created_timestamp|asc", "limit": 500, "after": "c1",
            ])
        try expectContract(tenant, calls: 1)
    }

    // covers: triage:falcon_quarantine
    @Test func `finds, reads and updates quarantined files`() async throws {
        let tenant = try Tenant { _ in Self.page }
        let page = try await tenant.client.queryQuarantine(
            "date_created:>='2026-06-15T08:50:00Z'", sort: "date_created|asc", limit: 2)
        #expect(page.ids == ["a", "b"] && page.next == "2")
        _ = try await tenant.client.quarantinedFiles(["a"]) { $0["sha256"]?.string }
        _ = try await tenant.client.updateQuarantine(["a", "b"], .unrelease, comment: "c")
        let update = try JSONValue(parsing: tenant.calls[2].body)
        #expect(update == ["ids": ["a", "b"], "action": "unrelease", "comment": "c"])
        #expect(!tenant.calls[2].request.isIdempotent)
        try expectContract(tenant, calls: 3)
        await #expect(throws: FalconError.self) {
            try await tenant.client.updateQuarantine((0...500).map { "\($0)" }, .release, comment: "")
        }
    }

    // covers: triage:falcon_sample
    @Test func `streams an archive, and takes JSON for the error that it is`() async throws {
        let zip = try Tenant { _ in
            .stream(["PK", "\u{3}\u{4}"], headers: ["Content-Type": "application/octet-stream"])
        }
        let hash = String(repeating: "ab", count: 32)
        let stream = try await zip.client.openSample(sha256: hash)
        #expect(try await stream.next() == Array("PK".utf8))
        #expect(zip.calls[0].request.url.hasSuffix("?ids=\(hash)&password_protected=true"))
        #expect(zip.calls[0].request.headers["Authorization"] == "Bearer token-1")
        try expectContract(zip, calls: 1)

        let json = try Tenant { _ in
            .status(
                200, headers: ["Content-Type": "application/json"],
                #"{"meta":{},"resources":[],"errors":[{"code":404,"message":"not found"}]}"#)
        }
        await #expect { try await json.client.openSample(sha256: hash) } throws: {
            if case .notFound? = $0 as? FalconError { true } else { false }
        }
        let gone = try Tenant { _ in .status(404, #"{"errors":[{"code":404,"message":"gone"}]}"#) }
        await #expect { try await gone.client.openSample(sha256: hash) } throws: {
            if case .notFound? = $0 as? FalconError { true } else { false }
        }
    }

    // covers: triage:falcon_sample
    @Test func `renews the token for a download once`() async throws {
        let tenant = try Tenant { recorded in
            recorded.request.headers["Authorization"] == "Bearer token-1"
                ? .status(401, "{}") : .stream(["PK"], headers: ["Content-Type": "application/octet-stream"])
        }
        let stream = try await tenant.client.openSample(sha256: String(repeating: "ab", count: 32))
        #expect(try await stream.next() == Array("PK".utf8))
        #expect(tenant.calls.count == 2)
    }

    // covers: triage:falcon_cases
    @Test func `opens and finds cases of both kinds`() async throws {
        let tenant = try Tenant { _ in .status(200, #"{"meta":{},"resources":["5000"],"errors":[]}"#) }
        _ = try await tenant.client.createMessageCase([
            "title": "t", "body": "b", "type": "fc:detection-support", "user_uuid": "u",
            "detections": [["id": "i", "product": "epp", "url": "l"]], "incidents": [],
        ])
        _ = try await tenant.client.newestMessageCases { $0["title"]?.string }
        _ = try await tenant.client.createCase([
            "name": "n", "description": "d", "severity": 80, "severity_info": ["level": "high"], "status": "new",
            "assigned_to_user_uuid": "u", "evidence": ["alerts": [["id": "i"]], "events": [], "leads": []],
            "tags": ["VMRAY"],
        ])
        #expect(try await tenant.client.queryCases(.exact(.name, "n")) == ["5000"])
        #expect(tenant.calls.map { !$0.request.isIdempotent } == [true, false, false, true, false])
        try expectContract(tenant, calls: 5)
    }

    // covers: triage:falcon_contain_note
    @Test func `contains hosts with a note`() async throws {
        let tenant = try Tenant()
        _ = try await tenant.client.perform(.contain, on: ["h"], note: "why")
        #expect(
            try JSONValue(parsing: tenant.calls[0].body)
                == ["ids": ["h"], "action_parameters": [["name": "note", "value": "why"]]])
        try expectContract(tenant, calls: 1)
    }
}
