// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import Testing

@Suite("Web server") struct WebServerTests {
    private func server(
        address: String = "127.0.0.1", maxBody: Int = 1 << 20, maxHeader: Int = 32 << 10,
        time: any TimeSource = SystemTime(), _ handler: @escaping RequestHandler
    ) throws -> WebServer {
        var configuration = WebServer.Configuration()
        configuration.threads = 1
        configuration.address = address
        // A busy machine may let a test wait between two requests.
        configuration.idleTimeout = .seconds(3600)
        configuration.maxBodyBytes = maxBody
        configuration.maxHeaderBytes = maxHeader
        return try WebServer(configuration, time: time, handler: handler)
    }

    @Test func `gives the handler the whole request and the client the whole answer`() async throws {
        let server = try server { request in
            let parts = [
                request.method, request.path, request.query.all("x").joined(separator: "|"), request.rawQuery,
                request.headers["x-custom"] ?? "", String(decoding: request.body, as: UTF8.self), request.peer,
            ]
            var response = ServerResponse.text(parts.joined(separator: "\n"), status: 201)
            response.headers["X-Answer"] = "yes"
            return .now(response)
        }
        let client = try #require(RawClient(port: server.port))
        await client.send(
            "POST /a%20b/%C3%A9?x=1%2B1&x=a+b&y HTTP/1.1\r\nHost: h\r\nX-Custom: v\r\nContent-Length: 5\r\n\r\nhello")
        let reply = await client.reply()
        #expect(reply.status == 201)
        #expect(reply.header("X-Answer") == "yes")
        #expect(reply.text == "POST\n/a b/é\n1+1|a b\nx=1%2B1&x=a+b&y\nv\nhello\n127.0.0.1")
        await server.stop()
    }

