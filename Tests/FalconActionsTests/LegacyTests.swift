// SPDX-License-Identifier: Apache-2.0

import Falcon
import FalconActions
import HTTPClient
import JSON
import TestKit
import Testing

@Suite("Behaviours and incidents") struct LegacyTests {
    private static let cid = "8f3c1d2e4b5a69788796a5b4c3d2e1f0"

    private func run(
        _ slug: String, _ ids: [String], _ legacy: FalconActions.LegacyAPI,
        _ answering: @escaping @Sendable (ScriptedTransport.Recorded) -> ScriptedTransport.Answer
    ) async throws -> (ActionResult, Tenant) {
        let tenant = try Tenant(answering)
        var options = FalconActions.Options()
        options.legacyAPI = legacy
        let result = try await tenant.actions(options).run(slug, ["ids": .array(ids.map { .string($0) })])
        for call in tenant.calls { #expect(try FalconContract.shared.get().problems(call).isEmpty) }
        return (result, tenant)
    }

    /// Knows one alert; the incidents API answers as told.
    private static func tenant(
        _ call: ScriptedTransport.Recorded, literal: ScriptedTransport.Answer
    ) -> ScriptedTransport.Answer {
        switch call.path {
        case "/alerts/queries/alerts/v2": Tenant.envelope(["\(cid):ind:a:1"])
        case "/alerts/entities/alerts/v2":
            Tenant.envelope([["composite_id": "\(cid):ind:a:1", "id": "ind:a:1", "agent_id": "a"]])
        case "/cases/entities/cases/v2": Tenant.envelope([["id": "case1", "name": "n"]])
        default: literal
        }
    }

    // covers: act:legacy-auto
    @Test func `what alerts do not answer is asked for literally`() async throws {
        let (result, tenant) = try await run("get_behaviors", ["ind:a:1", "ind:b:2"], .auto) {
            Self.tenant($0, literal: Tenant.envelope([["behavior_id": "ind:b:2"]]))
        }
        #expect(result.resources.map { $0["behavior_id"] } == ["ind:a:1", "ind:b:2"])
        #expect(result.resources[0]["aid"] == "a")
        #expect(tenant.calls.last?.ids == ["ind:b:2"])
    }

    @Test func `a composite id goes straight to the alerts`() async throws {
        let (result, tenant) = try await run("get_behaviors", ["\(Self.cid):ind:a:1"], .auto) {
            Self.tenant($0, literal: Tenant.refusal(500))
        }
        #expect(tenant.paths == ["POST /alerts/entities/alerts/v2"])
        #expect(result.resources.count == 1)
    }

    // covers: act:legacy-off
    @Test func `off never sends the literal call`() async throws {
        let (result, tenant) = try await run("get_incidents", ["inc:a:1", "case1"], .off) {
            Self.tenant($0, literal: Tenant.refusal(500))
        }
        #expect(!tenant.paths.contains { $0.contains("/incidents/") })
        #expect(result.resources == [["id": "case1", "name": "n", "incident_id": "case1"]])
        #expect(result.errors.map(\.id) == ["inc:a:1"])
        #expect(result.errors[0].message.contains("use cases"))
    }

    // covers: act:legacy-force
    @Test func `force sends the literal call only`() async throws {
        let (_, tenant) = try await run("get_behaviors", ["ind:a:1"], .force) { _ in Tenant.envelope([]) }
        #expect(tenant.paths == ["POST /incidents/entities/behaviors/GET/v1"])
    }

    // covers: act:legacy-incidents
    @Test func `an incident's own id is asked for literally at once`() async throws {
        let (result, tenant) = try await run("get_incidents", ["inc:a:1", "case1"], .auto) {
            Self.tenant($0, literal: Tenant.envelope([["incident_id": "inc:a:1"]]))
        }
        #expect(tenant.calls.map(\.ids) == [["case1"], ["inc:a:1"]])
        #expect(result.resources.count == 2)
    }

    // covers: act:legacy-gone
    @Test(arguments: [404, 405, 410])
    func `an API that is gone is one error an id that names what replaced it`(_ status: Int) async throws {
        let (result, _) = try await run("get_behaviors", ["ind:a:1", "ind:b:2", "ind:c:3"], .auto) {
            Self.tenant($0, literal: Tenant.refusal(status))
        }
        #expect(result.resources.count == 1)
        #expect(result.errors.map(\.id) == ["ind:b:2", "ind:c:3"])
        #expect(result.errors.allSatisfy { $0.message.contains("removed the incidents API") })
    }

    @Test func `a missing scope for alerts leads to the literal call`() async throws {
        let (result, _) = try await run("get_behaviors", ["ind:a:1"], .auto) { call in
            call.path.hasPrefix("/alerts/") ? Tenant.refusal(403) : Tenant.envelope([["behavior_id": "ind:a:1"]])
        }
        #expect(result.resources.count == 1)
    }
}
