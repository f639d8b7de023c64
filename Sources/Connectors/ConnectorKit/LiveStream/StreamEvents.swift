// SPDX-License-Identifier: Apache-2.0

public import OpenCTI
public import Telemetry

/// What is worth telling: one method a thing, which writes the line and moves the counter, so that they can't drift.
public final class StreamEvents: Sendable {
    private let log: Log
    private let name: String
    private let processed: Family<Counter>
    private let currentState: Gauge
    private let disconnects: Counter

    /// - Parameter name: the connector's name on the platform: a label of the original's metrics.
    public init(log: Log, metrics: Metrics, name: String, flow: String) {
        self.log = log
        self.name = name
        // The original's metrics: name, help and labels as they were.
        // Source: OpenCTI → CrowdStrike Endpoint Security, 5.
        processed = metrics.counter(
            "processed_messages_total", "Number of processed messages", labels: ["name", "action"],
            hasCreated: true)
        currentState = metrics.gauge("current_state", "Current connector state", labels: ["name"]).with(name)
        disconnects = metrics.counter(
            "sallyport_stream_disconnects_total", "Times the live stream's connection ended", labels: ["flow"]
        ).with(flow)
    }

    public func message(_ action: String, _ id: EventID) {
        // A closed set of labels: what the platform does not define is one of them.
        let action = ["create", "update", "delete", "merge"].contains(action) ? action : "unknown"
        processed.with(name, action).add()
        currentState.set(id.milliseconds)
    }

    public func connected() { log.info("Connected to the live stream") }

    public func disconnected(_ end: StreamEnd, _ wait: Duration) {
        disconnects.add()
        guard let code = end.code else {
            log.info("The live stream ended and is connected again", .field("wait", wait))
            return
        }
        log.warning(
            "The live stream can't be read; trying again", .field("error.code", code), .field("reason", end.reason),
            .field("wait", wait))
    }

    public func gap(_ position: EventID, _ first: EventID) {
        log.error(
            "OpenCTI no longer holds the events after our position: everything is read once more",
            .field("stream.position", position.description),
            .field("stream.first", first.description))
    }

    public func recoveryRefused() { log.warning("OpenCTI does not recover this stream; only live events come") }
}
