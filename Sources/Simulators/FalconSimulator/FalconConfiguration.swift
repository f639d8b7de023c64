// SPDX-License-Identifier: Apache-2.0

import JSON
public import SimulatorKit

/// How the simulated Falcon tenant behaves.
public struct FalconConfiguration: Sendable {
    /// An API client: its id, secret and scopes.
    public struct Client: Sendable, Hashable {
        public var id: String
        public var secret: String
        public var scopes: Set<String>

        public init(id: String, secret: String, scopes: Set<String> = FalconConfiguration.allScopes) {
            self.id = id
            self.secret = secret
            self.scopes = scopes
        }
    }

    public static let allScopes: Set<String> = Set([
        "ioc:read", "ioc:write", "iocs:read", "devices:read", "devices:write", "host-group:read", "alerts:read",
        "alerts:write", "cases:read", "cases:write", "detects:read", "detects:write", "incidents:read",
        "message-center:read", "message-center:write", "prevention-policies:read", "prevention-policies:write",
        "quarantine:read", "quarantine:write", "samplestore:read", "user-management:read",
        "identity-protection-graphql:write",
    ]).union(StreamOperation.scopes)

    /// The client that exists when nobody says otherwise, for demos and tests. It opens nothing but this simulator.
    public static let defaultClient = Client(
        id: "ed578da6b8d84d1e9312e833e493773a", secret: "Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz")

    public var options = SimulatorOptions()
    public var clients = [defaultClient]
    /// Seconds that a token lives.
    public var tokenLifetime = 1799
    /// What `X-Cs-Region` says. The default is no region of the vendor's: falconpy moves to the cloud that is named there
    /// whatever its base URL was, so a real name would send it from the simulator to the vendor.
    public var region = "sim-1"
    /// Token requests are answered with 308 to this base URL instead, as for a tenant of another cloud.
    public var redirectsTokensTo: String?
    /// Requests in any minute that are served; the next is refused with 429. `nil`: no limit.
    public var requestsPerMinute: Int?
    /// The same for token requests; the service allows 300.
    public var tokenRequestsPerMinute: Int?
    /// IOCs that the tenant may hold.
    public var quota = 1_000_000
    /// Falcon for Mobile is licensed: platforms `android` and `ios` are allowed.
    public var allowsMobile = false
    public var refusesPastExpiration = false
    /// Every so-many-th item of a create is left out of a 201 answer that names it under `errors`. `nil`: never.
    public var failsEvery: Int?
    /// Creates and updates of private addresses are refused with a warning unless `ignore_warnings=true`.
    public var warnsOfPrivateAddresses = false
    /// Longer request targets are refused with an HTML page, as gateways do.
    public var maxTargetBytes = 20_000

    /// The detections API still answers, with the tenant's alerts in its own form.
    public var servesDetections = false
    /// Only the detections API answers: alerts are refused for want of a licence (403).
    public var refusesAlerts = false
    /// How long a containment takes, and its end; until then the host says that it is pending.
    public var containmentMilliseconds = 0
    /// Most entries of a page, whatever limit is asked for. `nil`: as asked.
    public var pageCap: Int?

    /// The event stream.
    public var feeds = FeedConfiguration()

    public init() {}
}

extension FalconConfiguration {
    /// Changes what the JSON object names; the keys are the settings in snake case. Returns what is wrong with it.
    mutating func apply(_ changes: JSONObject) -> String? {
        for (key, value) in changes {
            let isKnown: Bool
            switch key {
            case "token_lifetime": isKnown = Self.set(&tokenLifetime, value)
            case "region": isKnown = Self.set(&region, value)
            case "redirects_tokens_to": isKnown = Self.set(&redirectsTokensTo, value)
            case "requests_per_minute": isKnown = Self.set(&requestsPerMinute, value)
            case "token_requests_per_minute": isKnown = Self.set(&tokenRequestsPerMinute, value)
            case "quota": isKnown = Self.set(&quota, value)
            case "allows_mobile": isKnown = Self.set(&allowsMobile, value)
            case "refuses_past_expiration": isKnown = Self.set(&refusesPastExpiration, value)
            case "fails_every": isKnown = Self.set(&failsEvery, value)
            case "warns_of_private_addresses": isKnown = Self.set(&warnsOfPrivateAddresses, value)
            case "max_target_bytes": isKnown = Self.set(&maxTargetBytes, value)
            case "serves_detections": isKnown = Self.set(&servesDetections, value)
            case "refuses_alerts": isKnown = Self.set(&refusesAlerts, value)
            case "containment_ms": isKnown = Self.set(&containmentMilliseconds, value)
            case "page_cap": isKnown = Self.set(&pageCap, value)
            case "clients":
                let read = (value.array ?? []).compactMap { Client($0) }
                isKnown = !read.isEmpty && read.count == value.array?.count
                if isKnown { clients = read }
            default: return "there is no setting “\(key)”"
            }
            if !isKnown { return "“\(key)” has a value of the wrong kind" }
        }
        return nil
    }

    private static func set(_ target: inout Int, _ value: JSONValue) -> Bool {
        guard let number = value.int, number >= 0 else { return false }
        target = Int(number)
        return true
    }
    private static func set(_ target: inout Int?, _ value: JSONValue) -> Bool {
        guard value.isNull || (value.int ?? 0) > 0 else { return false }
        target = value.int.map { Int($0) }
        return true
    }
    private static func set(_ target: inout String, _ value: JSONValue) -> Bool {
        guard let text = value.string else { return false }
        target = text
        return true
    }
    private static func set(_ target: inout String?, _ value: JSONValue) -> Bool {
        guard value.isNull || value.string != nil else { return false }
        target = value.string
        return true
    }
    private static func set(_ target: inout Bool, _ value: JSONValue) -> Bool {
        guard let flag = value.bool else { return false }
        target = flag
        return true
    }
}

extension FalconConfiguration.Client {
    /// `{"id":…,"secret":…,"scopes":["ioc:read"]}`, all scopes when none are named.
    init?(_ value: JSONValue) {
        guard let id = value["id"]?.string, let secret = value["secret"]?.string else { return nil }
        let scopes = value["scopes"]?.array.map { Set($0.compactMap(\.string)) }
        self.init(id: id, secret: secret, scopes: scopes ?? FalconConfiguration.allScopes)
    }
}
