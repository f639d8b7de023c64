// SPDX-License-Identifier: Apache-2.0

public import Base

/// What every vendor client is built on: production passes ``CurlTransport``, a test a scripted one.
public protocol HTTPTransport: Sendable {
    /// Returns the whole response whatever its status; 4xx and 5xx are for the vendor client to judge.
    ///
    /// The body is bounded by ``HTTPRequest/maxResponseBytes``, also after decompression.
    func send(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> HTTPResponse

    /// Returns once the head has arrived; the body is then read chunk by chunk, as slowly as the caller likes: an unread
    /// body pauses the connection. `deadline` covers the head only; ``HTTPRequest/idleTimeout`` covers the body, whose
    /// size is not bounded here. A streamed request body is read until the head arrives.
    func open(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> any HTTPStream
}

/// A response whose body is still arriving.
public protocol HTTPStream: Sendable {
    var head: HTTPHead { get }
    /// The next piece of the body, decompressed; `nil` at its regular end. One reader at a time. Cancelling the task
    /// that waits here ends the transfer.
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
    /// Whole bodies (``HTTPTransport/send(_:by:)``) beyond this fail with ``HTTPError/bodyTooLarge(limit:url:)``.
    /// Default 64 MiB.
    public var maxResponseBytes: Int
    /// The longest silence between two pieces of the body; the time in which the reader holds the stream back does not
    /// count. Default 60 s; `nil` for none.
    public var idleTimeout: Duration?
    public var redirects: Redirects
    /// Whether doing it twice is the same as doing it once. Decides if a call with unknown outcome is repeated. At first
    /// true for GET, HEAD, PUT, DELETE and OPTIONS; set it for a POST that only searches or that a key makes safe.
    public var isIdempotent: Bool
    /// Signs the request as AWS and S3 services ask for; made by libcurl.
    public var signature: AWSSignature?
    /// A short constant name for metrics and logs, such as `falcon.indicator_create`. Never holds ids or secrets.
    public var operation: String

    /// Redirects keep method and body on 307 and 308, turn into GET on 303 (and on 301 and 302 after POST), and never
    /// carry credentials, a client certificate or a body to another origin unless its host is named here. Another origin
    /// gets a short list of harmless header fields only (`Accept`, `User-Agent`, …), because any other may be a key. A
    /// change from https to http is always refused.
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
        isIdempotent = method.isIdempotent
    }
}

/// AWS Signature Version 4. The request names the SHA-256 of its body, in hexadecimal, as `x-amz-content-sha256`.
public struct AWSSignature: Sendable, Hashable {
    public var accessKey: Secret
    public var secretKey: Secret
    /// `us-east-1`
    public var region: String
    /// `s3`
    public var service: String

    public init(accessKey: Secret, secretKey: Secret, region: String, service: String = "s3") {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.region = region
        self.service = service
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

    /// As RFC 9110, 9.2.2 has it.
    public var isIdempotent: Bool { ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"].contains(rawValue) }
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

    /// Every field of that name, in order.
    public func values(_ name: String) -> [String] { fields.filter { Self.same($0.name, name) }.map(\.value) }

    public mutating func append(_ name: String, _ value: String) { fields.append(Field(name: name, value: value)) }

    static func same(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count
            && zip(left.utf8, right.utf8).allSatisfy { Self.folded($0) == Self.folded($1) }
    }

    private static func folded(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }
}

/// Printed without values: any may be a credential.
extension HTTPHeaders: CustomStringConvertible, CustomReflectable {
    public var description: String { "[" + fields.map(\.name).joined(separator: ", ") + "]" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension HTTPHeaders.Field: CustomStringConvertible, CustomReflectable {
    public var description: String { name }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Printed as method and URL without query: fields, query and body may hold credentials.
extension HTTPRequest: CustomStringConvertible, CustomReflectable {
    public var description: String { "\(method.rawValue) \(WebAddress.displayable(url))" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What a request carries.
public enum HTTPBody: Sendable {
    case none
    case bytes([UInt8])
    /// Pulled as the connection takes it, so that a large body is never held whole. `length` nil means chunked.
    case stream(length: Int64?, @Sendable () async throws -> [UInt8]?)
    /// `multipart/form-data`; the boundary and the content type are the transport's.
    case multipart([Part])

    /// Whether it can be sent again from its start. A stream cannot.
    public var isReplayable: Bool {
        switch self {
        case .none, .bytes: true
        case .stream: false
        case .multipart(let parts):
            parts.allSatisfy { if case .bytes = $0.body { true } else { false } }
        }
    }

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
