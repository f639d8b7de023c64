// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import Synchronization
import Testing

/// Endless blocks of one byte value, counted.
private final class Endless: ResponseBody {
    private let count = Atomic(0)
    private let closed = Atomic(false)
    var produced: Int { count.load(ordering: .relaxed) }
    var isClosed: Bool { closed.load(ordering: .relaxed) }
    func fill(_ buffer: UnsafeMutableRawBufferPointer, pull: Pull) -> Filled {
        if pull.isStopping { return .end }
        buffer.initializeMemory(as: UInt8.self, repeating: UInt8(ascii: "x"))
        count.add(buffer.count, ordering: .relaxed)
        return .bytes(buffer.count)
    }
    func close() { closed.store(true, ordering: .relaxed) }
}

/// Lines that a test pushes.
private final class Pushed: ResponseBody {
    private struct State {
        var bytes: [UInt8] = []
        var hasEnded = false
        var pull: Pull?
    }
    private let state = Mutex(State())
    func fill(_ buffer: UnsafeMutableRawBufferPointer, pull: Pull) -> Filled {
        state.withLock { state in
            state.pull = pull
            guard !state.bytes.isEmpty else { return state.hasEnded || pull.isStopping ? .end : .wait }
            let count = min(buffer.count, state.bytes.count)
            buffer.copyBytes(from: state.bytes[..<count])
            state.bytes.removeFirst(count)
            return .bytes(count)
        }
    }
    func push(_ text: String?) {
        state.withLock { state in
            if let text { state.bytes += Array(text.utf8) } else { state.hasEnded = true }
            return state.pull
        }?.wake()
    }
    func close() {}
}

@Suite("Streamed answers") struct StreamingTests {
    private func server(_ handler: @escaping RequestHandler) throws -> WebServer {
        var configuration = WebServer.Configuration()
        configuration.threads = 1
        // A busy machine may let a test wait between two requests.
        configuration.idleTimeout = .seconds(3600)
        return try WebServer(configuration, handler: handler)
    }

    private func unchunked(_ bytes: [UInt8]) -> String {
        var rest = bytes[...]
        var text: [UInt8] = []
        while let lineEnd = rest.firstIndex(of: 13) {
            let size = Int(String(decoding: rest[..<lineEnd], as: UTF8.self), radix: 16) ?? 0
            if size == 0 { break }
            text += rest[(lineEnd + 2)..<(lineEnd + 2 + size)]
            rest = rest[(lineEnd + 4 + size)...]
        }
        return String(decoding: text, as: UTF8.self)
    }

    @Test func `pulls a body from a task until its end`() async throws {
        let server = try server { _ in
            let count = Atomic(0)
            return .now(
                .stream(contentType: "text/plain") {
                    let number = count.add(1, ordering: .relaxed).newValue
                    return number == 2 ? [] : number > 1000 ? nil : Array("\(number),".utf8)
                })
        }
        let reply = await RawClient.get("/", port: server.port)
        #expect(reply.header("Transfer-Encoding") == "chunked")
        #expect(unchunked(reply.body) == (1...1000).filter { $0 != 2 }.map { "\($0)," }.joined())
        await server.stop()
    }

    @Test func `sends what a body has before it waits, and goes on when woken`() async throws {
        let body = Pushed()
        let server = try server { _ in .now(ServerResponse(body: .stream(body))) }
        body.push("first\n")
        let client = try #require(RawClient(port: server.port))
        await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        var seen = ""
        while !seen.contains("first") { seen += String(decoding: await client.read(atLeast: 1).bytes, as: UTF8.self) }
        body.push("second\n")
        while !seen.contains("second") { seen += String(decoding: await client.read(atLeast: 1).bytes, as: UTF8.self) }
        body.push(nil)
        let reply = await client.read(atLeast: 5)
        #expect(String(decoding: reply.bytes, as: UTF8.self).hasSuffix("0\r\n\r\n"))
        await server.stop()
    }

