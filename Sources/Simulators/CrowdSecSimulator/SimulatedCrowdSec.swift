// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPServer
public import SimulatorKit

/// CrowdSec's CTI API over real HTTP: `GET /v2/smoke/{ip}` with its refusals, its quota and its throttle.
///
/// Its admin endpoints besides those of ``SimulatorServer``:
///
/// | call | does |
/// | --- | --- |
/// | `POST /_admin/answers` `{"192.0.2.10":[{"status":200,"headers":{},"body":{…}}]}` | prepares answers by address |
/// | `GET /_admin/usage` | tokens spent, requests in all and by address |
/// | `POST /_admin/settings` `{"daily_quota":50,"requests_per_second":10,"keys":["…"]}` | changes them while it runs |
///
/// Source: CrowdSec enrichment, 1 and 2.
public struct SimulatedCrowdSec: Sendable {
    public let server: SimulatorServer

    /// Starts it.
    ///
    /// - Parameter time: the clock of the quota, the throttle and delays.
    public init(
        _ configuration: CrowdSecConfiguration = CrowdSecConfiguration(), time: any TimeSource = SystemTime()
    ) throws(WebServerError) {
        let clock = SimulatorClock(time)
        let vendor = CrowdSecVendor(configuration, clock: clock)
        server = try SimulatorServer(vendor, configuration.options, clock: clock)
    }
}
