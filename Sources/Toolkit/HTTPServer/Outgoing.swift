// SPDX-License-Identifier: Apache-2.0

import CMicroHTTPD

#if canImport(Glibc)
    import Glibc
#endif

/// An answer in the form in which libmicrohttpd takes it.
struct Outgoing {
    private let status: Int
    private var headers: ServerHeaders
    private let bytes: [UInt8]
    /// The whole length where it is known although the body is pulled.
    private let announcedBytes: Int?
    let stream: (any ResponseBody)?

    init(_ response: ServerResponse, acceptsGzip: Bool, isLast: Bool) {
        status = response.status
        headers = response.headers
        if isLast, headers["Connection"] == nil { headers["Connection"] = "close" }
        switch response.body {
        case .stream(let body):
            bytes = []
            announcedBytes = nil
            stream = body
        case .bytes(var whole):
            if acceptsGzip, response.isCompressible, whole.count >= Gzip.smallest, headers["Content-Encoding"] == nil,
                let compressed = Gzip.compress(whole)
            {
                whole = compressed
                headers["Content-Encoding"] = "gzip"
                headers["Vary"] = "Accept-Encoding"
            }
            switch response.ending {
            case .reset(let count?), .silence(let count?, _):
                bytes = []
                announcedBytes = whole.count
                stream = BrokenBody(whole.prefix(max(0, count)), then: response.ending)
            default:
                bytes = whole
                announcedBytes = whole.count
                stream = nil
            }
        }
    }

    /// Hands the answer to the library, which then pulls a stream through `exchange`.
    func queue(on exchange: Exchange, _ connection: OpaquePointer, blockBytes: Int) -> MHD_Result {
        let response: OpaquePointer?
        if stream == nil {
            response = bytes.withUnsafeBytes { body in
                MHD_create_response_from_buffer(
                    body.count, UnsafeMutableRawPointer(mutating: body.baseAddress), .RESPMEM_MUST_COPY)
            }
        } else {
            // The exchange outlives the response: the library releases it after the last use of either.
            response = MHD_create_response_from_callback(
                announcedBytes.map { UInt64($0) } ?? UInt64.max, blockBytes,
                { context, _, buffer, room in
                    guard let context, let buffer else { return -2 }
                    let exchange = Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
                    return exchange.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: room))
                }, Unmanaged.passUnretained(exchange).toOpaque(), nil)
        }
        guard let response else { return .NO }
        defer { MHD_destroy_response(response) }
        for field in headers.fields { MHD_add_response_header(response, field.name, field.value) }
        return MHD_queue_response(connection, UInt32(status), response)
    }

    /// Writes the answer past the library, which has no way to send a reason phrase of one's own; the connection must be
    /// closed after it. Small answers only: what does not fit the socket's buffer is lost.
    func writeRaw(reason: String, to socket: Int32) {
        let phrase = reason.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : String($0) }.joined()
        var head = "HTTP/1.1 \(status) \(phrase)\r\n"
        for field in headers.fields where !["connection", "content-length"].contains(field.name.lowercased()) {
            head += "\(field.name): \(field.value)\r\n"
        }
        head += "Content-Length: \(bytes.count)\r\nConnection: close\r\n\r\n"
        let message = Array(head.utf8) + bytes
        _ = Glibc.send(socket, message, message.count, Int32(MSG_NOSIGNAL))
    }

    /// Resets a connection. What was sent before goes out first.
    static func abort(_ socket: Int32) {
        guard socket >= 0 else { return }
        var yes: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        sp_socket_abort(socket)
    }
}
