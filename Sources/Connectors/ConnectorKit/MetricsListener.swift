// SPDX-License-Identifier: Apache-2.0

import HTTPServer
public import Telemetry

/// An original's own metrics listener: `GET /metrics` at the address and port that it had.
public struct MetricsListener: Sendable {
    private let server: WebServer
    public var port: Int { Int(server.port) }

    public init(_ metrics: Metrics, address: String, port: Int) throws {
        var configuration = WebServer.Configuration()
        configuration.address = address
        configuration.port = UInt16(port)
        configuration.threads = 1
        var router = Router()
        let answer: RequestHandler = { _ in
            .now(ServerResponse(contentType: Metrics.contentType, bytes: Array(metrics.text().utf8)))
        }
        // The Python client library answers on every path.
        router.get("/metrics", answer)
        router.get("/", answer)
        let routes = router
        server = try WebServer(configuration) { routes.answer(to: $0) }
    }

    public func stop() async { await server.stop() }
}