    @Test func `produces only what the client takes`() async throws {
        let body = Endless()
        let server = try server { _ in .now(ServerResponse(body: .stream(body))) }
        let client = try #require(RawClient(port: server.port))
        await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        var taken = 0
        // Between server and reader stand the two socket buffers of the kernel and one block.
        while taken < 64 << 20 {
            taken += await client.read(atLeast: 4 << 20).bytes.count
            #expect(body.produced < taken + 16 << 20)
        }
        await server.stop(within: .zero)
        #expect(body.isClosed)
    }

    @Test func `closes a body whose client is gone`() async throws {
        let body = Endless()
        let server = try server { _ in .now(ServerResponse(body: .stream(body))) }
        do {
            let client = try #require(RawClient(port: server.port))
            await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = await client.read(atLeast: 100)
        }
        while !body.isClosed { await Task.yield() }
        await server.stop()
    }

    @Test func `resets before the head, in the middle, and after a silence`() async throws {
        let time = ManualTime()
        var configuration = WebServer.Configuration()
        configuration.threads = 1
        let server = try WebServer(configuration, time: time) { request in
            var response = ServerResponse.text("0123456789")
            switch request.path {
            case "/at-once": response.ending = .reset(afterBytes: nil)
            case "/middle": response.ending = .reset(afterBytes: 4)
            case "/silent": response.ending = .silence(afterBytes: nil, lasting: .seconds(60))
            default: response.ending = .silence(afterBytes: 4, lasting: .seconds(60))
            }
            return .now(response)
        }
        let port = server.port
        let atOnce = await RawClient.get("/at-once", port: port)
        #expect(atOnce.head == "" && atOnce.body == [] && atOnce.end == .reset)
        let middle = await RawClient.get("/middle", port: port)
        #expect(middle.header("Content-Length") == "10" && middle.text == "0123" && middle.end == .reset)
        async let silent = RawClient.get("/silent", port: port)
        async let stalled = RawClient.get("/stalled", port: port)
        await time.sleepers(2)
        time.advance(by: .seconds(60))
        let ends = await (silent, stalled)
        #expect(ends.0.head == "" && ends.0.end == .reset)
        #expect(ends.1.text == "0123" && ends.1.end == .reset)
        await server.stop()
    }

    @Test func `stops orderly: running requests end, new connections are refused`() async throws {
        let gate = BoundedChannel<Void>(capacity: 1)
        let arrived = BoundedChannel<Void>(capacity: 1)
        let server = try server { _ in
            .later {
                try? await arrived.send(())
                _ = await gate.receive()
                return .text("done")
            }
        }
        let port = server.port
        async let reply = RawClient.get("/", port: port)
        _ = await arrived.receive()
        async let stopped: Void = server.stop(within: .seconds(60))
        while RawClient(port: port) != nil { await Task.yield() }
        try await gate.send(())
        #expect(await reply.text == "done")
        await stopped
        await server.stop()
    }

    @Test func `cuts what does not end in time`() async throws {
        let time = ManualTime()
        let arrived = BoundedChannel<Void>(capacity: 1)
        var configuration = WebServer.Configuration()
        configuration.threads = 2
        let server = try WebServer(configuration, time: time) { request in
            if request.path == "/silent" {
                var response = ServerResponse.text("")
                response.ending = .silence(afterBytes: nil, lasting: .seconds(3600))
                return .now(response)
            }
            return .later {
                try? await arrived.send(())
                try? await time.sleep(for: .seconds(3600))
                return .text("too late")
            }
        }
        async let reply = RawClient.get("/", port: server.port)
        async let silent = RawClient.get("/silent", port: server.port)
        _ = await arrived.receive()
        await time.sleepers(2)
        async let stopped: Void = server.stop(within: .seconds(5))
        #expect(await silent.end == .reset)
        // The silent one has gone; what sleeps now is the request in work and the grace.
        await time.sleepers(2)
        time.advance(by: .seconds(5))
        let cut = await reply
        #expect(cut.head == "" && cut.end != .timedOut)
        await stopped
    }
}
