// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@testable import HTTPClient

@Suite("Failures of an exchange") struct FailureTests {
    private func transport(_ change: (inout HTTPConfiguration) -> Void = { _ in }) throws -> CurlTransport {
        var configuration = HTTPConfiguration()
        configuration.proxy = .none
        change(&configuration)
        return try CurlTransport(configuration: configuration)
    }

    private func failure(
        of request: HTTPRequest, by deadline: Deadline = .after(soon), on transport: CurlTransport? = nil
    ) async throws -> HTTPError? {
        let transport = try transport ?? self.transport()
        return await #expect(throws: HTTPError.self) { try await transport.send(request, by: deadline) }
    }

    @Test func `nobody listens`() async throws {
        let port = try RawServer { _ in }.port
        // The server is gone by now, and its port free.
        let error = try await failure(of: HTTPRequest(.get, "http://127.0.0.1:\(port)/x?key=secret"))
        #expect(error?.code == "http.connect" && error?.isRetryable == true)
        #expect(error?.description.contains("127.0.0.1:\(port)/x:") == true)
        #expect(error?.description.contains("secret") == false)
    }

    @Test func `the name does not resolve`() async throws {
        // Too long a label for any resolver, so that no network is asked.
        let host = String(repeating: "a", count: 70) + ".test"
        let error = try await failure(of: HTTPRequest(.get, "http://\(host)/x"))
        #expect(error?.code == "http.dns" && error?.isRetryable == true && error?.description.contains(host) == true)
    }

