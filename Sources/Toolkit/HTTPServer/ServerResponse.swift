// SPDX-License-Identifier: Apache-2.0

/// What a handler answers.
public struct ServerResponse: Sendable {
    public enum Body: Sendable {
        case bytes([UInt8])
        /// Sent in chunks, pulled as fast as the client takes them. Never compressed.
        case stream(any ResponseBody)
    }

    /// How the answer ends. All but `complete` are for simulators, which must fail the way networks do.
    public enum Ending: Sendable, Hashable {
        case complete
        /// The connection is reset after so many bytes of the body; `nil`: before a single byte of the answer.
        case reset(afterBytes: Int?)
        /// Nothing more is sent after so many bytes of the body (`nil`: not even the head) while the connection stays
        /// open; it is reset after `duration`.
        case silence(afterBytes: Int?, lasting: Duration)
    }

    public var status: Int
    public var headers: ServerHeaders
    public var body: Body
    /// The answer is held back so long, without a thread waiting for it.
    public var delay: Duration = .zero
    public var ending: Ending = .complete
    /// The reason phrase of the status line instead of the usual one. The connection closes after such an answer, and
    /// its body must be bytes.
    public var reason: String?
    /// Whether bytes may be sent gzip-encoded to a client that accepts it.
    public var isCompressible = true

    public init(status: Int = 200, headers: ServerHeaders = [:], body: Body = .bytes([])) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    public init(status: Int = 200, contentType: String, bytes: [UInt8]) {
        self.init(status: status, headers: ["Content-Type": contentType], body: .bytes(bytes))
    }

    /// `text/plain; charset=utf-8`.
    public static func text(_ text: String, status: Int = 200) -> ServerResponse {
        ServerResponse(status: status, contentType: "text/plain; charset=utf-8", bytes: Array(text.utf8))
    }

    /// `application/json` from bytes that are JSON already.
    public static func json(_ bytes: [UInt8], status: Int = 200) -> ServerResponse {
        ServerResponse(status: status, contentType: "application/json", bytes: bytes)
    }

    /// A body produced piece by piece by a task: `next` is called again when the client has taken the last piece, and
    /// `nil` ends the body. When the client is gone or the server stops, the task of a running call is cancelled.
    public static func stream(
        status: Int = 200, contentType: String, _ next: @escaping @Sendable () async -> [UInt8]?
    ) -> ServerResponse {
        ServerResponse(
            status: status, headers: ["Content-Type": contentType], body: .stream(AsyncResponseBody(next: next)))
    }
}

/// A handler's answer: at once, on the server's own thread (so it must not block), or later, from a task.
public enum Answer: Sendable {
    case now(ServerResponse)
    case later(@Sendable () async -> ServerResponse)
}

/// Called with each request once its body has arrived.
public typealias RequestHandler = @Sendable (ServerRequest) -> Answer
