// SPDX-License-Identifier: Apache-2.0

import Base
import TestKit
import Testing

@testable import HTTPClient

@Suite("Streamed request bodies", .timeLimit(.minutes(1))) struct UploadTests {
    let transport: CurlTransport

    init() throws {
        var configuration = HTTPConfiguration()
        configuration.proxy = .none
        transport = try CurlTransport(configuration: configuration)
    }

    private func send(_ body: HTTPBody, to server: RawServer) async throws(HTTPError) -> HTTPResponse {
        try await transport.send(HTTPRequest(.post, server.url, body: body), by: .after(soon))
    }

    /// Hands the pieces out one by one.
    private func producer(_ pieces: [[UInt8]]) -> @Sendable () async throws -> [UInt8]? {
        let index = Recorder<Void>()
        return {
            let position = index.elements.count
            index.append(())
            return position < pieces.count ? pieces[position] : nil
        }
    }

    private static func echo() throws -> RawServer {
        try RawServer.answering { request in
            let framing = request.header("Content-Length") ?? request.header("Transfer-Encoding") ?? "none"
            return ok("\(framing):\(request.header("Content-Type") ?? "none"):\(request.text)")
        }
    }

    private func text(_ response: HTTPResponse) -> String { String(decoding: response.body, as: UTF8.self) }

    @Test func `a body of known length, and one of unknown length as chunks`() async throws {
        let server = try Self.echo()
        let pieces = ["one ", "", "two ", "three"].map { Array($0.utf8) }
        #expect(text(try await send(.stream(length: 13, producer(pieces)), to: server)) == "13:none:one two three")
        #expect(
            text(try await send(.stream(length: nil, producer(pieces)), to: server)) == "chunked:none:one two three")
        #expect(text(try await send(.stream(length: 0, producer([])), to: server)) == "0:none:")
        #expect(text(try await send(.stream(length: nil, producer([])), to: server)) == "chunked:none:")
        #expect(server.connections == 1)
    }

    @Test func `large pieces arrive whole and in order`() async throws {
        let server = try RawServer.answering {
            ok("\($0.body.count) \($0.body.reduce(into: UInt64(7)) { $0 = $0 &* 31 &+ UInt64($1) })")
        }
        let pieces = (0..<20).map { [UInt8](repeating: UInt8($0), count: 100_001) }
        let sum = pieces.joined().reduce(into: UInt64(7)) { $0 = $0 &* 31 &+ UInt64($1) }
        let response = try await send(.stream(length: nil, producer(pieces)), to: server)
        #expect(text(response) == "2000020 \(sum)")
    }

    @Test func `the producer is asked only as fast as the server reads`() async throws {
        let pulled = Recorder<Void>()
        let turn = BoundedChannel<String>(capacity: 1)
        let server = try RawServer { connection in
            _ = connection.readHead()
            _ = connection.nextTurn(turn)
            while connection.readSome() != nil {}
        }
        let call = Task {
            try await transport.send(
                HTTPRequest(
                    .post, server.url,
                    body: .stream(length: nil) {
                        pulled.append(())
                        return [UInt8](repeating: 1, count: 1 << 20)
                    }), by: .never)
        }
        // The server reads nothing yet. What the sockets hold is at most some MiB; without back-pressure it would never
        // stop, so that a second call over the same thread is enough to see it has.
        await pulled.wait(for: 3)
        let other = try RawServer.answering { _ in ok() }
        for _ in 0..<50 { _ = try await transport.send(HTTPRequest(.get, other.url), by: .after(soon)) }
        let before = pulled.elements.count
        #expect(before < 40)
        try await turn.send("read")
        await pulled.wait(for: before + 40)
        call.cancel()
        await #expect(throws: HTTPError.self) { try await call.value }
    }

    @Test func `a slow producer holds nobody up`() async throws {
        let server = try Self.echo()
        let pieces = BoundedChannel<[UInt8]>(capacity: 1)
        let call = Task { try await send(.stream(length: nil) { await pieces.receive() }, to: server) }
        let other = try RawServer.answering { _ in ok() }
        for word in ["a", "b", "c"] {
            #expect(try await transport.send(HTTPRequest(.get, other.url), by: .after(soon)).status == 200)
            try await pieces.send(Array(word.utf8))
        }
        pieces.finish()
        #expect(text(try await call.value) == "chunked:none:abc")
    }

    @Test(arguments: [["short"], ["just right", "!"], ["much longer than that"]])
    func `a body that is not as long as announced fails and never looks whole`(_ pieces: [String]) async throws {
        let whole = Countdown(1)
        let server = try RawServer { connection in
            guard connection.readHead() != nil, (try? connection.read(10)) != nil else { return }
            _ = whole.takeOne()
            connection.write(ok())
        }
        let error = await #expect(throws: HTTPError.self) {
            try await send(.stream(length: 10, producer(pieces.map { Array($0.utf8) })), to: server)
        }
        #expect(error?.code == "http.upload" && error?.isRetryable == false)
        #expect(whole.takeOne())
    }

    @Test func `a producer that fails ends the call`() async throws {
        struct DiskGone: Error, CustomStringConvertible { let description = "the disk is gone" }
        let server = try RawServer { $0.waitForEnd() }
        let isFirst = Countdown(1)
        let error = await #expect(throws: HTTPError.self) {
            try await send(
                .stream(length: nil) {
                    guard isFirst.takeOne() else { throw DiskGone() }
                    return [1, 2, 3]
                }, to: server)
        }
        #expect(error?.code == "http.upload" && error?.description.contains("the disk is gone") == true)
    }

    @Test func `an answer before the body's end ends the producer`() async throws {
        let server = try RawServer { connection in
            _ = connection.readHead()
            connection.write("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            connection.waitForEnd()
        }
        let never = BoundedChannel<[UInt8]>(capacity: 1)
        let response = try await send(.stream(length: nil) { await never.receive() }, to: server)
        #expect(response.status == 413)
    }

    @Test func `a stream whose head comes before the body's end breaks rather than hangs`() async throws {
        let server = try RawServer { connection in
            _ = connection.readHead()
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.waitForEnd()
        }
        let never = BoundedChannel<[UInt8]>(capacity: 1)
        let request = HTTPRequest(.post, server.url, body: .stream(length: nil) { await never.receive() })
        let stream = try await transport.open(request, by: .after(soon))
        let error = await #expect(throws: HTTPError.self) { try await stream.next() }
        #expect(error?.code == "http.upload")
    }

    @Test func `multipart in memory and streamed look the same`() async throws {
        let server = try Self.echo()
        let file = Array("MZ\u{0}\r\n--".utf8)
        func parts(_ source: HTTPBody.Part.Source) -> [HTTPBody.Part] {
            [
                .init(name: "na\"me", body: .bytes(Array("value".utf8))),
                .init(name: "file", fileName: "a\r\nb.exe", contentType: "application/x-dosexec", body: source),
            ]
        }
        func expected(_ boundary: Substring) -> String {
            "--\(boundary)\r\nContent-Disposition: form-data; name=\"na%22me\"\r\n\r\nvalue\r\n"
                + "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%0D%0Ab.exe\"\r\n"
                + "Content-Type: application/x-dosexec\r\n\r\nMZ\u{0}\r\n--\r\n--\(boundary)--\r\n"
        }
        for (source, isLengthKnown) in [
            (.bytes(file), true), (.stream(length: Int64(file.count), producer([file])), true),
            (.stream(length: nil, producer([file])), false),
        ] as [(HTTPBody.Part.Source, Bool)] {
            let answer = text(try await send(.multipart(parts(source)), to: server))
            let fields = answer.split(separator: ":", maxSplits: 2)
            #expect(fields[1].hasPrefix("multipart/form-data; boundary="))
            let body = expected(fields[1].dropFirst("multipart/form-data; boundary=".count))
            #expect(fields[2] == body)
            #expect(fields[0] == (isLengthKnown ? "\(body.utf8.count)" : "chunked"))
        }
    }
}
