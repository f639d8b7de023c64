// SPDX-License-Identifier: Apache-2.0

public import Base

/// How one connection of the configuration reaches its server: everything that is the same for all its requests.
public struct HTTPConfiguration: Sendable, Hashable {
    public var tls = TLSConfiguration()
    public var proxy: ProxyConfiguration = .environment
    public var timeouts = Timeouts()
    public var limits = Limits()
    /// Sent unless a request names its own, such as `Sallyport/1.0.0`.
    public var userAgent: String
    /// Whether HTTP/2 is offered in TLS. Streams (``HTTPTransport/open(_:by:)``) use HTTP/1.1 in any case: a stream
    /// held back would hold up every other call on its HTTP/2 connection.
    public var offersHTTP2 = true

    public struct Timeouts: Sendable, Hashable {
        /// Name look-up, TCP and TLS together.
        public var connect: Duration = .seconds(30)
        /// The longest silence from the request's last byte to the answer's first; `nil` leaves it to the deadline.
        public var head: Duration? = .seconds(300)
        /// The longest that one ``HTTPTransport/send(_:by:)`` may take whatever its deadline says; `nil` for no bound.
        public var total: Duration?
        public init() {}
    }

    public struct Limits: Sendable, Hashable {
        /// Connections to one host at a time; further requests wait. Streams count too.
        public var connectionsPerHost = 32
        /// Idle connections kept.
        public var idleConnections = 32
        /// How long a connection may stay idle and still be used again.
        public var idleLifetime: Duration = .seconds(90)
        /// The head of an answer, all fields together.
        public var headBytes = 256 << 10
        public init() {}
    }

    public init(userAgent: String = "Sallyport") { self.userAgent = userAgent }
}

/// A configuration that cannot work, found before the first request.
public enum HTTPConfigurationError: ActionableError {
    case unreadableFile(path: String, reason: String)
    case noCertificate(source: String)
    case noPrivateKey(source: String)
    case invalidProxy(reason: String)
    case libraryFailed(reason: String)

    public var code: ErrorCode {
        switch self {
        case .unreadableFile: "http_config.unreadable_file"
        case .noCertificate: "http_config.no_certificate"
        case .noPrivateKey: "http_config.no_private_key"
        case .invalidProxy: "http_config.proxy"
        case .libraryFailed: "http_config.library"
        }
    }

    public var isRetryable: Bool { false }

    public var description: String {
        switch self {
        case .unreadableFile(let path, let reason):
            "The file \(path) cannot be read: \(reason). Check its path and its permissions."
        case .noCertificate(let source):
            "\(source) holds no PEM certificate. It must have a line “-----BEGIN CERTIFICATE-----”."
        case .noPrivateKey(let source):
            "\(source) holds no PEM private key. It must have a line “-----BEGIN PRIVATE KEY-----” or similar."
        case .invalidProxy(let reason):
            "The proxy cannot be used: \(reason). Give it as http://[user:password@]host:port (or https, socks4, socks5h)."
        case .libraryFailed(let reason): "libcurl cannot be started: \(reason)."
        }
    }
}
