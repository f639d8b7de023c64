// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPServer
public import SimulatorKit

/// VMRay's REST API over real HTTP: look-ups, submissions that are queued, run and end, IOCs, quota and both kinds of key.
///
/// Nothing is executed: what an analysis ends with is prepared, or follows from whether the content is the EICAR text.
/// Contents are hashed and forgotten. Its admin endpoints besides those of ``SimulatorServer``:
///
/// | call | does |
/// | --- | --- |
/// | `POST /_admin/findings` `{"<sha256>":{"verdict":"malicious","classifications":[],"threat_names":[],"iocs":{"malicious":{"files":[…]}},"fails":false,"hangs":false,"rejection":"…"}}` | what an analysis of that content will end with; `answers`, `sample_id`, `submission_id`, `shown_sha256` and `hidden` as in ``Finding`` |
/// | `POST /_admin/samples`, the same | such samples are known already |
/// | `POST /_admin/submissions` `[{"submission_id":9024,"sha256":"…","created":"2026-06-15T11:58:00Z","ends":"…"}]` | submissions that somebody made before |
/// | `GET /_admin/submissions` | what was sent, one line each: file name, fields, SHA-256, bytes |
/// | `GET /_admin/state` | how many submissions, the most analyses at once, what clients sent that no call takes |
/// | `POST /_admin/settings` `{"queue_ms":0,"analysis_ms":1000,"machines":4,"quota":10,"reanalyzes_known":false,"page_size":100,"keys":[],"verdict_keys":[]}` | changes them while it runs |
///
/// Source: VMRay, 1.
public struct SimulatedVMRay: Sendable {
    public let server: SimulatorServer

    /// Starts it.
    ///
    /// - Parameter time: the clock of queue, analyses and delays.
    public init(
        _ configuration: VMRayConfiguration = VMRayConfiguration(), time: any TimeSource = SystemTime()
    ) throws(WebServerError) {
        let clock = SimulatorClock(time)
        server = try SimulatorServer(VMRayVendor(configuration, clock: clock), configuration.options, clock: clock)
    }
}
