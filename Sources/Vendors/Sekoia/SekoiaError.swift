// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient

/// Why Sekoia.io did not take something.
public enum SekoiaError: ActionableError {
    /// A setting that no request can be built from.
    case configuration(String)
    /// No answer came. Whether the request was applied is then unknown.
    case transport(HTTPError)
    /// 400, 413, 422: the body, or one item of it, is not acceptable.
    case refused(status: Int, reason: String)
    /// 401, 403, 404: the key or the address is wrong.
    case closed(status: Int)
    /// 429.
    case rateLimited(retryAfter: Duration)
    /// 5xx and everything that nobody documents.
    case unavailable(status: Int)

    public var code: ErrorCode {
        switch self {
        case .configuration: "sekoia.configuration"
        case .transport(let error): error.code
        case .refused: "sekoia.refused"
        case .closed: "sekoia.closed"
        case .rateLimited: "sekoia.rate_limit"
        case .unavailable: "sekoia.unavailable"
        }
    }

    public var isRetryable: Bool {
        switch self {
        case .transport(let error): error.isRetryable
        case .rateLimited, .unavailable: true
        case .configuration, .refused, .closed: false
        }
    }

    public var description: String {
        switch self {
        case .configuration(let text): text
        case .transport(let error): error.description
        case .refused(let status, let reason): "Sekoia.io refuses what was sent (\(status)): \(reason)."
        case .closed(let status):
            "Sekoia.io refuses us (\(status)). Check the key and the URL; what was read waits meanwhile."
        case .rateLimited(let wait): "Sekoia.io asks to wait \(wait). Nothing is lost."
        case .unavailable(let status): "Sekoia.io answered \(status). The call is repeated; nothing is lost."
        }
    }
}
