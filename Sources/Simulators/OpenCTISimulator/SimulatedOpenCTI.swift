// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPServer
public import SimulatorKit

/// An OpenCTI platform over real HTTP: GraphQL for connectors, and a live stream, with the platform's own error shapes.
///
/// ```swift
/// var configuration = OpenCTIConfiguration()
/// configuration.feed = FeedConfiguration(count: 3_000)
/// let platform = try SimulatedOpenCTI(configuration)
/// print(platform.server.baseURL)
/// await platform.server.stop()
/// ```
/// Its admin endpoints: those of ``SimulatorServer``, and `state`, `events`, `expected`, `stream`, `connector-state`,
/// `version`, `trim`, `settings`, `observables`, `enrichments`, `bundles`, `entities` below `/_admin`.
///
/// Source: fact sheet “OpenCTI connector protocol”, 1–6 and 8.
public struct SimulatedOpenCTI: Sendable {
    public let server: SimulatorServer
    private let vendor: OpenCTIVendor

    /// Starts it.
    ///
    /// - Parameter time: the clock of event ids, heartbeats, live events and delays.
    public init(
        _ configuration: OpenCTIConfiguration = OpenCTIConfiguration(), time: any TimeSource = SystemTime()
    ) throws(WebServerError) {
        let clock = SimulatorClock(time)
        vendor = OpenCTIVendor(configuration, clock: clock)
        server = try SimulatorServer(vendor, configuration.options, clock: clock)
    }

    /// Lets go of the broker and stops listening.
    public func stop() async {
        await vendor.closeBus()
        await server.stop()
    }
}
