// SPDX-License-Identifier: Apache-2.0

public import Base
import HTTPServer
import JSON
import Synchronization
public import Telemetry

/// Signs of life in the form of the SDK's health endpoint.
public final class SymphonyPulse: Sendable {
    private struct State {
        var lastEvent: Instant
        var lastHeartbeat: Instant
        var errors = 0
    }
    private let state: Mutex<State>
    private let time: any TimeSource
    /// 86,400 for the event stream; 0 for never.
    let threshold: Duration

    public init(time: any TimeSource, threshold: Duration) {
        self.time = time
        self.threshold = threshold
        state = Mutex(State(lastEvent: time.now, lastHeartbeat: time.now))
    }

    /// Events were taken by the platform.
    public func pushed() {
        let now = time.now
        state.withLock { $0.lastEvent = now }
    }
    public func beat() {
        let now = time.now
        state.withLock { $0.lastHeartbeat = now }
    }
    public func failed() { state.withLock { $0.errors += 1 } }

    var isHealthy: Bool {
        threshold == .zero || state.withLock { $0.lastEvent }.duration(to: time.now) < threshold
    }

    var json: JSONValue {
        let state = state.withLock { $0 }
        return [
            "last_events_time": .string(String(state.lastEvent.description.dropLast()) + "000"),
            "last_heartbeat": .string(String(state.lastHeartbeat.description.dropLast()) + "000"),
            "seconds_without_events_threshold": .int(threshold.components.seconds),
            "last_heartbeat_threshold": 0, "error_count": .int(state.errors),
        ]
    }
}

/// The original's own listeners: `GET /health` (port 8000) and the metrics on any path (port 8020).
/// Source: Sekoia.io module, 0.1.
public struct SymphonyListeners: Sendable {
    private let servers: [WebServer]
    /// The ports in use, for tests that ask for port 0; `nil` where none was asked for.
    public let healthPort: Int?
    public let metricsPort: Int?

    /// A port that is taken is a warning: the work matters more than the look at it.
    ///
    /// - Parameters: nil opens none.
    public init(
        healthPort: Int?, metricsPort: Int?, address: String = "0.0.0.0", pulse: SymphonyPulse, metrics: Metrics,
        log: Log
    ) {
        let health = healthPort.flatMap { port in
            Self.open(address, port, log) { request in
                guard request.path == "/health" else {
                    let missing: JSONValue = ["status_code": 404, "reason": "Endpoint doesn't exist"]
                    return .now(.json(missing.bytes, status: 404))
                }
                return .now(.json(pulse.json.bytes, status: pulse.isHealthy ? 200 : 500))
            }
        }
        let exposition = metricsPort.flatMap { port in
            Self.open(address, port, log) { _ in
                .now(ServerResponse(contentType: Metrics.contentType, bytes: Array(metrics.text().utf8)))
            }
        }
        servers = [health, exposition].compactMap(\.self)
        self.healthPort = health.map { Int($0.port) }
        self.metricsPort = exposition.map { Int($0.port) }
    }

    public func stop() async { for server in servers { await server.stop(within: .seconds(1)) } }

    private static func open(
        _ address: String, _ port: Int, _ log: Log, _ handler: @escaping RequestHandler
    ) -> WebServer? {
        var configuration = WebServer.Configuration()
        configuration.address = address
        configuration.port = UInt16(clamping: port)
        configuration.threads = 1
        do { return try WebServer(configuration, handler: handler) } catch {
            log.warning(
                "A port of the original can't be opened; set LIVENESS_PORT and METRICS_PORT to others",
                .field("port", port), .cause(error))
            return nil
        }
    }
}
