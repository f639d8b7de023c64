// SPDX-License-Identifier: Apache-2.0

public import Base

/// What every vendor client is built on: production passes ``CurlTransport``, a test a scripted one.
public protocol HTTPTransport: Sendable {
    /// Returns the whole response whatever its status; 4xx and 5xx are for the vendor client to judge.
    ///
    /// The body is bounded by ``HTTPRequest/maxResponseBytes``, also after decompression.
    func send(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> HTTPResponse

    /// Returns once the head has arrived; the body is then read chunk by chunk, as slowly as the caller likes: an unread
    /// body pauses the connection. `deadline` covers the head only; ``HTTPRequest/idleTimeout`` covers the body.
    func open(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> any HTTPStream
}

/// A response whose body is still arriving.
public protocol HTTPStream: Sendable {
    var head: HTTPHead { get }
    /// The next piece of the body, decompressed; `nil` at its regular end.
    ///
    /// - Throws: ``HTTPError`` when the connection breaks or stays silent too long.
    func next() async throws(HTTPError) -> [UInt8]?
    /// Ends the transfer. Safe to call twice and after the end.
    func cancel()
}

public struct HTTPRequest: Sendable {
    public var method: HTTPMethod
    /// Absolute, already percent-encoded.
    public var url: String
    public var headers: HTTPHeaders
    public var body: HTTPBody
    /// Response bodies beyond this fail with ``HTTPError/bodyTooLarge(limit:url:)``. Default 64 MiB.
    public var maxResponseBytes: Int
    /// The longest silence between two pieces of the body. Default 60 s; `nil` for none.
    public var idleTimeout: Duration?
    public var redirects: Redirects
    /// A short constant name for metrics and logs, such as `falcon.indicator_create`. Never holds ids or secrets.
    public var operation: String

    /// Redirects keep method and body on 307 and 308, turn into GET on 303 (and on 301 and 302 after POST), and never
    /// carry `Authorization`, `Cookie`, client credentials or a body to another origin unless it is named here.
    public enum Redirects: Sendable, Hashable {
        /// 3xx answers come back as they are.
        case refuse
        /// At most `limit` of them; `allowedHosts` are host names (a leading dot means all their subdomains) that the
        /// credentials and the body may follow to.
        case follow(limit: Int, allowedHosts: [String])
    }

    public init(
        _ method: HTTPMethod, _ url: String, headers: HTTPHeaders = [:], body: HTTPBody = .none,
        operation: String = "http"
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.operation = operation
        maxResponseBytes = 64 << 20
        idleTimeout = .seconds(60)
        redirects = .refuse
    }
}

public struct HTTPMethod: Sendable, Hashable, RawRepresentable, ExpressibleByStringLiteral {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }
    public static let get: HTTPMethod = "GET"
    public static let post: HTTPMethod = "POST"
    public static let put: HTTPMethod = "PUT"
    public static let patch: HTTPMethod = "PATCH"
    public static let delete: HTTPMethod = "DELETE"
    public static let head: HTTPMethod = "HEAD"
}

/// Header fields in order; names compare without case; a name may occur more than once.
public struct HTTPHeaders: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    public private(set) var fields: [Field] = []
    public struct Field: Sendable, Hashable {
        public let name: String
        public let value: String
    }

    public init() {}
    public init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name, value) }
    }

    /// The first field of that name; setting replaces all of them, `nil` removes them.
    public subscript(_ name: String) -> String? {
        get { fields.first { Self.same($0.name, name) }?.value }
        set {
            fields.removeAll { Self.same($0.name, name) }
            if let newValue { append(name, newValue) }
        }
    }

    public mutating func append(_ name: String, _ value: String) { fields.append(Field(name: name, value: value)) }

    private static func same(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count && left.lowercased() == right.lowercased()
    }
}

/// What a request carries.
public enum HTTPBody: Sendable {
    case none
    case bytes([UInt8])
    /// Pulled as the connection takes it, so that a large body is never held whole. `length` nil means chunked.
    case stream(length: Int64?, @Sendable () async throws -> [UInt8]?)
    /// `multipart/form-data`; the boundary and the content type are the transport's.
    case multipart([Part])

