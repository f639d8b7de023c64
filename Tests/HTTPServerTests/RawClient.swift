// SPDX-License-Identifier: Apache-2.0

import Base
import Glibc
import Synchronization

/// A TCP client that shows what is really on the wire, resets included.
final class RawClient: Sendable {
    enum End: Sendable, Equatable { case closed, reset, timedOut }
    struct Reply: Sendable {
        let head: String
        let body: [UInt8]
        let end: End?
        var status: Int { Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0 }
        var text: String { String(decoding: body, as: UTF8.self) }
        func header(_ name: String) -> String? {
            head.split(separator: "\r\n").dropFirst().first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
                .map { String($0.dropFirst(name.count + 1).drop { $0 == " " }) }
        }
    }
    private let descriptor: Int32
    private let pending = Mutex<[UInt8]>([])

    init?(port: UInt16) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // What is given back here is closed by `deinit`, as anything else.
        if connected != 0 { return nil }
    }

    deinit { close(descriptor) }

    func send(_ text: String) async { await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async {
        await blocking { [descriptor] in
            var sent = 0
            while sent < bytes.count {
                let count = bytes.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
                }
                if count <= 0 { return }
                sent += count
            }
        }
    }

    /// At least `count` bytes unless the connection ends.
    func read(atLeast count: Int) async -> (bytes: [UInt8], end: End?) {
        await blocking { [self] in
            var bytes = pending.withLock { pending in
                defer { pending = [] }
                return pending
            }
            while bytes.count < count {
                switch receive() {
                case .success(let more): bytes += more
                case .failure(let stop): return (bytes, stop.end)
                }
            }
            return (bytes, nil)
        }
    }

    /// One answer: by its Content-Length, else until the connection ends.
    func reply() async -> Reply {
        await blocking { [self] in
            var bytes = pending.withLock { pending in
                defer { pending = [] }
                return pending
            }
            var end: End?
            func more() -> Bool {
                switch receive() {
                case .success(let piece): bytes += piece
                case .failure(let stop): end = stop.end
                }
                return end == nil
            }
            func headEnd() -> Int? {
                let mark = Array("\r\n\r\n".utf8)
                return bytes.indices.first { bytes[$0...].starts(with: mark) }
            }
            while headEnd() == nil { if !more() { return Reply(head: "", body: bytes, end: end) } }
            let split = headEnd() ?? 0
            let head = String(decoding: bytes[..<split], as: UTF8.self)
            let length = Reply(head: head, body: [], end: nil).header("Content-Length").flatMap { Int($0) }
            while bytes.count < split + 4 + (length ?? .max / 2) { if !more() { break } }
            let stop = min(bytes.count, split + 4 + (length ?? .max / 2))
            pending.withLock { $0 = Array(bytes[stop...]) }
            return Reply(head: head, body: Array(bytes[(split + 4)..<stop]), end: end)
        }
    }

    static func get(_ target: String, port: UInt16, headers: String = "") async -> Reply {
        guard let client = RawClient(port: port) else { return Reply(head: "", body: [], end: .closed) }
        await client.send("GET \(target) HTTP/1.1\r\nHost: x\r\n\(headers)Connection: close\r\n\r\n")
        return await client.reply()
    }

    private struct Stop: Error { let end: End }

    private func receive() -> Result<[UInt8], Stop> {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count > 0 { return .success(Array(buffer[..<count])) }
        if count == 0 { return .failure(Stop(end: .closed)) }
        return .failure(Stop(end: errno == ECONNRESET ? .reset : .timedOut))
    }

    private func blocking<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            startThread(named: "raw-client") { continuation.resume(returning: work()) }
        }
    }
}
