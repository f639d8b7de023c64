// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import JSON
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import FalconInventories

@Suite("Reading an inventory") struct ReadingTests {
    private static func client(
        _ answering: @escaping @Sendable (ScriptedTransport.Recorded) -> ScriptedTransport.Answer
    ) throws -> (FalconClient, ScriptedTransport) {
        let transport = ScriptedTransport { recorded in
            recorded.request.url.hasSuffix("/oauth2/token")
                ? .status(201, #"{"access_token":"token","expires_in":1799,"token_type":"bearer"}"#)
                : answering(recorded)
        }
        let falcon = try FalconClient(
            transport: transport,
            credentials: FalconCredentials(
                clientID: "ed578da6b8d84d1e9312e833e493773a", clientSecret: Secret("s3cret")),
            baseURL: "https://api.crowdstrike.com")
        return (falcon, transport)
    }

    private static func envelope(_ resources: [JSONValue], _ pagination: JSONValue = [:]) -> ScriptedTransport.Answer {
        let body: JSONValue = [
            "meta": ["query_time": 0.1, "trace_id": "t", "pagination": pagination],
            "resources": .array(resources), "errors": [],
        ]
        return .status(200, body.text)
    }

    /// So many hosts by offset and by scroll, the newest first.
    private static func hosts(_ total: Int, _ call: ScriptedTransport.Recorded) -> ScriptedTransport.Answer {
        let parts = URLParts(call.request.url)
        let query = Dictionary(parts?.query.map { ($0.name, $0.value) } ?? []) { first, _ in first }
        let isScroll = parts?.path.contains("devices-scroll") ?? false
        let offset = Int(query["offset"] ?? "0") ?? 0
        let limit = Int(query["limit"] ?? "100") ?? 100
        guard isScroll || offset + limit <= 10_000 else { return .status(400, "{}") }
        let end = min(total, offset + limit)
        let next: JSONValue = isScroll ? .string(end < total ? "\(end)" : "") : .int(end)
        return envelope(
            (offset..<max(offset, end)).map { .string("host\($0)") },
            ["limit": .int(limit), "offset": next, "total": .int(total)])
    }

    // covers: inv:quirk-5, inv:scroll
    @Test(arguments: [0, 1, 100, 101, 4_000, 9_999, 10_000, 10_001, 23_000])
    func `every id comes once, however many there are`(_ total: Int) async throws {
        let (falcon, transport) = try Self.client { Self.hosts(total, $0) }
        let first = try await falcon.queryDevices(sort: "first_seen.desc", limit: 100)
        var listing = DeviceListing(falcon: falcon, filter: nil, sort: "first_seen.desc", first: first)
        var ids: [String] = []
        while let page = try await listing.next() { ids += page }
        #expect(ids.count == total)
        #expect(Set(ids).count == total)
        for call in transport.requests where !call.request.url.contains("/oauth2/") {
            #expect(try FalconContract.shared.get().problems(call).isEmpty)
        }
    }

    // covers: inv:listing-shrinks
    @Test(arguments: [1, 20]) func `no host is passed over when others leave the list between two pages`(
        _ gone: Int
    ) async throws {
        let left = Mutex((0..<300).map { "host\($0)" })
        let (falcon, _) = try Self.client { call in
            let query = URLParts(call.request.url)?.query ?? []
            func number(_ name: String) -> Int? { query.first { $0.name == name }.flatMap { Int($0.value) } }
            let all = left.withLock { $0 }
            let offset = number("offset") ?? 0
            let page = all.dropFirst(offset).prefix(number("limit") ?? 100)
            // Right after the first page.
            left.withLock { if $0.count == 300 { $0.removeFirst(gone) } }
            return Self.envelope(
                page.map { .string($0) }, ["offset": .int(offset + page.count), "total": .int(all.count)])
        }
        var listing = DeviceListing(
            falcon: falcon, filter: nil, sort: "first_seen.desc",
            first: try await falcon.queryDevices(sort: "first_seen.desc", limit: 100))
        var ids: [String] = []
        while let page = try await listing.next() { ids += page }
        #expect(ids.count == 300 && Set(ids).count == 300)
    }

    // covers: inv:group-cache
    @Test func `groups are asked for once an hour, and one that nobody knows is not asked again`() async throws {
        let (falcon, transport) = try Self.client { call in
            call.request.url.contains("g2")
                ? Self.envelope([["id": "g1", "name": "One", "description": ""]]) : .status(404, "{}")
        }
        let time = TestTime(jumping: true)
        let events = InventoryEvents(log: .silent, metrics: Metrics(time: time), flow: "f")
        let cache = GroupCache(falcon, events: events, time: time)
        func calls() -> Int { transport.requests.count { $0.request.url.contains("host-groups") } }
        #expect(await cache.groups(["g1", "g2", "g1"]).keys.sorted() == ["g1"])
        #expect(await cache.groups(["g1", "g2"])["g1"]?.name == "One")
        #expect(calls() == 1)
        try await time.sleep(for: .seconds(3601))
        _ = await cache.groups(["g1", "g2"])
        #expect(calls() == 2)
    }

    // covers: inv:cursor-escaped
    @Test func `a cursor cannot leave its place in the query`() async throws {
        let (falcon, transport) = try Self.client { _ in
            .status(200, #"{"data":{"entities":{"pageInfo":{"hasNextPage":false,"endCursor":null},"nodes":[]}}}"#)
        }
        _ = try await falcon.identityUsers(after: #"a" first:1) { x } #"#) { IdentityUser($0) }
        let body = try #require(transport.requests.last.flatMap { try? JSONValue(parsing: $0.body) })
        #expect(body["query"]?.string?.contains(#"after:"a\" first:1) { x } #""#) == true)
    }

    // covers: inv:graphql-errors
    @Test(arguments: [
        (#"[]"#, false, 0), (#"[{"message":"You do not have permission to access entities"}]"#, true, 1),
        (#"[{"message":"internal timeout"}]"#, false, 1),
    ])
    func `only permission and licence count as a refusal`(_ errors: String, _ isRefused: Bool, _ count: Int)
        async throws
    {
        let (falcon, _) = try Self.client { _ in
            .status(200, #"{"data":{"entities":{"pageInfo":{"hasNextPage":false},"nodes":[]}},"errors":\#(errors)}"#)
        }
        let page = try await falcon.identityUsers { IdentityUser($0) }
        #expect(page.isRefused == isRefused)
        #expect(page.problems.count == count)
    }
}