    @Test func `serves many requests over one connection`() async throws {
        let server = try server { .now(.text($0.path)) }
        let client = try #require(RawClient(port: server.port))
        for number in 0..<50 {
            await client.send("GET /\(number) HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(await client.reply().text == "/\(number)")
        }
        await server.stop()
    }

    @Test func `answers from a task`() async throws {
        let server = try server { request in
            .later {
                await Task.yield()
                return .text("later \(request.path)")
            }
        }
        #expect(await RawClient.get("/x", port: server.port).text == "later /x")
        await server.stop()
    }

    @Test func `sends a HEAD answer without its body`() async throws {
        let server = try server { _ in .now(.text("hello")) }
        let client = try #require(RawClient(port: server.port))
        await client.send("HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        let (bytes, _) = await client.read(atLeast: .max)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("Content-Length: 5"))
        #expect(text.hasSuffix("\r\n\r\n"))
        await server.stop()
    }

    @Test(arguments: [true, false]) func `refuses a body beyond the limit`(_ isChunked: Bool) async throws {
        let server = try server(maxBody: 1000) { .now(.text("\($0.body.count)")) }
        let client = try #require(RawClient(port: server.port))
        let body = String(repeating: "x", count: 1001)
        let head = "POST / HTTP/1.1\r\nHost: h\r\n"
        let tooLong =
            isChunked
            ? "Transfer-Encoding: chunked\r\n\r\n3e9\r\n\(body)\r\n0\r\n\r\n" : "Content-Length: 1001\r\n\r\n\(body)"
        await client.send(head + tooLong)
        let reply = await client.reply()
        #expect(reply.status == 413)
        #expect(reply.text.contains("1000 bytes"))
        // The connection goes on, and a body of exactly the limit passes.
        await client.send(head + "Content-Length: 1000\r\n\r\n" + body.dropLast())
        #expect(await client.reply().text == "1000")
        await server.stop()
    }

    @Test func `refuses an announced body before the client sends it`() async throws {
        let server = try server(maxBody: 1000) { _ in .now(.text("no")) }
        let client = try #require(RawClient(port: server.port))
        await client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
        #expect(await client.reply().status == 413)
        await server.stop()
    }

    @Test func `refuses a head beyond the limit`() async throws {
        let server = try server(maxHeader: 2000) { _ in .now(.text("no")) }
        let long = "X-Long: " + String(repeating: "x", count: 2000) + "\r\n"
        #expect(await RawClient.get("/", port: server.port, headers: long).status == 431)
        #expect(await RawClient.get("/", port: server.port, headers: "X-Short: x\r\n").status == 200)
        await server.stop()
    }

    @Test func `compresses for clients that accept it`() async throws {
        let text = String(repeating: "0123456789", count: 1000)
        let server = try server { request in
            var response = ServerResponse.text(request.path == "/short" ? "short" : text)
            response.isCompressible = request.path != "/plain"
            return .now(response)
        }
        let accepting = "Accept-Encoding: br, gzip;q=0.5\r\n"
        let compressed = await RawClient.get("/", port: server.port, headers: accepting)
        #expect(compressed.header("Content-Encoding") == "gzip")
        #expect(compressed.body.starts(with: [0x1F, 0x8B]))
        #expect(compressed.body.count < text.utf8.count / 4)
        // The last four bytes of a gzip stream are the length of what went in.
        #expect(compressed.body.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) } == text.utf8.count)
        #expect(await RawClient.get("/", port: server.port).text == text)
        #expect(
            await RawClient.get("/", port: server.port, headers: "Accept-Encoding: gzip;q=0\r\n").text == text)
        #expect(await RawClient.get("/short", port: server.port, headers: accepting).text == "short")
        #expect(await RawClient.get("/plain", port: server.port, headers: accepting).text == text)
        await server.stop()
    }

    @Test func `sends a reason phrase of its own and closes`() async throws {
        let server = try server { _ in
            var response = ServerResponse(status: 410)
            response.reason = "This live stream is stopped\r\nX-Evil: 1"
            return .now(response)
        }
        let client = try #require(RawClient(port: server.port))
        await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        let (bytes, end) = await client.read(atLeast: .max)
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n")
        #expect(lines.first == "HTTP/1.1 410 This live stream is stopped  X-Evil: 1")
        #expect(lines.contains("Content-Length: 0"))
        #expect(end == .closed)
        await server.stop()
    }

    @Test func `delays answers without holding a thread`() async throws {
        let time = ManualTime()
        let server = try server(time: time) { request in
            var response = ServerResponse.text(request.path)
            response.delay = request.path == "/prompt" ? .zero : .milliseconds(100)
            return .now(response)
        }
        let port = server.port
        try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<20 { group.addTask { await RawClient.get("/\(number)", port: port).text } }
            await time.sleepers(20)
            // One thread, twenty answers held back: it still serves others.
            #expect(await RawClient.get("/prompt", port: port).text == "/prompt")
            #expect(server.activeRequests == 20)
            time.advance(by: .milliseconds(100))
            var answered: Set<String> = []
            for try await text in group { answered.insert(text) }
            #expect(answered == Set((0..<20).map { "/\($0)" }))
        }
        await server.stop()
    }

    @Test func `names the port that is taken`() throws {
        let server = try server { _ in .now(.text("")) }
        var configuration = WebServer.Configuration()
        configuration.port = server.port
        let error = #expect(throws: WebServerError.self) {
            try WebServer(configuration) { _ in .now(.text("")) }
        }
        #expect(error?.code == "http_server.address_in_use")
        #expect(error?.description.contains("\(server.port)") == true)
    }

    @Test func `refuses an address that is none`() {
        var configuration = WebServer.Configuration()
        configuration.address = "example.com"
        let error = #expect(throws: WebServerError.self) { try WebServer(configuration) { _ in .now(.text("")) } }
        #expect(error?.code == "http_server.invalid_address")
    }

    @Test func `listens at IPv6 addresses`() throws {
        let server = try server(address: "::1") { _ in .now(.text("")) }
        #expect(server.baseURL == "http://[::1]:\(server.port)")
    }
}
