// SPDX-License-Identifier: Apache-2.0

public import Base
import JSON

/// One partition of a tenant's event stream, as a listing names it. Source: Falcon API surface, 10; Sekoia.io module, 1.1.
public struct EventFeed: Sendable, Hashable {
    /// Where it is read, with `appId` in the query.
    public let url: String
    /// Good for opening the stream; not the API's bearer token.
    public let token: Secret
    /// Where its session is prolonged, with `appId` and `action_name` in the query; empty where the listing named none: then
    /// the session lapses and is opened anew.
    public let refreshURL: String
    /// The session ends so long after it was opened or prolonged; 1800 s as a rule.
    public let refreshInterval: Duration

    public init(url: String, token: Secret, refreshURL: String, refreshInterval: Duration) {
        self.url = url
        self.token = token
        self.refreshURL = refreshURL
        self.refreshInterval = refreshInterval
    }

    /// `nil` when the listing left out what reading needs.
    init?(_ element: JSONElement) {
        guard let url = element["dataFeedURL"]?.string, !url.isEmpty,
            let token = element["sessionToken"]?["token"]?.string, !token.isEmpty
        else { return nil }
        self.url = url
        self.token = Secret(token)
        refreshURL = element["refreshActiveSessionURL"]?.string ?? ""
        refreshInterval = .seconds(max(1, min(element["refreshActiveSessionInterval"]?.int ?? 1800, 86_400)))
    }

    /// The feed's name for checkpoints: its URL without the query. Offsets mean the same event whatever the appId.
    public var rootURL: String { String(url.prefix { $0 != "?" }) }

    /// When to prolong: a sixth of the interval before its end, at most 300 s, never more often than every 30 s.
    /// 1800 → 1500, 60 → 50, 30 → 30, 3600 → 3300 s.
    public var refreshPeriod: Duration {
        let interval = refreshInterval.components.seconds
        return .seconds(max(30, interval - min(300, interval / 6)))
    }
}

/// Where a stream begins that has no checkpoint.
public enum FeedStart: Sendable, Hashable {
    /// The oldest event that the tenant still holds.
    case oldest
    /// What comes from now on.
    case newest
    /// This event, if the server counts it in, else the one after it.
    case offset(UInt64)
}
