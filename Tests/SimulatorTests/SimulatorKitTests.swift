// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import HTTPServer
import JSON
import SimulatorKit
import Synchronization
import Testing

/// A vendor with one resource: `POST /things` counts, `GET /things` tells the count, `GET /stream` sends a thousand bytes.
private final class Echo: SimulatedVendor {
    private let count = Mutex(0)

    func operation(of request: ServerRequest) -> String { "\(request.method.lowercased())_thing" }

    func answer(to request: ServerRequest, operation: String) -> Answer {
        switch (request.method, request.path) {
        case ("POST", _):
            return .later {
                self.count.withLock { $0 += 1 }
                return .json(["body": .int(request.body.count)], status: 201)
            }
        case ("GET", "/stream"):
            let sent = Mutex(0)
            return .now(
                .stream(contentType: "text/plain") {
                    let line = sent.withLock { sent -> Int? in
                        sent += 1
                        return sent > 100 ? nil : sent
                    }
                    return line == nil ? nil : Array("123456789\n".utf8)
                })
        default: return .now(.json(["count": .int(count.withLock { $0 })]))
        }
    }

    func refusal(status: Int, message: String?, retryAfter: Int) -> ServerResponse {
        var response = ServerResponse.json(["problem": .string(message ?? "usual")], status: status)
        response.headers["Retry-After"] = "\(retryAfter)"
        return response
    }

    func administer(_ router: inout Router) {
        router.get("/_admin/own") { _ in .now(.text("own")) }
    }

    func reset() { count.withLock { $0 = 0 } }
}

@Suite("Simulator kit") struct SimulatorKitTests {
    private let time = ManualTime()
    private let http: CurlTransport

    init() throws { http = try CurlTransport() }

    private func server(_ faults: String..., latency: Duration = .zero, seed: UInt64 = 1) throws -> SimulatorServer {
        var options = SimulatorOptions()
        options.faults = try faults.map { try FaultRule(parsing: $0) }
        options.latency = latency
        options.seed = seed
        return try SimulatorServer(Echo(), options, clock: SimulatorClock(time))
    }

    private func send(
        _ server: SimulatorServer, _ method: String, _ path: String, _ body: JSONValue? = nil
    ) async throws -> HTTPResponse {
        var request = HTTPRequest(HTTPMethod(rawValue: method), server.baseURL + path)
        if let body { request.body = .bytes(body.bytes) }
        return try await http.send(request, by: .never)
    }

    /// Read with the patience of a test on a busy machine.
    private func stream(_ server: SimulatorServer) async throws -> any HTTPStream {
        var request = HTTPRequest(.get, server.baseURL + "/stream")
        request.idleTimeout = nil
        return try await http.open(request, by: .never)
    }

    private func count(_ server: SimulatorServer) async throws -> Int64? {
        try JSONValue(parsing: try await send(server, "GET", "/things").body)["count"]?.int
    }

    private func json(_ response: HTTPResponse) -> JSONValue { (try? JSONValue(parsing: response.body)) ?? .null }

    @Test func `reads faults as text and as JSON alike`() throws {
        let text = try FaultRule(
            parsing: "status=503, path=/iocs/*, method=post, times=3, probability=0.5, retry_after=9")
        let object = try FaultRule([
            "kind": "status", "argument": 503, "path": "/iocs/*", "method": "POST", "times": 3, "probability": 0.5,
            "retry_after": 9,
        ])
        #expect(text == object)
        #expect(text.times == 3 && text.method == "POST" && text.retryAfter == 9)
        #expect(try FaultRule(parsing: "reset_after,times=*").times == nil)
        #expect(try FaultRule(parsing: "html").argument == 502)
    }

    @Test(arguments: ["", "explode", "status=x", "status=500,speed=1", "cut=10,probability=2", "cut,times=-1"])
    func `says what is wrong with a fault`(_ text: String) {
        let error = #expect(throws: FaultRuleError.self) { try FaultRule(parsing: text) }
        #expect(error?.description.isEmpty == false)
    }

    @Test func `strikes after so many requests, so many times, where told`() async throws {
        let server = try server("status=503,path=/th*s,method=GET,skip=2,times=2", "status=500,path=/other")
        var statuses: [Int] = []
        for _ in 0..<6 { statuses.append(try await send(server, "GET", "/things").status) }
        #expect(statuses == [200, 200, 503, 503, 200, 200])
        #expect(try await send(server, "POST", "/things", [:]).status == 201)
        let struck = try await send(server, "GET", "/other")
        #expect(struck.status == 500 && struck.headers["Retry-After"] == "1" && json(struck)["problem"] == "usual")
        let left = json(try await send(server, "GET", "/_admin/faults"))
        #expect(left[0]?["left"]?.int == 0 && left[0]?["struck"]?.int == 2)
        await server.stop()
    }

    @Test func `strikes by a probability that follows from the seed`() async throws {
        func statuses(_ seed: UInt64) async throws -> [Int] {
            let server = try server("status=500,times=*,probability=0.5", seed: seed)
            var statuses: [Int] = []
            for _ in 0..<40 { statuses.append(try await send(server, "GET", "/things").status) }
            await server.stop()
            return statuses
        }
        let first = try await statuses(7)
        #expect(try await statuses(7) == first)
        #expect(try await statuses(8) != first)
        #expect((5...35).contains(first.count { $0 == 500 }))
    }

