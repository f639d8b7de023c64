// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import FalconActions
import HTTPClient
import JSON
import TestKit
import Testing

@Suite("Long lists and partial failures") struct PartsTests {
    private static func ids(_ count: Int) -> JSONValue { .array((0..<count).map { .string("host\($0)") }) }

    private static func echo(_ call: ScriptedTransport.Recorded) -> ScriptedTransport.Answer {
        Tenant.envelope(call.ids.map { ["id": .string($0)] })
    }

    // covers: act:split
    @Test(arguments: [
        ("isolate_endpoints", 100), ("get_online_state", 100), ("get_device_details", 5000),
        ("get_alerts_v2", 1000), ("get_prevention_policies", 100), ("query_device_login_history", 500),
    ])
    func `are split as the API takes them and merged`(_ slug: String, _ limit: Int) async throws {
        let tenant = try Tenant(Self.echo)
        let count = slug == "get_device_details" ? 5000 : limit * 2 + 1
        let result = try await tenant.actions().run(slug, ["ids": Self.ids(count)])
        #expect(tenant.calls.map(\.ids.count) == (count == 5000 ? [5000] : [limit, limit, 1]))
        #expect(result.resources.count == count)
        for call in tenant.calls { #expect(try FalconContract.shared.get().problems(call).isEmpty) }
    }

    // covers: act:per-id (login history)
    @Test func `of hosts' logins are halved down to the one that is refused`() async throws {
        let tenant = try Tenant { call in
            call.ids.contains("bad") ? Tenant.refusal(400, "no") : Self.echo(call)
        }
        let result = try await tenant.actions().run("query_device_login_history", ["ids": ["a", "bad", "b"]])
        #expect(result.resources.count == 2 && result.errors.map(\.id) == ["bad"])
    }

    // covers: act:duplicates
    @Test func `name each id once`() async throws {
        let tenant = try Tenant(Self.echo)
        _ = try await tenant.actions().run("get_online_state", ["ids": ["a", "b", "a"]])
        #expect(tenant.calls.map(\.ids) == [["a", "b"]])
    }

    // covers: act:url-length
    @Test func `of indicators also fit into a URL`() async throws {
        let tenant = try Tenant(Self.echo)
        let ids = JSONValue.array((0..<450).map { .string(String(repeating: "f", count: 60) + "\(1000 + $0)") })
        _ = try await tenant.actions().run("get_indicators", ["ids": ids])
        #expect(tenant.calls.map(\.ids.count) == [200, 200, 50])
        for call in tenant.calls { #expect(call.request.url.utf8.count < 18_500) }
    }

    // covers: act:partial
    @Test func `keep what worked beside errors of a 2xx`() async throws {
        let tenant = try Tenant { _ in
            Tenant.envelope([["id": "a"]], errors: [["code": 404, "message": "unknown", "id": "b"]])
        }
        let result = try await tenant.actions().run("isolate_endpoints", ["ids": ["a", "b"]])
        #expect(result.resources == [["id": "a"]])
        #expect(result.errors == [FalconMessage(code: 404, message: "unknown", id: "b")])
        #expect(result.failure == "Falcon refused a part: b: unknown (404)")
    }

    // covers: act:per-id
    @Test func `halve a refusal that names nobody down to the id`() async throws {
        let tenant = try Tenant { call in
            call.ids.contains("host5") ? Tenant.refusal(400, "bad id") : Self.echo(call)
        }
        let result = try await tenant.actions().run("isolate_endpoints", ["ids": Self.ids(8)])
        #expect(result.resources.count == 7)
        #expect(result.errors == [FalconMessage(code: 400, message: "bad id", id: "host5")])
    }

    @Test func `send the others again when a refusal names some`() async throws {
        let tenant = try Tenant { call in
            call.ids.contains("host5") ? Tenant.refusal(404, "unknown", id: "host5") : Self.echo(call)
        }
        let result = try await tenant.actions().run("get_prevention_policies", ["ids": Self.ids(8)])
        #expect(tenant.calls.map(\.ids.count) == [8, 7])
        #expect(result.resources.count == 7)
        #expect(result.errors.map(\.id) == ["host5"])
    }

    // covers: act:scope-missing
    @Test func `throw what stops everything while nothing is done`() async throws {
        let tenant = try Tenant { _ in Tenant.refusal(403) }
        await #expect(throws: FalconError.self) {
            try await tenant.actions().run("isolate_endpoints", ["ids": ["a"]])
        }
    }

    @Test func `name each id that was left when something stops them half way`() async throws {
        let tenant = try Tenant { call in call.ids.contains("host0") ? Self.echo(call) : Tenant.refusal(403) }
        let result = try await tenant.actions().run("isolate_endpoints", ["ids": Self.ids(250)])
        #expect(result.resources.count == 100)
        #expect(result.errors.count == 150)
        #expect(result.errors.allSatisfy { $0.code == 403 })
    }

    // covers: act:idempotent-hosts
    @Test(arguments: [("contained", 1, 0), ("containment_pending", 1, 0), ("normal", 0, 1)])
    func `count a host as done that already is as wanted`(_ status: String, _ done: Int, _ failed: Int) async throws {
        let tenant = try Tenant { call in
            call.path.hasSuffix("/devices-actions/v2")
                ? Tenant.refusal(409, "already") : Tenant.envelope([["device_id": "a", "status": .string(status)]])
        }
        let result = try await tenant.actions().run("isolate_endpoints", ["ids": ["a"]])
        #expect((result.resources.count, result.errors.count) == (done, failed))
    }

    // covers: act:comment-once
    @Test func `never say a comment failed that may stand there`() async throws {
        let tenant = try Tenant { _ in .failure(.timedOut(url: "x", phase: .total)) }
        let error = await #expect(throws: ActionError.self) {
            try await tenant.actions().run("add_new_comment_to_alert", ["ids": ["a"], "comment": "c"])
        }
        #expect(error?.code == "action.outcome_unknown")
    }

    // covers: act:login-history-v2
    @Test(arguments: [404, 410])
    func `ask the second version of the login history, ten at a time`(_ status: Int) async throws {
        let tenant = try Tenant { call in
            call.path.hasSuffix("/v1") ? Tenant.refusal(status) : Self.echo(call)
        }
        let result = try await tenant.actions().run("query_device_login_history", ["ids": Self.ids(25)])
        #expect(tenant.calls.map(\.ids.count) == [25, 10, 10, 5])
        #expect(result.resources.count == 25)
        for call in tenant.calls { #expect(try FalconContract.shared.get().problems(call).isEmpty) }
    }
}
