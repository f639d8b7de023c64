// SPDX-License-Identifier: Apache-2.0

import Base
import TestKit
import Testing

@testable import HTTPClient

@Suite("Proxies", .timeLimit(.minutes(1))) struct ProxyTests {
    private func transport(_ proxy: String, bypass: String = "", verifies: Bool = false) throws -> CurlTransport {
        var configuration = HTTPConfiguration()
        configuration.proxy = .url(Secret(proxy), bypass: bypass)
        configuration.tls.verifies = verifies
        return try CurlTransport(configuration: configuration)
    }

    private func get(_ url: String, over transport: CurlTransport) async throws -> String {
        let request = HTTPRequest(.get, url, headers: ["Authorization": "Bearer token"])
        return String(decoding: try await transport.send(request, by: .after(soon)).body, as: UTF8.self)
    }

    @Test func `plain requests go to the proxy whole`() async throws {
        let proxy = try RawServer.answering {
            ok("\($0.method) \($0.target) \($0.header("Proxy-Authorization") ?? "")")
        }
        let transport = try transport("http://us%40er:pass@127.0.0.1:\(proxy.port)")
        let answer = try await get("http://target.test/path?q=1", over: transport)
        #expect(answer == "GET http://target.test/path?q=1 Basic dXNAZXI6cGFzcw==")
    }

    @Test func `TLS goes through a tunnel, where each side sees only what is for it`() async throws {
        let heads = Recorder<String>()
        let target = try RawServer { connection in
            _ = connection.readLine()
            while let request = try connection.readRequest() { connection.write(ok(request.head)) }
        }
        let front = try TLSFront(target, TestPKI.shared.get())
        let proxy = try RawServer { connection in
            heads.append(connection.readHead() ?? "")
            connection.write("HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
            connection.relay(to: front.port)
        }
        let transport = try transport("http://user:pass@127.0.0.1:\(proxy.port)")
        let answer = try await get(front.url + "/path", over: transport)
        #expect(answer.hasPrefix("GET /path ") && answer.contains("Bearer token") && !answer.contains("Proxy"))
        let head = try #require(heads.elements.first)
        #expect(head.hasPrefix("CONNECT 127.0.0.1:\(front.port) ") && head.contains("Proxy-Authorization: Basic "))
        #expect(!head.contains("Bearer"))
        #expect(try await get(front.url + "/again", over: transport).hasPrefix("GET /again "))
        #expect(heads.elements.count == 1)
    }

    @Test(arguments: [403, 407, 502])
    func `a proxy that refuses is named as the reason, without its password`(_ status: Int) async throws {
        let proxy = try RawServer { connection in
            while connection.readHead() != nil {
                connection.write("HTTP/1.1 \(status) No\r\nContent-Length: 0\r\n\r\n")
            }
        }
        let transport = try transport("http://user:secret@127.0.0.1:\(proxy.port)")
        let error = await #expect(throws: HTTPError.self) { try await get("https://target.test/", over: transport) }
        #expect(error?.code == "http.proxy")
        #expect(error?.description.contains("\(status)") == true && error?.description.contains("secret") == false)
    }

    @Test func `a proxy that is not there`() async throws {
        let port = try RawServer { _ in }.port
        let transport = try transport("http://127.0.0.1:\(port)")
        for url in ["http://target.test/", "https://target.test/"] {
            let error = await #expect(throws: HTTPError.self) { try await get(url, over: transport) }
            #expect(error?.code == "http.proxy")
        }
    }

    @Test func `what is excepted goes straight`() async throws {
        let server = try RawServer.answering { ok($0.target) }
        let transport = try transport("http://127.0.0.1:1", bypass: "10.0.0.0/8, 127.0.0.0/8")
        #expect(try await get(server.url + "/direct", over: transport) == "/direct")
    }

    @Test func `a proxy that speaks TLS itself`() async throws {
        let backend = try RawServer { connection in
            _ = connection.readLine()
            while let request = try connection.readRequest() { connection.write(ok(request.target)) }
        }
        let front = try TLSFront(backend, TestPKI.shared.get())
        #expect(try await get("http://target.test/x", over: transport(front.url)) == "http://target.test/x")
        let strict = try transport(front.url, verifies: true)
        let error = await #expect(throws: HTTPError.self) { try await get("http://target.test/x", over: strict) }
        #expect(error?.code == "http.tls")
    }

    @Test func `SOCKS5 with names resolved by the proxy, and with a password`() async throws {
        let seen = Recorder<String>()
        let proxy = try RawServer { connection in
            let methods = try connection.read(2)
            let offered = try connection.read(Int(methods[1]))
            if offered.contains(2) {
                _ = connection.write([5, 2])
                let user = try connection.read(Int(connection.read(2)[1]))
                let password = try connection.read(Int(connection.read(1)[0]))
                seen.append(String(decoding: user + [0x3A] + password, as: UTF8.self))
                _ = connection.write([1, 0])
            } else {
                _ = connection.write([5, 0])
            }
            let request = try connection.read(4)
            let host = request[3] == 3 ? try connection.read(Int(connection.read(1)[0])) : try connection.read(4)
            let port = try connection.read(2)
            seen.append("\(String(decoding: host, as: UTF8.self)):\(Int(port[0]) << 8 | Int(port[1]))")
            _ = connection.write([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            while let request = try connection.readRequest() { connection.write(ok(request.target)) }
        }
        let byName = try transport("socks5h://user:pass@127.0.0.1:\(proxy.port)")
        #expect(try await get("http://target.test:8080/x", over: byName) == "/x")
        #expect(seen.elements == ["user:pass", "target.test:8080"])
        let byAddress = try transport("socks5://127.0.0.1:\(proxy.port)")
        #expect(try await get("http://127.0.0.1:81/y", over: byAddress) == "/y")
    }

    @Test func `SOCKS4 with names resolved by the proxy`() async throws {
        let proxy = try RawServer { connection in
            _ = try connection.read(8)
            while try connection.read(1) != [0] {}
            while try connection.read(1) != [0] {}
            _ = connection.write([0, 90, 0, 0, 0, 0, 0, 0])
            while let request = try connection.readRequest() { connection.write(ok(request.target)) }
        }
        let transport = try transport("socks4a://127.0.0.1:\(proxy.port)")
        #expect(try await get("http://target.test/x", over: transport) == "/x")
    }
}
