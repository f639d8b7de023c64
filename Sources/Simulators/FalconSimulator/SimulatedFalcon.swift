// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPServer
public import SimulatorKit

/// A Falcon tenant over real HTTP: OAuth2 and IOC management complete, as strict as the vendor, with its error shapes.
///
/// ```swift
/// let falcon = try SimulatedFalcon(FalconConfiguration())
/// print(falcon.server.baseURL)
/// await falcon.server.stop()
/// ```
/// Its admin endpoints: those of ``SimulatorServer``, and `iocs`, `iocs/generate`, `states`, `settings`, `tokens/revoke`,
/// `sightings` below `/_admin`.
///
/// Source: Falcon API, 1–4; `CrowdStrike/falconpy: src/falconpy/_endpoint/_ioc.py`.
public struct SimulatedFalcon: Sendable {
    public let server: SimulatorServer

    /// Starts it.
    ///
    /// - Parameter time: the clock of expirations, tokens, request budgets and delays.
    public init(
        _ configuration: FalconConfiguration = FalconConfiguration(), time: any TimeSource = SystemTime()
    ) throws(WebServerError) {
        let clock = SimulatorClock(time)
        let vendor = FalconVendor(configuration, clock: clock)
        server = try SimulatorServer(vendor, configuration.options, clock: clock)
    }
}
