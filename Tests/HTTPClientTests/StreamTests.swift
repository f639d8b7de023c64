// SPDX-License-Identifier: Apache-2.0

import Base
import Glibc
import Testing

@testable import HTTPClient

@Suite("Streamed answers", .timeLimit(.minutes(1))) struct StreamTests {
    let transport: CurlTransport

    init() throws {
        var configuration = HTTPConfiguration()
        configuration.proxy = .none
        transport = try CurlTransport(configuration: configuration)
    }

    private func open(_ url: String) async throws -> CurlStream {
        let stream = try await transport.open(HTTPRequest(.get, url), by: .after(soon))
        return try #require(stream as? CurlStream)
    }

    private func rest(of stream: any HTTPStream) async throws(HTTPError) -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try await stream.next() { bytes += piece }
        return bytes
    }

    private func waitUntilHeldBack(_ stream: CurlStream) async throws {
        while stream.heldBack == nil {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    /// Bytes that show a gap or a swap.
    private static func pattern(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, size in
            for index in 0..<count { buffer[index] = UInt8(truncatingIfNeeded: index &* 31 &+ index >> 8 &* 7) }
            size = count
        }
    }

    @Test func `gives the head at once and each piece as it comes`() async throws {
        let turn = BoundedChannel<String>(capacity: 1)
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            // The next piece is written only when the one before has been read.
            while let byte = connection.nextTurn(turn) {
                connection.write("\(String(byte.utf8.count, radix: 16))\r\n\(byte)\r\n")
            }
            connection.write("0\r\n\r\n")
        }
        let stream = try await open(server.url)
        #expect(stream.head.status == 200 && stream.head.headers["content-type"] == "text/event-stream")
        for piece in ["id: 1\n\n", "id: 2\n\n", ": heartbeat\n"] {
            try await turn.send(piece)
            #expect(try await stream.next() == Array(piece.utf8))
        }
        turn.finish()
        #expect(try await stream.next() == nil)
        #expect(try await stream.next() == nil)
    }

    // covers: better:back-pressure
    @Test func `holds the server back while nobody reads, and loses nothing`() async throws {
        let body = Self.pattern(16 << 20)
        let server = try RawServer { connection in
            while try connection.readRequest() != nil {
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n")
                connection.write(body)
            }
        }
        let stream = try await open(server.url)
        try await waitUntilHeldBack(stream)
        // Other calls go on meanwhile, and what is held stays within two pieces.
        let other = try RawServer.answering { _ in ok("other") }
        #expect(try await transport.send(HTTPRequest(.get, other.url), by: .after(soon)).body.count == 5)
        #expect(try #require(stream.heldBack) <= 144 << 10)
        var offset = 0
        while let piece = try await stream.next() {
            #expect(piece.count <= 144 << 10)
            #expect(piece.isEqual(to: body, at: offset))
            offset += piece.count
        }
        #expect(offset == body.count)
    }

    @Test func `a compressed stream unpacks within the same bounds`() async throws {
        let packed = try shell("head -c 20000000 /dev/zero | gzip -c")
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: \(packed.count)\r\n\r\n")
            connection.write(packed)
        }
        let stream = try await open(server.url)
        try await waitUntilHeldBack(stream)
        var total = 0
        while let piece = try await stream.next() {
            #expect(piece.count <= 144 << 10)
            total += piece.count
        }
        #expect(total == 20_000_000)
    }

    @Test(arguments: [false, true])
    func `what came before a break is read before the error`(_ isReset: Bool) async throws {
        let hasRead = BoundedChannel<String>(capacity: 1)
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst half")
            // A reset may overtake data on its way, so that one waits for the reader.
            if isReset { _ = connection.nextTurn(hasRead) }
            if isReset { connection.reset() }
        }
        let stream = try await open(server.url)
        #expect(try await stream.next() == Array("first half".utf8))
        try await hasRead.send("go")
        let error = await #expect(throws: HTTPError.self) { try await stream.next() }
        #expect(error?.code == "http.connection_lost")
    }

    @Test func `silence in the body ends the stream`() async throws {
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\n")
            connection.waitForEnd()
        }
        var request = HTTPRequest(.get, server.url)
        request.idleTimeout = .milliseconds(30)
        let stream = try await transport.open(request, by: .after(soon))
        let error = await #expect(throws: HTTPError.self) { try await stream.next() }
        guard case .timedOut(_, .idle)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: ["cancel", "task", "drop"])
    func `ending a stream closes its connection`(_ way: String) async throws {
        let hasClosed = BoundedChannel<Void>(capacity: 1)
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\n")
            connection.waitForEnd()
            _ = hasClosed.offer(())
        }
        var stream: CurlStream? = try await open(server.url)
        switch way {
        case "cancel":
            stream?.cancel()
            stream?.cancel()
            await #expect(throws: HTTPError.self) { try await stream?.next() }
        case "task":
            let reading = Task { [stream] in try await stream?.next() }
            reading.cancel()
            await #expect(throws: HTTPError.self) { try await reading.value }
        default: break
        }
        stream = nil
        _ = await hasClosed.receive()
    }

    @Test func `a stream outlives the transport it came from`() async throws {
        let turn = BoundedChannel<String>(capacity: 1)
        let server = try RawServer { connection in
            _ = try connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\n")
            _ = connection.nextTurn(turn)
            connection.write("late")
        }
        var configuration = HTTPConfiguration()
        configuration.proxy = .none
        var own: CurlTransport? = try CurlTransport(configuration: configuration)
        let stream = try await #require(own).open(HTTPRequest(.get, server.url), by: .after(soon))
        own = nil
        try await turn.send("go")
        #expect(try await rest(of: stream) == Array("late".utf8))
    }

    @Test func `an answer without body ends at once`() async throws {
        let server = try RawServer.answering { _ in "HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n" }
        #expect(try await open(server.url).next() == nil)
    }
}

extension [UInt8] {
    fileprivate func isEqual(to other: [UInt8], at offset: Int) -> Bool {
        offset + count <= other.count
            && withUnsafeBytes { left in
                other.withUnsafeBytes { memcmp(left.baseAddress!, $0.baseAddress! + offset, count) == 0 }
            }
    }
}
