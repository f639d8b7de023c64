// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import FalconActions
import HTTPClient
import JSON
import TestKit
import Testing

@Suite("Dry runs") struct RehearsalTests {
    // covers: act:dry-run
    @Test(arguments: ContractCase.all)
    func `read what they need, change nothing, and say what they would send`(_ wanted: ContractCase) async throws {
        let action = try #require(FalconAction.named(wanted.slug))
        let server = ScriptedTransport { recorded in
            recorded.request.url.hasSuffix("/oauth2/token")
                ? .status(201, #"{"access_token":"token","expires_in":1799,"token_type":"bearer"}"#)
                : Tenant.envelope([])
        }
        let rehearsal = Rehearsal(server)
        let falcon = try FalconClient(
            transport: rehearsal, credentials: FalconCredentials(clientID: Tenant.id, clientSecret: Secret("s")),
            baseURL: "https://api.crowdstrike.com")
        let time = TestTime(start: Instant(milliseconds: 1_771_059_600_000))
        let actions = FalconActions(falcon: falcon, readFile: { _ in [] }, rehearsal: rehearsal, time: time)
        let arguments = try #require(wanted.json["example"]?["arguments"]?.object)
        let result = try await actions.run(wanted.slug, arguments)
        let sent = server.requests.filter { !$0.request.url.contains("/oauth2/") }
        if action.isWrite {
            let last = try #require(wanted.json["example"]?["requests"]?.array?.last)
            let held = try #require(result.rehearsed?.last)
            #expect(held.method == last["method"]?.string)
            #expect(held.path.hasPrefix(last["path"]?.string ?? "-"))
            #expect(held.body == last["body"])
            #expect(sent.allSatisfy { $0.request.method == .get })
        } else {
            #expect(result.rehearsed == [])
            #expect(!sent.isEmpty)
        }
        #expect(result.json["dry_run"] == true)
    }
}