    @Test func `the server changes the protocol unasked`() async throws {
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            connection.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbytes")
        }
        #expect(try await failure(of: HTTPRequest(.get, server.url))?.code == "http.connection_lost")
        let opened = await #expect(throws: HTTPError.self) {
            try await transport().open(HTTPRequest(.get, server.url), by: .after(soon))
        }
        #expect(opened?.code == "http.connection_lost")
    }

    @Test(arguments: ["", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
    func `the connection is reset`(_ sent: String) async throws {
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            connection.write(sent)
            connection.reset()
        }
        let error = try await failure(of: HTTPRequest(.get, server.url))
        #expect(error?.code == "http.connection_lost" && error?.isRetryable == true)
    }

    // covers: fault:cut
    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        "this is no HTTP\r\n\r\n",
    ])
    func `the answer is cut or malformed`(_ sent: String) async throws {
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            connection.write(sent)
        }
        #expect(try await failure(of: HTTPRequest(.get, server.url))?.code == "http.connection_lost")
    }

    @Test func `a POST is not sent again when the connection breaks under it`() async throws {
        let answers = Countdown(1)
        let repeated = Countdown(1)
        let server = try RawServer { connection in
            while try connection.readRequest() != nil {
                // The first answer leaves a connection in the pool, the second request on it is lost.
                if connection.number > 0 { _ = repeated.takeOne() }
                guard answers.takeOne() else { return connection.reset() }
                connection.write(ok())
            }
        }
        let transport = try transport()
        let request = HTTPRequest(.post, server.url, body: .bytes([1]))
        #expect(try await transport.send(request, by: .after(soon)).status == 200)
        #expect(try await failure(of: request, on: transport)?.code == "http.connection_lost")
        #expect(repeated.takeOne(), "a second connection carried the request again")
    }

    @Test func `an idempotent request is`() async throws {
        let answers = Countdown(1)
        let server = try RawServer { connection in
            while try connection.readRequest() != nil {
                guard connection.number > 0 || answers.takeOne() else { return connection.reset() }
                connection.write(ok())
            }
        }
        let transport = try transport()
        let request = HTTPRequest(.put, server.url, body: .bytes([1]))
        #expect(try await transport.send(request, by: .after(soon)).status == 200)
        #expect(try await transport.send(request, by: .after(soon)).status == 200)
        #expect(server.connections == 2)
    }

    @Test(arguments: [true, false])
    func `a body beyond the limit is not kept`(_ isAnnounced: Bool) async throws {
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\(isAnnounced ? "Content-Length: 100000000\r\n" : "")\r\n")
            while connection.write([UInt8](repeating: 0, count: 64 << 10)) {}
        }
        var request = HTTPRequest(.get, server.url)
        request.maxResponseBytes = 100_000
        guard case .bodyTooLarge(limit: 100_000, url: _)? = try await failure(of: request) else {
            Issue.record("another error")
            return
        }
    }

    @Test func `a body of exactly the limit is fine`() async throws {
        let server = try RawServer.answering { _ in ok(String(repeating: "x", count: 1000)) }
        var request = HTTPRequest(.get, server.url)
        request.maxResponseBytes = 1000
        #expect(try await transport().send(request, by: .after(soon)).body.count == 1000)
    }

    @Test func `a head beyond the limit`() async throws {
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n")
            while connection.write(Array("X-Fill: \(String(repeating: "y", count: 500))\r\n".utf8)) {}
        }
        #expect(try await failure(of: HTTPRequest(.get, server.url))?.code == "http.body_too_large")
    }

    @Test func `gzip is unpacked, its bombs are not`() async throws {
        let small = try shell("printf 'hello, hello, hello' | gzip -c")
        let bomb = try shell("head -c 20000000 /dev/zero | gzip -c")
        let server = try RawServer { connection in
            while let request = try connection.readRequest() {
                let body = request.target == "/bomb" ? bomb : small
                connection.write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: \(body.count)\r\n\r\n")
                connection.write(body)
            }
        }
        let transport = try transport()
        let response = try await transport.send(HTTPRequest(.get, server.url), by: .after(soon))
        #expect(response.body == Array("hello, hello, hello".utf8))
        var request = HTTPRequest(.get, server.url + "/bomb")
        request.maxResponseBytes = 1 << 20
        #expect(try await failure(of: request, on: transport)?.code == "http.body_too_large")
        let head = try await transport.send(HTTPRequest(.head, server.url + "/none"), by: .after(soon))
        #expect(head.body == [])
    }

    @Test(arguments: [false, true])
    func `gzip that is cut or corrupt`(_ isCut: Bool) async throws {
        var body = try shell("seq 1 10000 | gzip -c")
        if isCut { body.removeLast(9) } else { for index in 100..<200 { body[index] ^= 0x55 } }
        let server = try RawServer { [body] connection in
            _ = try connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: \(body.count)\r\n\r\n")
            connection.write(body)
        }
        #expect(try await failure(of: HTTPRequest(.get, server.url))?.code == "http.connection_lost")
    }

    // covers: bug:21, fault:half-open
    @Test(arguments: ["deadline", "head", "idle", "total"])
    func `silence ends the call`(_ bound: String) async throws {
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            if bound == "idle" { connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") }
            connection.waitForEnd()
        }
        let moment = Duration.milliseconds(50)
        let transport = try transport {
            if bound == "head" { $0.timeouts.head = moment }
            if bound == "total" { $0.timeouts.total = moment }
        }
        var request = HTTPRequest(.get, server.url)
        if bound == "idle" { request.idleTimeout = moment }
        let error = try await failure(
            of: request, by: bound == "deadline" ? .after(moment) : .never, on: transport)
        #expect(error?.code == "http.timeout" && error?.isRetryable == true)
    }

    @Test func `a server that never finishes the TLS handshake`() async throws {
        let server = try RawServer { $0.waitForEnd() }
        let transport = try transport { $0.timeouts.connect = .milliseconds(50) }
        let error = try await failure(of: HTTPRequest(.get, "https://127.0.0.1:\(server.port)/"), on: transport)
        guard case .timedOut(_, .connect)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `cancelling the task ends the call and closes the connection`() async throws {
        let hasArrived = BoundedChannel<Void>(capacity: 1)
        let hasClosed = BoundedChannel<Void>(capacity: 1)
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            _ = hasArrived.offer(())
            connection.waitForEnd()
            _ = hasClosed.offer(())
        }
        let transport = try transport()
        let call = Task { try await transport.send(HTTPRequest(.get, server.url), by: .never) }
        _ = await hasArrived.receive()
        call.cancel()
        await #expect(throws: HTTPError.self) { try await call.value }
        _ = await hasClosed.receive()
        let late = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await transport.send(HTTPRequest(.get, server.url), by: .never)
        }
        await #expect(throws: HTTPError.self) { try await late.value }
        #expect(server.connections == 1)
    }
}