    public struct Part: Sendable {
        public let name: String
        public let fileName: String?
        public let contentType: String?
        public let body: Source
        public enum Source: Sendable {
            case bytes([UInt8])
            case stream(length: Int64?, @Sendable () async throws -> [UInt8]?)
        }
        public init(name: String, fileName: String? = nil, contentType: String? = nil, body: Source) {
            self.name = name
            self.fileName = fileName
            self.contentType = contentType
            self.body = body
        }
    }
}

public struct HTTPHead: Sendable {
    public let status: Int
    /// The reason phrase of HTTP/1.1; empty on HTTP/2. OpenCTI explains refused streams here.
    public let reason: String
    public let headers: HTTPHeaders
    /// The URL that answered, after redirects.
    public let url: String

    public init(status: Int, reason: String = "", headers: HTTPHeaders = [:], url: String = "") {
        self.status = status
        self.reason = reason
        self.headers = headers
        self.url = url
    }
}

public struct HTTPResponse: Sendable {
    public let head: HTTPHead
    public let body: [UInt8]
    public var status: Int { head.status }
    public var headers: HTTPHeaders { head.headers }

    public init(head: HTTPHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }
}

/// Why there is no response. URLs in here are cut to scheme, host, port and path: no query, no user info.
public enum HTTPError: ActionableError {
    case invalidURL(String)
    case cannotResolve(host: String)
    case cannotConnect(url: String, reason: String)
    /// The certificate or the handshake was refused; `reason` is OpenSSL's.
    case tls(url: String, reason: String)
    case connectionLost(url: String, reason: String)
    case timedOut(url: String, phase: Phase)
    case bodyTooLarge(limit: Int, url: String)
    case tooManyRedirects(url: String)
    case proxyRefused(url: String, reason: String)
    /// The request's own body stream threw.
    case uploadFailed(reason: String)
    /// The circuit breaker is open; nothing was sent.
    case circuitOpen(host: String, retryAfter: Duration)
    /// The token endpoint refused, or the token could not be read. `status` is the endpoint's.
    case unauthorized(url: String, status: Int, reason: String)
    case cancelled

    public enum Phase: String, Sendable { case connect, head, idle, total, queue }

    public var code: ErrorCode {
        switch self {
        case .invalidURL: "http.invalid_url"
        case .cannotResolve: "http.dns"
        case .cannotConnect: "http.connect"
        case .tls: "http.tls"
        case .connectionLost: "http.connection_lost"
        case .timedOut: "http.timeout"
        case .bodyTooLarge: "http.body_too_large"
        case .tooManyRedirects: "http.redirects"
        case .proxyRefused: "http.proxy"
        case .uploadFailed: "http.upload"
        case .circuitOpen: "http.circuit_open"
        case .unauthorized: "http.unauthorized"
        case .cancelled: "http.cancelled"
        }
    }

    public var isRetryable: Bool {
        switch self {
        case .cannotResolve, .cannotConnect, .connectionLost, .timedOut, .circuitOpen: true
        default: false
        }
    }

    public var description: String {
        switch self {
        case .invalidURL(let url): "“\(url)” is no valid URL. Give it as https://host[:port][/path]."
        case .cannotResolve(let host): "The name “\(host)” does not resolve. Check the URL and the DNS of this machine."
        case .cannotConnect(let url, let reason):
            "No connection to \(url): \(reason). Check address, port and firewall."
        case .tls(let url, let reason):
            "TLS with \(url) failed: \(reason). Name the CA in the connection's `ssl_verify` (a PEM file), or check the clock."
        case .connectionLost(let url, let reason): "The connection to \(url) broke: \(reason)."
        case .timedOut(let url, let phase): "\(url) did not answer in time (\(phase.rawValue))."
        case .bodyTooLarge(let limit, let url): "The answer of \(url) is larger than \(limit) bytes and was not read."
        case .tooManyRedirects(let url): "\(url) redirects too often or in a circle."
        case .proxyRefused(let url, let reason):
            "The proxy refused the connection to \(url): \(reason). Check HTTPS_PROXY and NO_PROXY."
        case .uploadFailed(let reason): "The request body could not be read: \(reason)."
        case .circuitOpen(let host, let wait): "\(host) failed too often; the next try is in \(wait). Nothing is lost."
        case .unauthorized(let url, let status, let reason):
            "\(url) refused the credentials (status \(status)): \(reason). Check client id and secret."
        case .cancelled: "The call was cancelled."
        }
    }
}
