// SPDX-License-Identifier: Apache-2.0

import Base
public import HTTPClient
import JSON

/// The event stream. Source: Falcon API surface, 10; `CrowdStrike/gofalcon: falcon/streaming_client.go`.
extension FalconClient {
    /// The feeds of a tenant; none while an earlier session of the same appId is still open.
    ///
    /// `GET /sensors/entities/datafeed/v2?appId=…`, scope “Event streams: Read”
    ///
    /// - Parameter appID: at most 32 characters of `a-z A-Z 0-9`.
    public func eventFeeds(appID: String) async throws(FalconError) -> [EventFeed] {
        let call = FalconCall(
            .get, "/sensors/entities/datafeed/v2", query: [(name: "appId", value: appID)],
            operation: "falcon.feed_list", scope: .eventStreamsRead)
        return try await list(call, row: EventFeed.init).rows
    }

    /// Prolongs the session of a feed.
    ///
    /// `POST {refreshActiveSessionURL}` `{"action_name":"refresh_active_stream_session","appId":"…"}`
    public func refresh(_ feed: EventFeed, appID: String) async throws(FalconError) {
        try await check(feed.refreshURL)
        let body: JSONValue = ["action_name": "refresh_active_stream_session", "appId": .string(appID)]
        let call = FalconCall(
            .post, feed.refreshURL, body: body.bytes, operation: "falcon.feed_refresh", scope: .eventStreamsRead,
            isIdempotent: true)
        _ = try await list(call) { _ in true }
    }

    /// Opens a feed for reading: newline-separated events, blank lines to keep the connection.
    ///
    /// `GET {dataFeedURL}[&offset=N | &whence=2][&eventType=A,B]`, `Authorization: Token …`
    ///
    /// - Parameters:
    ///   - eventTypes: what the server shall send; empty for all.
    ///   - idle: without a byte for so long the stream counts as broken.
    public func open(
        _ feed: EventFeed, from start: FeedStart, eventTypes: [String] = [], idle: Duration = .seconds(60)
    ) async throws(FalconError) -> any HTTPStream {
        try Self.checkFeed(feed.url)
        var query: [(name: String, value: String)] = []
        switch start {
        case .oldest: break
        case .newest: query.append((name: "whence", value: "2"))
        case .offset(let offset): query.append((name: "offset", value: String(offset)))
        }
        var url = feed.url
        if !query.isEmpty { url += (url.contains("?") ? "&" : "?") + PercentEncoding.query(query) }
        if !eventTypes.isEmpty {
            // The server splits at commas, so they stay as they are.
            let names = eventTypes.map { PercentEncoding.component($0) }.joined(separator: ",")
            url += (url.contains("?") ? "&" : "?") + "eventType=" + names
        }
        var request = HTTPRequest(
            .get, url,
            headers: [
                "Authorization": "Token " + feed.token.reveal(), "Accept": "application/json",
                "Connection": "keep-alive",
            ],
            operation: "falcon.feed_read")
        request.idleTimeout = idle
        return try await open(request, scope: .eventStreamsRead)
    }

    /// The bearer token goes to the tenant's own cloud only.
    private func check(_ url: String) async throws(FalconError) {
        let own = await session.address
        guard let target = try? FalconAddress(Self.origin(of: url)), own.maySendCredentials(to: target) else {
            throw .redirected(to: Self.origin(of: url))
        }
    }

    private static func checkFeed(_ url: String) throws(FalconError) {
        guard (try? FalconAddress(origin(of: url))) != nil else { throw .redirected(to: origin(of: url)) }
    }

    /// `https://host:port` of a URL.
    private static func origin(of url: String) -> String {
        let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        return parts.prefix(3).joined(separator: "/")
    }
}
