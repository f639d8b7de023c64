// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@testable import HTTPClient

let soon = Duration.seconds(50)

@Suite("Exchanges over libcurl") struct ExchangeTests {
    let transport: CurlTransport

    init() throws {
        var configuration = HTTPConfiguration(userAgent: "Sallyport/test")
        configuration.proxy = .none
        transport = try CurlTransport(configuration: configuration)
    }

    private func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
        try await transport.send(request, by: .after(soon))
    }

    @Test func `gives status, reason, fields and body`() async throws {
        let server = try RawServer.answering { _ in
            "HTTP/1.1 418 Short and stout \r\nX-One: 1\r\nx-two:  two words \r\nX-One: again\r\nContent-Length: 3\r\n\r\ntea"
        }
        let response = try await send(HTTPRequest(.get, server.url + "/pot?kind=green"))
        #expect(response.status == 418)
        #expect(response.head.reason == "Short and stout")
        #expect(response.headers.values("x-ONE") == ["1", "again"])
        #expect(response.headers["X-Two"] == "two words")
        #expect(response.body == Array("tea".utf8))
        #expect(response.head.url == server.url + "/pot?kind=green")
    }

    @Test func `sends what the request says and nothing that surprises a server`() async throws {
        let server = try RawServer.answering { ok($0.head + $0.text) }
        var request = HTTPRequest(
            .post, server.url + "/a%2Fb/../c?q=%20", headers: ["Authorization": "Bearer t", "opencti-draft-id": ""],
            body: .bytes(Array("body".utf8)))
        request.headers.append("X-Twice", "1")
        request.headers.append("X-Twice", "2")
        let text = String(decoding: try await send(request).body, as: UTF8.self)
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
        #expect(
            Set(lines) == [
                "POST /a%2Fb/../c?q=%20 HTTP/1.1", "Host: 127.0.0.1:\(server.port)", "User-Agent: Sallyport/test",
                "Accept: */*", "Accept-Encoding: gzip", "Authorization: Bearer t", "opencti-draft-id:", "X-Twice: 1",
                "X-Twice: 2", "Content-Length: 4", "", "body",
            ])
    }

    @Test(
        arguments: [
            ("GET", false, nil), ("HEAD", false, nil), ("DELETE", false, nil), ("POST", false, "0"),
            ("PUT", false, "0"),
            ("PATCH", false, "0"), ("POST", true, "4"), ("PUT", true, "4"), ("PATCH", true, "4"), ("DELETE", true, "4"),
            ("GET", true, "4"), ("QUERY", true, "4"),
        ] as [(String, Bool, String?)])
    func `frames each method as servers expect`(_ method: String, _ hasBody: Bool, _ length: String?) async throws {
        let server = try RawServer.answering { request in
            let answer = "\(request.method) \(request.header("Content-Length") ?? "none") \(request.text)"
            return "HTTP/1.1 200 OK\r\nX-Seen: \(answer)\r\nContent-Length: 0\r\n\r\n"
        }
        let body = hasBody ? HTTPBody.bytes(Array("body".utf8)) : .none
        let response = try await send(HTTPRequest(HTTPMethod(rawValue: method), server.url, body: body))
        #expect(
            response.headers["X-Seen"] == "\(method) \(length ?? "none") \(hasBody ? "body" : "")".trimmed.description)
    }

    @Test func `a request's own user agent and encoding win`() async throws {
        let server = try RawServer.answering { ok("\($0.header("User-Agent")!) \($0.header("Accept-Encoding")!)") }
        let response = try await send(
            HTTPRequest(.get, server.url, headers: ["user-agent": "mine", "accept-encoding": "identity"]))
        #expect(response.body == Array("mine identity".utf8))
    }

    @Test func `uses one connection for calls in turn`() async throws {
        let server = try RawServer.answering { ok("\($0.connection)") }
        for _ in 0..<20 {
            let response = try await send(HTTPRequest(.post, server.url, body: .bytes([1, 2, 3])))
            #expect(response.body == Array("0".utf8))
        }
        #expect(server.connections == 1)
    }

    @Test func `keeps calls at the same time apart`() async throws {
        let server = try RawServer.answering { ok($0.target + $0.text) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<100 {
                group.addTask {
                    let body = String(repeating: "x", count: number * 1000)
                    let request = HTTPRequest(.post, server.url + "/\(number)", body: .bytes(Array(body.utf8)))
                    return try await send(request).body == Array("/\(number)\(body)".utf8)
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
        #expect(server.connections <= 32)
    }

    @Test func `survives calls and streams that are given up at any moment`() async throws {
        let server = try RawServer.answering { request in
            ok(String(repeating: "x", count: request.target == "/large" ? 1 << 20 : 10))
        }
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    let call = Task {
                        let request = HTTPRequest(.get, server.url + (number % 3 == 0 ? "/large" : "/"))
                        guard number % 2 == 0 else {
                            _ = try await transport.send(request, by: .after(soon))
                            return
                        }
                        let stream = try await transport.open(request, by: .after(soon))
                        while try await stream.next() != nil {}
                    }
                    for _ in 0..<number { await Task.yield() }
                    call.cancel()
                    _ = await call.result
                }
            }
        }
        #expect(try await send(HTTPRequest(.get, server.url)).status == 200)
    }

    @Test func `passes over informational answers`() async throws {
        let server = try RawServer.answering { _ in
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok("done", headers: ["X-Last: yes"])
        }
        let response = try await send(HTTPRequest(.get, server.url))
        #expect(response.status == 200 && response.headers["Link"] == nil && response.headers["X-Last"] == "yes")
    }

    @Test func `reads chunked bodies and those that end with the connection`() async throws {
        let server = try RawServer { connection in
            guard let request = try connection.readRequest() else { return }
            if request.target == "/chunked" {
                connection.write(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n")
            } else {
                connection.write("HTTP/1.0 200 OK\r\n\r\nabcde")
            }
        }
        #expect(try await send(HTTPRequest(.get, server.url + "/chunked")).body == Array("abcde".utf8))
        #expect(try await send(HTTPRequest(.get, server.url + "/closed")).body == Array("abcde".utf8))
    }

    @Test func `turns the URL's user info into a header field and shows it nowhere`() async throws {
        let server = try RawServer.answering { ok($0.header("Authorization") ?? "none") }
        let response = try await send(HTTPRequest(.get, "http://us%40er:pass@127.0.0.1:\(server.port)/"))
        #expect(response.body == Array("Basic dXNAZXI6cGFzcw==".utf8))
        #expect(!response.head.url.contains("pass"))
    }

    @Test(arguments: ["", "localhost", "ftp://h/", "http://", "http://h:99999/", "http://a b/", "https://u:secret@:1"])
    func `refuses what is no http URL without showing a secret`(_ url: String) async throws {
        let error = await #expect(throws: HTTPError.self) { try await send(HTTPRequest(.get, url)) }
        #expect(error?.code == "http.invalid_url")
        #expect(error?.description.contains("secret") == false)
    }

    @Test(arguments: ["a\r\nX-Evil: 1", "a\nb", "a\u{0}b"])
    func `refuses header fields that would break the message`(_ value: String) async throws {
        let error = await #expect(throws: HTTPError.self) {
            try await send(HTTPRequest(.get, "http://127.0.0.1:1/", headers: ["X-Key": value]))
        }
        #expect(error?.code == "http.invalid_request")
        #expect(error?.description.contains("Evil") == false)
    }
}
