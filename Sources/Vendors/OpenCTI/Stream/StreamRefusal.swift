// SPDX-License-Identifier: Apache-2.0

public import Base
import HTTPClient

/// Why the platform did not open the live stream. It explains refusals in the status line only, which HTTP/2 does not
/// carry: `reason` may be empty. Source: OpenCTI protocol, 4.2.
public enum StreamRefusal: ActionableError, Hashable {
    /// 401 that names no other cause: no token, a wrong or expired one, or no access to this stream.
    case unauthorized(stream: String, reason: String)
    /// 401: no live stream has this id.
    case unknownStream(stream: String, reason: String)
    /// 401: the stream's filter needs markings that the user may not see.
    case missingMarkings(stream: String, reason: String)
    /// 410: an operator stopped the stream.
    case stopped(stream: String)
    /// 200 with a web page: the URL's path is not the platform's.
    case webPage(url: String)
    /// 200 with something that is neither a stream nor a web page.
    case notAStream(url: String, contentType: String)
    /// 404, which the platform itself never answers: a proxy in front does.
    case notFound(url: String)
    case redirected(url: String, to: String)
    /// 500: a recovery was asked for without a position to start from.
    case recoveryWithoutStart(stream: String)
    case rateLimited(retryAfter: Duration?)
    /// Any other status.
    case failed(url: String, status: Int, reason: String)

    /// `nil` when `head` opens a stream.
    init?(_ head: HTTPHead, stream: String, at now: Instant) {
        let contentType = (head.headers["content-type"] ?? "").lowercased()
        let reason = head.reason
        let text = reason.lowercased()
        switch head.status {
        case 200 where contentType.hasPrefix("text/event-stream"): return nil
        case 200 where contentType.hasPrefix("text/html"): self = .webPage(url: head.url)
        case 200..<300: self = .notAStream(url: head.url, contentType: contentType)
        case 300..<400: self = .redirected(url: head.url, to: Self.withoutQuery(head.headers["location"] ?? ""))
        case 401, 403:
            if text.contains("exist") {
                self = .unknownStream(stream: stream, reason: reason)
            } else if text.contains("marking") {
                self = .missingMarkings(stream: stream, reason: reason)
            } else {
                self = .unauthorized(stream: stream, reason: reason)
            }
        case 404: self = .notFound(url: head.url)
        case 410: self = .stopped(stream: stream)
        case 429: self = .rateLimited(retryAfter: RetryAdvice(head.headers, at: now).wait)
        case 500 where text.contains("recover"): self = .recoveryWithoutStart(stream: stream)
        default: self = .failed(url: head.url, status: head.status, reason: reason)
        }
    }

    private static func withoutQuery(_ url: String) -> String { String(url.prefix { $0 != "?" }) }

    public var code: ErrorCode {
        switch self {
        case .unauthorized: "opencti.stream_unauthorized"
        case .unknownStream: "opencti.stream_unknown"
        case .missingMarkings: "opencti.stream_markings"
        case .stopped: "opencti.stream_stopped"
        case .webPage: "opencti.stream_web_page"
        case .notAStream: "opencti.stream_content_type"
        case .notFound: "opencti.stream_not_found"
        case .redirected: "opencti.stream_redirected"
        case .recoveryWithoutStart: "opencti.stream_recovery_without_start"
        case .rateLimited: "opencti.stream_rate_limit"
        case .failed: "opencti.stream_status"
        }
    }

    /// Whether the platform may answer otherwise without anybody changing anything. The stream is retried in any case,
    /// slowly when this is false: tokens are restored and streams are started again.
    public var isRetryable: Bool {
        switch self {
        case .rateLimited: true
        case .failed(_, let status, _): status >= 500
        default: false
        }
    }

    public var description: String {
        switch self {
        case .unauthorized(let stream, let reason):
            "OpenCTI refuses the live stream \(stream)\(Self.quoted(reason)). Check the token, that its user has “Access "
                + "data sharing” (TAXIIAPI), that the id is that of a live stream, and that the user may see it."
        case .unknownStream(let stream, let reason):
            "OpenCTI knows no live stream \(stream)\(Self.quoted(reason)). Copy the id from Data › Data sharing › Live "
                + "streams."
        case .missingMarkings(let stream, let reason):
            "OpenCTI refuses the live stream \(stream)\(Self.quoted(reason)). Give the token's user the markings that "
                + "the stream's filter names."
        case .stopped(let stream):
            "The live stream \(stream) is stopped. Start it in Data › Data sharing › Live streams."
        case .webPage(let url):
            "\(url) answers with a web page instead of a stream. Check the base path in the OpenCTI URL."
        case .notAStream(let url, let contentType):
            "\(url) answers with “\(contentType)” instead of an event stream. Check the URL and the proxy in front."
        case .notFound(let url):
            "\(url) does not exist (404). OpenCTI never says so itself: check the URL and the proxy in front."
        case .redirected(let url, let target):
            "\(url) redirects to \(target). Give the final address in the OpenCTI URL: the token is not sent elsewhere."
        case .recoveryWithoutStart(let stream):
            "OpenCTI refuses to recover the live stream \(stream) without a start position. Reset the connector's state."
        case .rateLimited(let wait):
            "OpenCTI limits the requests of this address"
                + (wait.map { "; it asks to wait \($0)." } ?? ".") + " Nothing is lost."
        case .failed(let url, let status, let reason):
            "\(url) answered \(status)\(Self.quoted(reason)). The stream is tried again; nothing is lost."
        }
    }

    private static func quoted(_ reason: String) -> String { reason.isEmpty ? "" : " (“\(reason)”)" }
}
