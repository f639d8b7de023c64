// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import JSON
import TestKit
import Testing

@Suite("Falcon's event stream") struct EventStreamTests {
    private static let listing = #"""
        {"meta":{"query_time":0.1,"trace_id":"t"},"errors":[],"resources":[
        {"dataFeedURL":"https://firehose.crowdstrike.com/sensors/entities/datafeed/v1/0?appId=x",
        "sessionToken":{"token":"c2Vzc2lvbg==","expiration":"2026-02-14T09:30:00.017018689Z"},
        "refreshActiveSessionURL":"https://api.crowdstrike.com/sensors/entities/datafeed-actions/v1/0?appId=x&action_name=r",
        "refreshActiveSessionInterval":1800},
        {"dataFeedURL":"https://firehose.crowdstrike.com/sensors/entities/datafeed/v1/1","sessionToken":{"token":"s"}},
        {"dataFeedURL":"https://firehose.crowdstrike.com/sensors/entities/datafeed/v1/2"}]}
        """#

    private func feed(_ url: String, refresh: String = "https://api.crowdstrike.com/r") -> EventFeed {
        EventFeed(url: url, token: Secret("session"), refreshURL: refresh, refreshInterval: .seconds(1800))
    }

    // covers: feed:listing
    @Test func `lists every feed that can be read, also one that cannot be prolonged`() async throws {
        let tenant = try Tenant { _ in .status(200, Self.listing) }
        let feeds = try await tenant.client.eventFeeds(appID: "sallyport0a")
        #expect(feeds.map(\.rootURL.last) == ["0", "1"])
        #expect(feeds[0].token.reveal() == "c2Vzc2lvbg==" && feeds[0].refreshInterval == .seconds(1800))
        #expect(feeds[1].refreshURL.isEmpty && feeds[1].refreshInterval == .seconds(1800))
        #expect(try FalconContract.shared.get().problems(tenant.calls[0]) == [])
    }

    // covers: feed:listing
    @Test(arguments: ["null", "[]"]) func `takes a listing without feeds for one`(_ resources: String) async throws {
        let tenant = try Tenant { _ in .status(200, #"{"meta":{},"errors":null,"resources":\#(resources)}"#) }
        #expect(try await tenant.client.eventFeeds(appID: "a").isEmpty)
    }

    // covers: feed:request
    @Test(arguments: [
        ("https://f.example/v1/0?appId=x", FeedStart.oldest, [], "https://f.example/v1/0?appId=x"),
        ("https://f.example/v1/0?appId=x", .offset(41), [], "https://f.example/v1/0?appId=x&offset=41"),
        ("https://f.example/v1/0", .offset(41), [], "https://f.example/v1/0?offset=41"),
        ("https://f.example/v1/0", .newest, ["A", "B"], "https://f.example/v1/0?whence=2&eventType=A,B"),
        ("https://f.example/v1/0", .oldest, ["A"], "https://f.example/v1/0?eventType=A"),
    ])
    func `opens a feed with its session's token and where it is to begin`(
        _ url: String, _ start: FeedStart, _ types: [String], _ expected: String
    ) async throws {
        let tenant = try Tenant { _ in .stream(["{}\n"]) }
        let stream = try await tenant.client.open(feed(url), from: start, eventTypes: types)
        #expect(try await stream.next() != nil)
        let request = tenant.calls[0].request
        #expect(request.url == expected)
        // Not the API's bearer token, which is none of the firehose's business.
        #expect(request.headers["Authorization"] == "Token session" && tenant.tokenRequests.isEmpty)
        #expect(request.idleTimeout == .seconds(60))
    }

    // covers: feed:refresh
    @Test func `prolongs a session where the listing says, with the API's token`() async throws {
        let tenant = try Tenant()
        let url =
            "https://api.crowdstrike.com/sensors/entities/datafeed-actions/v1/0?appId=x&action_name=refresh_active_stream_session"
        try await tenant.client.refresh(feed("https://f.example/v1/0", refresh: url), appID: "x")
        let call = tenant.calls[0]
        #expect(call.request.url == url && call.request.headers["Authorization"] == "Bearer token-1")
        #expect(call.text == #"{"action_name":"refresh_active_stream_session","appId":"x"}"#)
    }

    // covers: feed:refresh-foreign
    @Test(arguments: ["https://evil.example/r", "", "http://api.crowdstrike.com/r"])
    func `sends the API's token nowhere else`(_ url: String) async throws {
        let tenant = try Tenant()
        await #expect(throws: FalconError.self) {
            try await tenant.client.refresh(feed("https://f.example/v1/0", refresh: url), appID: "x")
        }
        #expect(tenant.calls.isEmpty)
    }
}
