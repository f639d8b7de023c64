// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import Testing

@testable import HTTPClient

@Suite("Connection settings") struct ConfigurationTests {
    private func proxy(_ url: String, _ environment: [String: String]) throws -> String? {
        try ProxyRules { environment[$0] }.proxy(for: try WebAddress(url))?.url.reveal()
    }

    @Test(
        arguments: [
            (["HTTPS_PROXY": "http://p:1"], "http://p:1", nil), (["HTTP_PROXY": "http://p:1"], nil, "http://p:1"),
            (["ALL_PROXY": "socks5h://p:1"], "socks5h://p:1", "socks5h://p:1"),
            (["all_proxy": "p:1", "https_proxy": "q:2"], "q:2", "p:1"),
            (["HTTPS_PROXY": "upper:1", "https_proxy": "lower:1"], "lower:1", nil),
            (["HTTPS_PROXY": "upper:1", "https_proxy": ""], nil, nil), ([:], nil, nil),
            (["HTTP_PROXY": "p:1", "REQUEST_METHOD": "GET"], nil, nil),
            (["http_proxy": "p:1", "REQUEST_METHOD": "GET"], nil, "p:1"),
            (["HTTPS_PROXY": "p:1", "HTTP_PROXY": "p:1", "NO_PROXY": "h"], nil, nil),
            (["HTTPS_PROXY": "p:1", "NO_PROXY": "H", "no_proxy": "other"], "p:1", nil),
        ] as [([String: String], String?, String?)])
    func `proxies of the environment`(_ environment: [String: String], _ https: String?, _ http: String?) throws {
        #expect(try proxy("https://h/", environment) == https)
        #expect(try proxy("http://h/", environment) == http)
    }

    @Test(arguments: [
        ("p", 80), ("http://u:1@p/", 80), ("HTTPS://p", 443), ("socks5h://p", 1080), ("socks4://p", 1080),
    ])
    func `a proxy without port listens where its kind does`(_ url: String, _ port: Int) throws {
        let rules = try ProxyRules(.url(Secret(url)))
        #expect(rules.proxy(for: try WebAddress("https://h/"))?.defaultPort == port)
    }

    @Test(arguments: ["ftp://p:1", "http://", "http://p:99999", "socks5://user:secret@", "://p"])
    func `a proxy that is none is refused without showing its password`(_ url: String) {
        let error = #expect(throws: HTTPConfigurationError.self) { try ProxyRules { $0 == "ALL_PROXY" ? url : nil } }
        #expect(error?.code == "http_config.proxy" && error?.description.contains("secret") == false)
        #expect(throws: HTTPConfigurationError.self) { try ProxyRules(.url(Secret(url))) }
    }

    @Test(arguments: [
        ("h.test", "h.test", 443, true), ("h.test", "sub.h.test", 443, true), (".h.test", "sub.h.test", 443, true),
        (".h.test", "h.test", 443, true), ("*.h.test", "sub.h.test", 443, true), ("h.test", "evilh.test", 443, false),
        ("h.test", "h.test.evil", 443, false), ("H.Test", "h.test", 443, true), ("h.test.", "h.test", 443, true),
        ("h.test", "h.test.", 443, true), ("h.test:8080", "h.test", 8080, true), ("h.test:8080", "h.test", 443, false),
        ("*", "anything", 1, true), ("10.0.0.0/8", "10.200.3.4", 443, true), ("10.0.0.0/8", "11.0.0.1", 443, false),
        ("192.168.1.0/25", "192.168.1.127", 443, true), ("192.168.1.0/25", "192.168.1.128", 443, false),
        ("0.0.0.0/0", "8.8.8.8", 443, true), ("10.1.2.3", "10.1.2.3", 443, true), ("10.1.2.3", "10.1.2.33", 443, false),
        ("10.1.2.3:81", "10.1.2.3", 80, false), ("fd00::/8", "fd12::1", 443, true), ("fd00::/8", "fe80::1", 443, false),
        ("::1", "::1", 443, true), ("[::1]:8080", "::1", 8080, true), ("[::1]:8080", "::1", 443, false),
        ("0:0:0:0:0:0:0:1", "::1", 443, true), ("10.0.0.0/33", "10.0.0.1", 443, false), ("/8", "10.0.0.1", 443, false),
        ("2.3", "10.1.2.3", 443, false), ("a, b  c,,", "c", 443, true), ("", "h", 443, false), (".", "h", 443, false),
        ("0.0.0.0/0", "::1", 443, false),
    ])
    func `who goes without proxy`(_ list: String, _ host: String, _ port: Int, _ isCovered: Bool) {
        #expect(NoProxy(list).covers(host: host, port: port) == isCovered)
    }

    @Test func `a configured proxy has its own exceptions`() throws {
        let rules = try ProxyRules(.url(Secret("http://u:p@proxy:3128"), bypass: ".inside.test"))
        #expect(rules.proxy(for: try WebAddress("https://api.test/"))?.url.reveal() == "http://u:p@proxy:3128")
        #expect(rules.proxy(for: try WebAddress("http://api.test/")) != nil)
        #expect(rules.proxy(for: try WebAddress("https://x.inside.test/")) == nil)
        #expect(!"\(rules)".contains("p@") && !"\(ProxyConfiguration.url(Secret("u:p@h")))".contains("p@"))
    }

    @Test(
        arguments: [
            ("true", true, nil), ("Yes", true, nil), ("", true, nil), ("1", true, nil), ("on", true, nil),
            ("false", false, nil), ("FALSE", false, nil), ("0", false, nil), ("no", false, nil), (" off ", false, nil),
            ("/etc/ca.pem", true, "/etc/ca.pem"), ("ca.pem", true, "ca.pem"),
        ] as [(String, Bool, String?)])
    func `ssl_verify as the originals have it, in more spellings`(_ text: String, _ verifies: Bool, _ path: String?) {
        let tls = TLSConfiguration(sslVerify: text)
        #expect(tls.verifies == verifies)
        #expect(tls.authorities == (path.map { [.file($0)] } ?? []))
        #expect(tls.trustsSystemAuthorities == (path == nil))
    }

    @Test func `certificates that cannot be read are found at once`() throws {
        let folder = try TemporaryFolder()
        func code(_ change: (inout TLSConfiguration) -> Void) -> ErrorCode? {
            var configuration = HTTPConfiguration()
            configuration.proxy = .none
            change(&configuration.tls)
            do { _ = try CurlTransport(configuration: configuration) } catch { return error.code }
            return nil
        }
        try "no certificate".write(toFile: folder.path("empty"), atomically: true, encoding: .utf8)
        #expect(code { $0.authorities = [.file(folder.path("missing"))] } == "http_config.unreadable_file")
        #expect(code { $0.authorities = [.file(folder.path(""))] } == "http_config.unreadable_file")
        #expect(code { $0.authorities = [.file(folder.path("empty"))] } == "http_config.no_certificate")
        #expect(code { $0.authorities = [.text(Secret("-----BEGIN"))] } == "http_config.no_certificate")
        #expect(code { $0.authorities = [.file("/dev/zero")] } == "http_config.unreadable_file")
        #expect(code { $0.trustsSystemAuthorities = false } == "http_config.no_certificate")
        let pem = Secret("-----BEGIN CERTIFICATE-----\r\nMA==\r\n-----END CERTIFICATE-----\r\n")
        #expect(code { $0.authorities = [.text(pem)] } == nil)
        #expect(code { $0.clientCertificate = .init(certificate: .text(pem)) } == "http_config.no_private_key")
    }
}
