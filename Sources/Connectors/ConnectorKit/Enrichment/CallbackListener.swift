// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import JSON
import OpenCTI

/// Takes requests over HTTP from the platform's worker and answers once each is durable here.
///
/// `POST <path>` → 202, 401 for a wrong token, 400 for what is no JSON object, 503 when too many wait (the worker comes
/// again); `GET /health` → 200. Source: OpenCTI protocol, 5.6.
struct CallbackListener: Sendable {
    private let server: WebServer
    var port: Int { Int(server.port) }

    /// - Parameter certificate: it speaks TLS with one.
    /// - Parameter take: makes the message durable; false when there is no room.
    init(
        address: String, port: Int, path: String, maxBytes: Int, certificate: ServerCertificate?, token: CallbackToken,
        time: any TimeSource, take: @escaping @Sendable ([UInt8]) async throws -> Bool
    ) throws(WebServerError) {
        var configuration = WebServer.Configuration()
        configuration.address = address
        configuration.port = UInt16(clamping: port)
        configuration.maxBodyBytes = maxBytes
        configuration.certificate = certificate
        var router = Router()
        router.get("/health") { _ in .now(.json(Array(#"{"status":"ok"}"#.utf8))) }
        router.post(path) { request in
            guard token.accepts(request.headers["Authorization"], at: time.now) else {
                return .now(.json(Array(#"{"error":"Invalid credentials"}"#.utf8), status: 401))
            }
            guard (try? JSONValue(parsing: request.body))?.object != nil else {
                return .now(.json(Array(#"{"error":"Invalid JSON payload"}"#.utf8), status: 400))
            }
            return .later {
                do {
                    guard try await take(request.body) else {
                        return .json(Array(#"{"error":"Too many requests wait"}"#.utf8), status: 503)
                    }
                    return .json(Array(#"{"message":"Message successfully received"}"#.utf8), status: 202)
                } catch {
                    return .json(Array(#"{"error":"Error processing message"}"#.utf8), status: 500)
                }
            }
        }
        let routes = router
        server = try WebServer(configuration, time: time) { routes.answer(to: $0) }
    }

    func stop() async { await server.stop() }
}
