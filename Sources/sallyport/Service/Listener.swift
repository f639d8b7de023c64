// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import Settings
import Telemetry

/// `/health/live`, `/health/ready` and `/metrics` at the process's own address.
struct Listener {
    private let server: WebServer

    /// `nil` when it is switched off. A port that is taken is a warning: the work matters more than the look at it.
    static func open(
        _ settings: ResolvedSettings, metrics: Metrics, health: Health, log: Log
    ) throws -> Listener? {
        guard settings[ListenerSettings.isOn] else { return nil }
        let address = settings[ListenerSettings.address]
        var configuration = WebServer.Configuration()
        configuration.address = address.address.text
        configuration.port = UInt16(address.port)
        configuration.threads = 1
        var router = Router()
        router.get("/metrics") { _ in
            .now(ServerResponse(contentType: Metrics.contentType, bytes: Array(metrics.text().utf8)))
        }
        router.get("/health/live") { _ in
            let report = health.report()
            return .now(.json(report.json, status: report.isAlive ? 200 : 503))
        }
        router.get("/health/ready") { _ in
            let report = health.report()
            return .now(.json(report.json, status: report.isReady ? 200 : 503))
        }
        let routes = router
        do {
            let server = try WebServer(configuration) { routes.answer(to: $0) }
            log.info("Health and metrics are served", .field("url", server.baseURL))
            return Listener(server: server)
        } catch {
            log.warning(
                "Health and metrics can't be served; set SALLYPORT_HTTP_LISTEN to another address", .cause(error))
            return nil
        }
    }

    func stop() async { await server.stop(within: .seconds(1)) }
}
