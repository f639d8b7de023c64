// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPServer
public import SimulatorKit

/// A HarfangLab console over real HTTP: threat intelligence (IOC, Sigma, YARA), security events, threats, agents, with the
/// console's error shapes.
///
/// Its admin endpoints: those of ``SimulatorServer``, and `rules`, `sources`, `alerts`, `alerts/generate`, `threats`,
/// `states`, `settings` below `/_admin`.
///
/// Source: HarfangLab ↔ OpenCTI, 1.
public struct SimulatedHarfangLab: Sendable {
    public let server: SimulatorServer

    /// Starts it.
    public init(
        _ configuration: HarfangLabConfiguration = HarfangLabConfiguration(), time: any TimeSource = SystemTime()
    ) throws(WebServerError) {
        let clock = SimulatorClock(time)
        let vendor = HarfangLabVendor(configuration, clock: clock)
        server = try SimulatorServer(vendor, configuration.options, clock: clock)
    }
}
