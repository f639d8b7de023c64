// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import HTTPServer
import Testing

@testable import HTTPClient

@Suite("TLS of the server", .timeLimit(.minutes(1))) struct ServerTLSTests {
    let pki: TestPKI

    init() throws { pki = try TestPKI.shared.get() }

    private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    private func server(_ certificate: ServerCertificate) throws -> WebServer {
        var configuration = WebServer.Configuration()
        configuration.certificate = certificate
        return try WebServer(configuration) { request in
            .later { .text("\(request.method) \(request.path) \(request.body.count)") }
        }
    }

    private func get(_ url: String, _ tls: TLSConfiguration, body: Int = 0) async throws -> String {
        var configuration = HTTPConfiguration()
        configuration.proxy = .none
        configuration.tls = tls
        let transport = try CurlTransport(configuration: configuration)
        let request = HTTPRequest(.post, url + "/x", body: .bytes([UInt8](repeating: 0x61, count: body)))
        return String(decoding: try await transport.send(request, by: .after(soon)).body, as: UTF8.self)
    }

    // covers: bus:callback-tls
    @Test func `a client that knows the authority is served, large bodies too`() async throws {
        let server = try server(.init(chain: try text(pki.server), key: Secret(try text(pki.server))))
        #expect(server.baseURL == "https://127.0.0.1:\(server.port)")
        let trusting = TLSConfiguration(sslVerify: pki.authority)
        #expect(try await get(server.baseURL, trusting) == "POST /x 0")
        #expect(try await get(server.baseURL, trusting, body: 500_000) == "POST /x 500000")
        let error = await #expect(throws: HTTPError.self) {
            try await get(server.baseURL, TLSConfiguration(sslVerify: pki.otherAuthority))
        }
        #expect(error?.code == "http.tls")
        await server.stop()
    }

    // covers: key:LISTEN_PROTOCOL_API_SSL_PASSPHRASE
    @Test func `an encrypted key opens with its passphrase`() async throws {
        let chain = try text(pki.clientCertificate)
        let key = Secret(try text(pki.clientKey))
        let server = try server(.init(chain: chain, key: key, passphrase: Secret(pki.passphrase)))
        #expect(try await get(server.baseURL, TLSConfiguration(sslVerify: "false")) == "POST /x 0")
        await server.stop()
        for wrong in [nil, Secret("wrong")] {
            let error = #expect(throws: WebServerError.self) {
                try self.server(.init(chain: chain, key: key, passphrase: wrong))
            }
            #expect(error?.code == "http_server.bad_certificate" && error?.isRetryable == false)
        }
    }

    // covers: bus:callback-tls-wrong
    @Test func `what does not fit each other does not start`() throws {
        let (one, other) = (try text(pki.server), Secret(try text(pki.clientKey)))
        #expect(throws: WebServerError.self) {
            try server(.init(chain: one, key: other, passphrase: Secret(pki.passphrase)))
        }
        #expect(throws: WebServerError.self) { try server(.init(chain: "no text of that kind", key: Secret(one))) }
        #expect(throws: WebServerError.self) { try server(.init(chain: one, key: Secret(""))) }
    }
}
