// SPDX-License-Identifier: Apache-2.0

import JSON
public import SimulatorKit

/// How the simulated OpenCTI platform behaves.
public struct OpenCTIConfiguration: Sendable {
    /// The token that is valid when nobody says otherwise, for demos and tests. It opens nothing but this simulator.
    public static let defaultToken = "7d3f0a52-1c9b-4b7e-9f60-2e5a8c4d1b39"
    public static let defaultStreamID = "1d0a53c4-6b62-4a3c-b0c5-7a7d1e5d9a20"

    /// What a connector needs. Source: OpenCTI protocol, 1.2.
    public static let connectorCapabilities: Set<String> = [
        "CONNECTORAPI", "MODULES", "TAXIIAPI", "KNOWLEDGE", "KNOWLEDGE_KNUPDATE",
    ]

    /// Address, port, latency, seed, faults. The seed decides the feed too.
    public var options = SimulatorOptions()
    public var token = defaultToken
    /// The live stream's id.
    public var streamID = defaultStreamID
    /// What `about` says, and what decides which fields and documents are known: `5.3.17`, `6.8.10`, `7.260817.0`.
    public var version = "7.260817.0"
    /// The path under which the platform is mounted, such as `/cti`; empty for none.
    public var basePath = ""
    /// Of the token's user.
    public var capabilities = connectorCapabilities
    /// The live stream's filters, JSON text as the platform keeps it; empty for none.
    public var streamFilters = FeedConfiguration.filters
    /// The platform sends a heartbeat every so often; its own default is 5 s.
    public var heartbeat: Duration = .seconds(1)
    /// Every so-many-th heartbeat is followed by a `consumer_metrics` event. `nil`: none.
    public var metricsEvery: Int?
    /// Refuses recoveries with a `no-recover` event, as a live stream with origin filters does.
    public var refusesRecovery = false
    /// Where connections of the stream break.
    public var cut: StreamCut?
    /// Varied indicators with their expected table. `nil`: only what comes over the admin endpoint.
    public var feed: FeedConfiguration?
    /// So many plain indicators, made while they are sent: for benchmarks.
    public var plainCount = 0
    /// A real RabbitMQ, where the platform makes its queues. `nil`: bundles only come over the API, requests go over HTTP.
    public var broker: SimulatedBroker?
    /// Where the registration's answer says that the object store is.
    public var storageHost = "minio.example"
    public var storagePort = 9000
    /// What the platform says of the bytes that wait in a connector's push queue.
    public var queueBytes = 0
    /// `jwks` of the registration's answer; filled in at the start.
    var keySet = #"{"keys":[]}"#

    public init() {}
}

/// The RabbitMQ that the simulated platform uses and names to connectors.
public struct SimulatedBroker: Sendable, Hashable {
    public var host: String
    public var port: Int
    public var user: String
    public var password: String
    public var virtualHost: String

    public init(
        host: String = "127.0.0.1", port: Int, user: String = "guest", password: String = "guest",
        virtualHost: String = "/"
    ) {
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.virtualHost = virtualHost
    }

    var json: JSONValue {
        [
            "host": .string(host), "vhost": .string(virtualHost), "use_ssl": false, "port": .int(port),
            "user": .string(user), "pass": .string(password),
        ]
    }
}

/// The varied feed: indicators of all pattern shapes in the database, then events that change them.
public struct FeedConfiguration: Sendable, Hashable {
    /// Indicators that stand in the database at the start.
    public var count = 1_000
    /// Updates, edits, revocations, deletes, re-creations, creations, malformed and foreign events that happen once a
    /// consumer has been sent all that stood there before, and two heartbeats after it. `nil`: half of ``count``.
    public var liveEvents: Int?
    /// Live events a second. `nil`: all at once.
    public var rate: Double?
    /// Live events wait for `POST /_admin/feed`.
    public var startsByHand = false

    public init(count: Int = 1_000, liveEvents: Int? = nil, rate: Double? = nil, startsByHand: Bool = false) {
        self.count = count
        self.liveEvents = liveEvents
        self.rate = rate
        self.startsByHand = startsByHand
    }

    /// What the connector's documentation tells an operator to set.
    public static let filters =
        #"{"mode":"and","filters":[{"key":["entity_type"],"values":["Indicator"],"operator":"eq","mode":"or"}],"filterGroups":[]}"#
}
