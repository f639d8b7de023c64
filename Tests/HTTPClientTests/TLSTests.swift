// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import Testing

@testable import HTTPClient

@Suite("TLS", .timeLimit(.minutes(1))) struct TLSTests {
    let pki: TestPKI
    let backend: RawServer
    let front: TLSFront

    init() throws {
        pki = try TestPKI.shared.get()
        backend = try RawServer { connection in
            let facts = connection.readLine() ?? ""
            while let request = try connection.readRequest() { connection.write(ok(request.target + " " + facts)) }
        }
        front = try TLSFront(backend, pki, client: "optional")
    }

    private func get(
        _ url: String, redirects: HTTPRequest.Redirects = .refuse, _ change: (inout TLSConfiguration) -> Void
    ) async throws -> String {
        var configuration = HTTPConfiguration()
        configuration.proxy = .none
        change(&configuration.tls)
        let transport = try CurlTransport(configuration: configuration)
        var request = HTTPRequest(.get, url)
        request.redirects = redirects
        return String(decoding: try await transport.send(request, by: .after(soon)).body, as: UTF8.self)
    }

    private func code(_ url: String? = nil, _ change: (inout TLSConfiguration) -> Void) async -> ErrorCode? {
        do {
            _ = try await get(url ?? front.url, change)
            return nil
        } catch {
            return (error as? HTTPError)?.code
        }
    }

    private func text(_ path: String) throws -> TLSConfiguration.PEM {
        .text(Secret(try String(contentsOfFile: path, encoding: .utf8)))
    }

    @Test func `an unknown authority is refused by default, and the message says what helps`() async throws {
        let error = await #expect(throws: HTTPError.self) { try await get(front.url) { _ in } }
        #expect(error?.code == "http.tls" && error?.isRetryable == false)
        #expect(error?.description.contains("ssl_verify") == true)
    }

    @Test func `ssl_verify may be off or a bundle`() async throws {
        #expect(try await get(front.url) { $0 = TLSConfiguration(sslVerify: "false") }.hasPrefix("/ "))
        #expect(try await get(front.url) { $0 = TLSConfiguration(sslVerify: pki.authority) }.hasPrefix("/ "))
        #expect(await code { $0 = TLSConfiguration(sslVerify: pki.otherAuthority) } == "http.tls")
    }

    @Test(arguments: [false, true])
    func `authorities come as text or files, one or several, with the system's or instead`(_ system: Bool) async throws
    {
        let ours = try text(pki.authority)
        let other = try text(pki.otherAuthority)
        #expect(await code { ($0.authorities, $0.trustsSystemAuthorities) = ([ours], system) } == nil)
        #expect(await code { ($0.authorities, $0.trustsSystemAuthorities) = ([.file(pki.authority)], system) } == nil)
        #expect(await code { ($0.authorities, $0.trustsSystemAuthorities) = ([other, ours], system) } == nil)
        #expect(await code { ($0.authorities, $0.trustsSystemAuthorities) = ([other], system) } == "http.tls")
    }

    @Test func `the certificate must be for the host`() async throws {
        let url = "https://localhost:\(front.port)/"
        #expect(await code(url) { $0 = TLSConfiguration(sslVerify: pki.authority) } == "http.tls")
        #expect(await code(url) { $0 = TLSConfiguration(sslVerify: "false") } == nil)
    }

    @Test func `a client certificate comes from files or text, with its passphrase`() async throws {
        let strict = try TLSFront(backend, pki, client: "required")
        let phrase = Secret(pki.passphrase)
        let files = TLSConfiguration.ClientCertificate(
            certificate: .file(pki.clientCertificate), key: .file(pki.clientKey), passphrase: phrase)
        let texts = TLSConfiguration.ClientCertificate(
            certificate: try text(pki.clientCertificate), key: try text(pki.clientKey), passphrase: phrase)
        for client in [files, texts] {
            let answer = try await get(strict.url) {
                $0 = TLSConfiguration(sslVerify: pki.authority)
                $0.clientCertificate = client
            }
            #expect(answer.hasSuffix("client=client"))
        }
        var wrong = files
        wrong.passphrase = Secret("wrong")
        #expect(await code(strict.url) { ($0.verifies, $0.clientCertificate) = (false, wrong) } == "http.tls")
        #expect(await code(strict.url) { $0.verifies = false } != nil)
    }

    @Test func `the client certificate does not follow a redirect to another origin`() async throws {
        let away = try TLSFront(backend, pki, client: "optional")
        let redirecting = try RawServer { connection in
            let facts = connection.readLine() ?? ""
            while let request = try connection.readRequest() {
                let target = request.target == "/away" ? away.url + "/end" : "/here?" + facts.filter { $0 != " " }
                if request.target.hasPrefix("/here") {
                    connection.write(ok(request.target + " " + facts))
                } else {
                    connection.write(ok("", "302 Found", headers: ["Location: \(target)"]))
                }
            }
        }
        let front = try TLSFront(redirecting, pki, client: "optional")
        func follow(_ path: String) async throws -> String {
            try await get(front.url + path, redirects: .follow(limit: 2, allowedHosts: [])) {
                $0 = TLSConfiguration(sslVerify: pki.authority)
                $0.clientCertificate = .init(
                    certificate: .file(pki.clientCertificate), key: .file(pki.clientKey),
                    passphrase: Secret(pki.passphrase))
            }
        }
        #expect(try await follow("/same").hasSuffix("client=client"))
        #expect(try await follow("/away").hasSuffix("client="))
    }

    @Test func `an end in the middle of the handshake is a lost connection`() async throws {
        let server = try RawServer { _ = $0.readSome() }
        #expect(await code("https://127.0.0.1:\(server.port)") { _ in } == "http.connection_lost")
    }

    @Test func `plain text where TLS should be is a TLS failure`() async throws {
        let server = try RawServer { connection in
            _ = connection.readSome()
            connection.write("HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.waitForEnd()
        }
        #expect(await code("https://127.0.0.1:\(server.port)") { _ in } == "http.tls")
    }

    @Test func `texts of OpenSSL tell a break from a refusal`() {
        let alert = "OpenSSL SSL_read: error:0A00045C:SSL routines::tlsv13 alert certificate required, errno 0"
        let closed = "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to h:443 "
        let reset = "OpenSSL SSL_read: Connection reset by peer, errno 104"
        #expect(TLSTexts.tellARefusal(alert) && !TLSTexts.tellABreak(alert))
        #expect([closed, reset].allSatisfy { !TLSTexts.tellARefusal($0) && TLSTexts.tellABreak($0) })
    }
}
