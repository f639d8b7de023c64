// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient

/// Why HarfangLab did not do what was asked.
public enum HarfangLabError: ActionableError {
    /// A setting or an argument that no request can be built from.
    case configuration(String)
    /// No answer came. Whether the request was applied is then unknown.
    case transport(HTTPError)
    /// 401: the token is unknown, expired or of another tenant.
    case unauthorized(String)
    /// 403: the token's user may not do this.
    case forbidden(operation: String, String)
    /// 404.
    case notFound(operation: String)
    /// 429. `retryAfter` is the server's wish, if it had one.
    case rateLimited(retryAfter: Duration?)
    /// 400 for an object that is there already.
    case alreadyExists(String)
    /// Any other 4xx: this request will never be accepted.
    case refused(status: Int, String)
    /// A **2xx** whose body says that the rule was not taken. `code` is the console's: `invalid_sigma_content`,
    /// `duplicate_rule`; `empty_status` where it parsed nothing at all.
    case contentRefused(code: String, String)
    /// 408, 5xx and statuses nobody knows.
    case unavailable(status: Int)
    /// A redirect, which would turn a POST into a GET.
    case redirected(to: String)
    /// An answer that is not what the console's API gives.
    case malformed(operation: String, reason: String)

    public var code: ErrorCode {
        switch self {
        case .configuration: "harfanglab.configuration"
        case .transport(let error): error.code
        case .unauthorized: "harfanglab.unauthorized"
        case .forbidden: "harfanglab.forbidden"
        case .notFound: "harfanglab.not_found"
        case .rateLimited: "harfanglab.rate_limit"
        case .alreadyExists: "harfanglab.already_exists"
        case .refused: "harfanglab.refused"
        case .contentRefused: "harfanglab.content_refused"
        case .unavailable: "harfanglab.unavailable"
        case .redirected: "harfanglab.redirected"
        case .malformed: "harfanglab.malformed"
        }
    }

    public var isRetryable: Bool {
        switch self {
        case .transport(let error): error.isRetryable
        case .rateLimited, .unavailable, .malformed: true
        default: false
        }
    }

    /// Whether a person must act before anything goes through: the flow waits for that instead of giving up items.
    public var needsAttention: Bool {
        switch self {
        case .configuration, .unauthorized, .forbidden, .redirected: true
        case .transport(let error): !error.isRetryable
        default: false
        }
    }

    /// Whether the console refuses just what was asked for, so that asking again is of no use and others may get through.
    public var isAboutSubject: Bool {
        switch self {
        case .notFound, .alreadyExists, .refused, .contentRefused: true
        default: false
        }
    }

    public var description: String {
        switch self {
        case .configuration(let text): text
        case .transport(let error): error.description
        case .unauthorized(let detail):
            "HarfangLab refuses the token (401)\(Self.quoted(detail)). Make a new API token for the connector's user."
        case .forbidden(let operation, let detail):
            "HarfangLab refuses \(operation) (403)\(Self.quoted(detail)). Give the token's user the rights to read and write "
                + "threat intelligence, or to read security events."
        case .notFound(let operation): "HarfangLab does not know what \(operation) asks for (404)."
        case .rateLimited(let wait):
            "HarfangLab asks for fewer requests" + (wait.map { "; it asks to wait \($0)." } ?? ".")
                + " Nothing is lost."
        case .alreadyExists(let detail): "HarfangLab holds this rule already\(Self.quoted(detail))."
        case .refused(let status, let detail): "HarfangLab refuses the request (\(status))\(Self.quoted(detail))."
        case .contentRefused(let code, let detail): "HarfangLab does not take the rule (\(code))\(Self.quoted(detail))."
        case .unavailable(let status): "HarfangLab answered \(status). The call is repeated; nothing is lost."
        case .redirected(let target):
            "HarfangLab redirects to \(target), which was not followed. Configure the console's own URL."
        case .malformed(let operation, let reason):
            "HarfangLab's answer to \(operation) can't be used: \(reason). Check the URL and the proxy in front."
        }
    }

    private static func quoted(_ detail: String) -> String { detail.isEmpty ? "" : ": \(detail)" }
}
