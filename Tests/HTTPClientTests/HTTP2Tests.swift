// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@testable import HTTPClient

/// Just enough HTTP/2 (RFC 9113) to answer requests without reading them.
private struct HTTP2Peer {
    let connection: RawConnection

    /// Takes the client's preface and tells our settings: the defaults, and room for a gigabyte of bodies.
    func greet() throws {
        _ = try connection.read("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8.count)
        connection.write(frame(type: 4, flags: 0, stream: 0))
        connection.write(frame(type: 8, flags: 0, stream: 0, [0x3F, 0, 0, 0]))
    }

    /// The next stream whose request is complete; `nil` at the end of the connection.
    func nextRequest() throws -> UInt32? {
        while true {
            let head: [UInt8]
            do { head = try connection.read(9) } catch { return nil }
            let size = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            let stream = head[5...8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            _ = try connection.read(size)
            switch head[3] {
            case 0 where head[4] & 1 == 1, 1 where head[4] & 1 == 1: return stream
            case 4 where head[4] & 1 == 0: connection.write(frame(type: 4, flags: 1, stream: 0))
            default: break
            }
        }
    }

    func answer(_ stream: UInt32, _ body: String) {
        // 0x88 is `:status: 200` of the static table.
        connection.write(frame(type: 1, flags: 4, stream: stream, [0x88]))
        connection.write(frame(type: 0, flags: 1, stream: stream, Array(body.utf8)))
    }

    private func frame(type: UInt8, flags: UInt8, stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
        let size = [16, 8, 0].map { UInt8(truncatingIfNeeded: payload.count >> $0) }
        let number = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: stream >> UInt32($0)) }
        return size + [type, flags] + number + payload
    }
}

@Suite("HTTP/2", .timeLimit(.minutes(1))) struct HTTP2Tests {
    @Test func `calls share one connection and may be answered in any order, streams have their own`() async throws {
        let count = 5
        let backend = try RawServer { connection in
            guard connection.readLine()?.hasPrefix("alpn=h2") == true else {
                while let request = try connection.readRequest() { connection.write(ok("plain " + request.method)) }
                return
            }
            let peer = HTTP2Peer(connection: connection)
            try peer.greet()
            while true {
                var waiting: [UInt32] = []
                // Nobody is answered before all have asked: without multiplexing this would never end.
                while waiting.count < count {
                    guard let stream = try peer.nextRequest() else { return }
                    waiting.append(stream)
                }
                for stream in waiting.reversed() { peer.answer(stream, "\(connection.number) \(stream)") }
            }
        }
        let front = try TLSFront(backend, TestPKI.shared.get(), alpn: ["h2", "http/1.1"])
        var configuration = HTTPConfiguration()
        configuration.proxy = .none
        configuration.tls.verifies = false
        let transport = try CurlTransport(configuration: configuration)
        for _ in 0..<2 {
            let answers = try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<count {
                    group.addTask {
                        let body: HTTPBody = number % 2 == 0 ? .none : .bytes([UInt8](repeating: 1, count: 60_000))
                        let request = HTTPRequest(number % 2 == 0 ? .get : .post, front.url, body: body)
                        let response = try await transport.send(request, by: .after(soon))
                        #expect(response.status == 200 && response.head.reason.isEmpty)
                        return String(decoding: response.body, as: UTF8.self)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(answers).count == count && answers.allSatisfy { $0.hasPrefix("0 ") })
        }
        let stream = try await transport.open(HTTPRequest(.get, front.url), by: .after(soon))
        #expect(try await stream.next() == Array("plain GET".utf8))
        #expect(backend.connections == 2)
        configuration.offersHTTP2 = false
        let modest = try CurlTransport(configuration: configuration)
        let response = try await modest.send(HTTPRequest(.post, front.url), by: .after(soon))
        #expect(response.body == Array("plain POST".utf8))
    }
}
