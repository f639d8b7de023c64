// SPDX-License-Identifier: Apache-2.0

import Base
import Dispatch
import Glibc
import Synchronization

/// A server on loopback of which the test writes every byte. Each connection runs the handler on a thread of its own.
final class RawServer: Sendable {
    struct Broken: Error {}

    let port: Int
    private let listener: Int32
    private let accepted = Mutex(0)

    init(_ handler: @escaping @Sendable (RawConnection) throws -> Void) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        guard isBound else { throw Broken() }
        port = Int(UInt16(bigEndian: address.sin_port))
        startThread(named: "raw-accept") { [weak self] in
            while true {
                let peer = accept(listener, nil, nil)
                guard peer >= 0 else { break }
                let number = self?.count() ?? 0
                startThread(named: "raw-peer") {
                    let connection = RawConnection(peer, number: number)
                    try? handler(connection)
                    connection.close()
                }
            }
            Glibc.close(listener)
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    var url: String { "http://127.0.0.1:\(port)" }
    var connections: Int { accepted.withLock { $0 } }

    private func count() -> Int {
        accepted.withLock { count in
            count += 1
            return count - 1
        }
    }

    /// Answers each request of each connection with what `answer` returns, keeping connections alive.
    static func answering(_ answer: @escaping @Sendable (RawRequest) -> String) throws -> RawServer {
        try RawServer { connection in
            while let request = try connection.readRequest() { connection.write(answer(request)) }
        }
    }
}

struct RawRequest: Sendable {
    let method: String
    let target: String
    /// The head as it came, lines ended by `\r\n`.
    let head: String
    let body: [UInt8]
    let connection: Int
    var text: String { String(decoding: body, as: UTF8.self) }

    func header(_ name: String) -> String? {
        for line in head.split(separator: "\r\n").dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts[0].lowercased() == name.lowercased(), parts.count == 2 {
                return parts[1].drop { $0 == " " }.description
            }
        }
        return nil
    }
}

/// One accepted connection, for the thread that serves it.
// Safe because: one thread at a time uses it; a relay makes two of one socket.
final class RawConnection: @unchecked Sendable {
    let number: Int
    fileprivate let peer: Int32
    private var buffer: [UInt8] = []
    private var cursor = 0
    private var isOpen = true

    init(_ peer: Int32, number: Int) {
        self.peer = peer
        self.number = number
    }

    func write(_ text: String) { _ = write(Array(text.utf8)) }

    /// - Returns: false when the client is gone.
    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                send(peer, $0.baseAddress! + offset, bytes.count - offset, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            offset += count
        }
        return true
    }

    /// `nil` at the end of the connection.
    func readSome() -> [UInt8]? {
        if cursor < buffer.count {
            defer { (buffer, cursor) = ([], 0) }
            return Array(buffer[cursor...])
        }
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(peer, &chunk, chunk.count, 0)
        return count > 0 ? Array(chunk[..<count]) : nil
    }

    /// Reads until the client closes.
    func waitForEnd() { while readSome() != nil {} }

    /// A request with its body; `nil` at the end of the connection.
    func readRequest() throws -> RawRequest? {
        guard let head = readHead() else { return nil }
        let line = head.prefix { $0 != "\r\n" }.split(separator: " ")  // "\r\n" is one Character
        guard line.count == 3 else { throw RawServer.Broken() }
        let request = RawRequest(
            method: String(line[0]), target: String(line[1]), head: head, body: [], connection: number)
        let isChunked = request.header("Transfer-Encoding")?.lowercased() == "chunked"
        let body = isChunked ? try readChunks() : try read(Int(request.header("Content-Length") ?? "0") ?? 0)
        return RawRequest(
            method: request.method, target: request.target, head: head, body: body, connection: number)
    }

    /// The head of a request, its empty line included; the body stays unread.
    func readHead() -> String? {
        var head: [UInt8] = []
        while !head.ends(with: "\r\n\r\n".utf8) {
            guard let byte = readByte() else { return nil }
            head.append(byte)
        }
        return String(decoding: head, as: UTF8.self)
    }

    func read(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let some = readSome() else { throw RawServer.Broken() }
            let wanted = min(some.count, count - bytes.count)
            bytes += some[..<wanted]
            (buffer, cursor) = (Array(some[wanted...]), 0)
        }
        return bytes
    }

    private func readChunks() throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            var line = ""
            while !line.hasSuffix("\r\n") {
                guard let byte = readByte() else { throw RawServer.Broken() }
                line.unicodeScalars.append(Unicode.Scalar(byte))
            }
            guard let size = Int(line.dropLast(1), radix: 16) else { throw RawServer.Broken() }
            body += try read(size)
            _ = try read(2)
            if size == 0 { return body }
        }
    }

    private func readByte() -> UInt8? {
        if cursor == buffer.count {
            buffer = []
            cursor = 0
            guard let some = readSome() else { return nil }
            buffer = some
        }
        defer { cursor += 1 }
        return buffer[cursor]
    }

    /// Closes so that the client sees a reset.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        close()
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        Glibc.close(peer)
    }
}

extension Array where Element == UInt8 {
    func ends(with suffix: some Collection<UInt8>) -> Bool {
        count >= suffix.count && self.suffix(suffix.count).elementsEqual(suffix)
    }
}

/// A complete answer with `Content-Length`.
func ok(_ body: String = "", _ status: String = "200 OK", headers: [String] = []) -> String {
    let fields = (headers + ["Content-Length: \(body.utf8.count)"]).joined(separator: "\r\n")
    return "HTTP/1.1 \(status)\r\n\(fields)\r\n\r\n\(body)"
}

extension RawConnection {
    /// Waits for the test's word on what to do next; `nil` when there is none any more. Blocks this connection's thread.
    func nextTurn(_ turns: BoundedChannel<String>) -> String? {
        let answer = Mutex<String?>(nil)
        let hasCome = DispatchSemaphore(value: 0)
        Task {
            let turn = await turns.receive()
            answer.withLock { $0 = turn }
            hasCome.signal()
        }
        hasCome.wait()
        return answer.withLock { $0 }
    }
}

extension RawConnection {
    /// Up to a line feed, without it.
    func readLine() -> String? {
        var line: [UInt8] = []
        while true {
            guard let byte = try? read(1)[0] else { return nil }
            if byte == 0x0A { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
    }

    /// Passes everything on to a port of this machine and back, until either side ends.
    func relay(to port: Int) {
        let other = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(other, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { return }
        let back = RawConnection(other, number: 0)
        let forth = RawConnection(dup(peer), number: 0)
        startThread(named: "relay") {
            while let bytes = back.readSome(), forth.write(bytes) {}
            forth.close()
        }
        while let bytes = readSome(), back.write(bytes) {}
        shutdown(other, Int32(SHUT_RDWR))
    }
}
