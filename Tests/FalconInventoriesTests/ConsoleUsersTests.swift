// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import JSON
import OCSF
import Storage
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import FalconInventories

@Suite("Reading the console's users") struct ConsoleUsersTests {
    // covers: inv:users-shrink
    @Test(arguments: [0, 1, 20]) func `nobody is passed over when others leave the list between two pages`(_ gone: Int)
        async throws
    {
        let left = Mutex((0..<250).map { "user\($0)" })
        let sent = Recorder<String>()
        let time = TestTime(jumping: true)
        let transport = ScriptedTransport { call in
            let parts = URLParts(call.request.url)
            func answer(_ resources: [JSONValue], _ pagination: JSONValue) -> ScriptedTransport.Answer {
                let body: JSONValue = [
                    "meta": ["query_time": 0.1, "trace_id": "t", "pagination": pagination],
                    "resources": .array(resources), "errors": [],
                ]
                return .status(200, body.text)
            }
            switch parts?.path {
            case "/oauth2/token":
                return .status(201, #"{"access_token":"token","expires_in":1799,"token_type":"bearer"}"#)
            case "/user-management/queries/users/v1":
                func number(_ name: String) -> Int? {
                    parts?.query.first { $0.name == name }.flatMap { Int($0.value) }
                }
                let all = left.withLock { $0 }
                let offset = number("offset") ?? 0
                let page = all.dropFirst(offset).prefix(number("limit") ?? 100)
                // Right after the first page.
                left.withLock { if $0.count == 250 { $0.removeFirst(gone) } }
                return answer(
                    page.map { .string($0) }, ["offset": .int(offset + page.count), "total": .int(all.count)])
            default:
                let ids = (try? JSONValue(parsing: call.body))?["ids"]?.array?.compactMap(\.string) ?? []
                return answer(
                    ids.map { id in
                        // The newest first.
                        let fraction = 2000 - (Int(id.dropFirst(4)) ?? 0)
                        return [
                            "uuid": .string(id), "first_name": "A", "last_name": "B",
                            "created_at": .string("2026-01-01T00:00:00.\(fraction)Z"),
                        ]
                    }, [:])
            }
        }
        let falcon = try FalconClient(
            transport: transport,
            credentials: FalconCredentials(
                clientID: "ed578da6b8d84d1e9312e833e493773a", clientSecret: Secret("s3cret")),
            baseURL: "https://api.crowdstrike.com", time: time)
        let store = try await SQLiteStore.open(path: ":memory:")
        let flow = try await store.number(of: "users", in: .flow)
        let inventory = UserInventory(
            falcon: falcon, source: .console, sendsUpdates: false,
            checkpoints: try await Checkpoints.open(store, flow: flow, context: nil),
            events: InventoryEvents(log: .silent, metrics: Metrics(time: time), flow: "f"),
            emit: { list in for case .user(let user) in list.map(\.subject) { sent.append(user.uid) } })
        #expect(try await inventory.cycle() == 250)
        #expect(Set(sent.elements).count == 250)
        #expect(try await inventory.cycle() == 0)
    }
}