    @Test func `applies or not before it breaks the connection`() async throws {
        let server = try server("reset_before,method=POST", "reset_after,method=POST", "cut=3,method=POST")
        for expected: Int64 in [0, 1, 2] {
            await #expect(throws: HTTPError.self) { try await send(server, "POST", "/things", [:]) }
            #expect(try await count(server) == expected)
        }
        #expect(try await send(server, "POST", "/things", [:]).status == 201)
        let counters = json(try await send(server, "GET", "/_admin/counters"))
        #expect(counters["operations"]?["post_thing"]?["statuses"] == ["0": 2, "201": 2])
        await server.stop()
    }

    @Test func `answers many requests late without threads that wait`() async throws {
        let server = try server("latency=50,times=*", latency: .milliseconds(50))
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<16 { group.addTask { try await self.send(server, "POST", "/things", [:]).status } }
            await time.sleepers(16)
            time.advance(by: .milliseconds(100))
            for try await status in group { #expect(status == 201) }
        }
        await server.stop()
    }

    @Test func `keeps a connection half open and lets go of it`() async throws {
        let server = try server("half_open,lasting=30,method=POST")
        async let broken = Result { try await send(server, "POST", "/things", [:]) }
        await time.sleepers(1)
        #expect(try await count(server) == 0)
        time.advance(by: .seconds(30))
        let answer = await broken
        #expect(throws: HTTPError.self) { try answer.get() }
        await server.stop()
    }

    @Test func `cuts, ends and stalls streams after so many bytes`() async throws {
        let server = try server("cut=345,path=/stream", "end=345,path=/stream", "stall=345,path=/stream,lasting=30")
        func read() async throws -> (bytes: Int, isBroken: Bool) {
            let stream = try await self.stream(server)
            var bytes = 0
            do {
                while let piece = try await stream.next() { bytes += piece.count }
                return (bytes, false)
            } catch {
                return (bytes, true)
            }
        }
        let cut = try await read()
        #expect(cut.bytes == 345 && cut.isBroken)
        let ended = try await read()
        #expect(ended.bytes == 345 && !ended.isBroken)
        async let stalled = read()
        await time.sleepers(1)
        time.advance(by: .seconds(30))
        let end = try await stalled
        #expect(end.bytes == 345 && end.isBroken)
        #expect(try await read().bytes == 1000)
        await server.stop()
    }

    @Test func `sends a body slowly`() async throws {
        let server = try server("slow=1000,path=/stream")
        let stream = try await self.stream(server)
        // The body is made in pieces of ten bytes; at a thousand bytes a second each rests for 10 ms.
        var bytes = 0
        while let piece = try await stream.next() {
            bytes += piece.count
            #expect(bytes <= Int(time.uptime.milliseconds) + 10)
            await time.sleepers(1)
            time.advance(by: .milliseconds(10))
        }
        #expect(bytes == 1000)
        await server.stop()
    }

    @Test func `records requests on demand, without secrets`() async throws {
        let server = try server()
        _ = try await send(server, "POST", "/things", ["early": true])
        _ = try await send(server, "POST", "/_admin/recording", ["enabled": true])
        var request = HTTPRequest("PATCH", server.baseURL + "/things?x=1&x=2")
        request.headers["Authorization"] = "Bearer hidden"
        request.body = .bytes(Array(#"{"a":[1]}"#.utf8))
        _ = try await http.send(request, by: .never)
        var form = HTTPRequest(.post, server.baseURL + "/oauth2/token")
        form.body = .bytes(Array("client_secret=hidden".utf8))
        _ = try await http.send(form, by: .never)
        let lines = String(decoding: try await send(server, "GET", "/_admin/requests").body, as: UTF8.self)
        #expect(!lines.contains("hidden") && !lines.contains("early"))
        let first = try JSONValue(parsing: String(lines.split(separator: "\n").first ?? ""))
        #expect(first["method"] == "PATCH" && first["path"] == "/things" && first["query"] == ["x": ["1", "2"]])
        #expect(first["body"] == ["a": [1]] && first["status"]?.int == 200)
        await server.stop()
    }

    @Test func `moves its clock, resets, and says what an admin call lacks`() async throws {
        let server = try server()
        let moved = try await send(server, "POST", "/_admin/clock", ["now": "2030-01-01T00:00:00Z"])
        #expect(json(moved)["now"] == "2030-01-01T00:00:00.000Z")
        #expect(try await send(server, "POST", "/_admin/clock", ["now": "soon"]).status == 400)
        #expect(try await send(server, "POST", "/_admin/script", [["method": "GET"]]).status == 400)
        #expect(try await send(server, "POST", "/_admin/faults", ["kind": "explode"]).status == 400)
        #expect(try await send(server, "GET", "/_admin/nothing").status == 404)
        #expect(try await send(server, "GET", "/_admin/own").body == Array("own".utf8))
        _ = try await send(server, "POST", "/things", [:])
        _ = try await send(server, "POST", "/_admin/faults", ["kind": "status", "times": "*"])
        #expect(try await send(server, "GET", "/things").status == 500)
        _ = try await send(server, "POST", "/_admin/reset")
        #expect(try await count(server) == 0)
        #expect(json(try await send(server, "GET", "/_admin/counters"))["total"]?.int == 1)
        await server.stop()
    }
}

extension Result where Failure == any Error {
    fileprivate init(catching body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
