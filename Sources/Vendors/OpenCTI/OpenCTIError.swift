// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient

/// Why a GraphQL call gave no answer.
public enum OpenCTIError: ActionableError {
    /// A setting that no request can be built from.
    case configuration(String)
    /// No answer came.
    case transport(HTTPError)
    /// The platform's own refusal.
    case refused(Refusal)
    /// A status that the platform itself does not use for GraphQL: a proxy, an ingress, a rate limit.
    case status(Int, url: String, retryAfter: Duration?)
    /// 200 with a web page: the URL's path is not the platform's.
    case webPage(url: String)
    /// JSON, but not an answer to the question.
    case malformed(operation: String, reason: String)

    /// An entry of `errors`, whichever way the platform's version writes it.
    public struct Refusal: Sendable, Hashable {
        /// The first error's code: `AUTH_REQUIRED`, `FUNCTIONAL_ERROR`, `GRAPHQL_VALIDATION_FAILED`, …
        public let code: RefusalCode
        /// The platform's sentence, cut to 500 characters.
        public let message: String
        /// What was asked, such as `registerConnector`.
        public let operation: String
        /// The capability that the call needs, in the console's words; `nil` where any user may call.
        public let capability: String?
        /// `doc_code` of business refusals, such as `INCORRECT_INDICATOR_FORMAT`.
        public let documentationCode: String?

        public init(
            code: RefusalCode, message: String, operation: String, capability: String? = nil,
            documentationCode: String? = nil
        ) {
            self.code = code
            self.message = message
            self.operation = operation
            self.capability = capability
            self.documentationCode = documentationCode
        }
    }

    public var code: ErrorCode {
        switch self {
        case .configuration: "opencti.configuration"
        case .transport(let error): error.code
        case .refused(let refusal):
            switch refusal.code.family {
            case .authentication: "opencti.unauthorized"
            case .permission: "opencti.forbidden"
            case .document: "opencti.version"
            case .business: "opencti.refused"
            case .gone: "opencti.gone"
            case .missing: "opencti.missing_reference"
            case .lock: "opencti.lock"
            case .platform: "opencti.platform"
            }
        case .status(429, _, _): "opencti.rate_limit"
        case .status: "opencti.status"
        case .webPage: "opencti.web_page"
        case .malformed: "opencti.malformed"
        }
    }

    /// Whether the same call may succeed later. Of the platform's own failures this holds for reads and idempotent
    /// writes only, which is all that this client sends but for ``OpenCTIClient/addWork(connector:name:isMultiPart:)``.
    public var isRetryable: Bool {
        switch self {
        case .configuration, .webPage, .malformed: false
        case .transport(let error): error.isRetryable
        case .refused(let refusal): refusal.code.isRetryable
        case .status(let status, _, _): status == 429 || status >= 500
        }
    }

    /// How long to wait before the same call is sent again; `nil` leaves it to the caller's back-off.
    /// A lock is waited for 1–3 s as pycti does. Source: OpenCTI protocol, 1.2.
    public func retryDelay(using random: inout some RandomNumberGenerator) -> Duration? {
        switch self {
        case .refused(let refusal) where [.lock, .missing].contains(refusal.code.family):
            .milliseconds(Int64.random(in: 1000...3000, using: &random))
        case .status(_, _, let wait): wait
        default: nil
        }
    }

    /// The platform's code, when it answered with one.
    public var refusalCode: RefusalCode? { if case .refused(let refusal) = self { refusal.code } else { nil } }

    public var description: String {
        switch self {
        case .configuration(let text): text
        case .transport(let error): error.description
        case .refused(let refusal): refusal.description
        case .status(429, let url, let wait):
            "\(url) limits the requests of this address" + (wait.map { "; it asks to wait \($0)." } ?? ".")
                + " Nothing is lost."
        case .status(404, let url, _):
            "\(url) does not exist (404). Check the base path in the OpenCTI URL and the proxy in front."
        case .status(let status, let url, _):
            "\(url) answered \(status), which OpenCTI never does for GraphQL. Check the proxy or ingress in front of it."
        case .webPage(let url):
            "\(url) answers with a web page. Check the base path in the OpenCTI URL and the proxy in front."
        case .malformed(let operation, let reason):
            "OpenCTI's answer to \(operation) cannot be used: \(reason). Is this URL an OpenCTI platform?"
        }
    }
}

extension OpenCTIError.Refusal: CustomStringConvertible {
    public var description: String {
        switch code.family {
        case .authentication:
            "OpenCTI does not accept the token (\(code)). Check `opencti.token` or OPENCTI_TOKEN: it may be wrong, "
                + "expired, or its user disabled."
        case .permission:
            "OpenCTI refuses \(operation): the token's user lacks "
                + (capability.map { "the capability “\($0)”. Add it to one of the user's roles." }
                    ?? "a capability (\(message)).")
        case .document:
            "OpenCTI does not understand \(operation): \(message) (\(code)). Its version differs from the one it reported."
        case .lock: "OpenCTI is busy with the same object (\(code)) during \(operation). The call is repeated."
        case .missing: "OpenCTI refuses \(operation): it refers to an object that does not exist (\(message))."
        case .gone: "OpenCTI ignores \(operation): \(message) (\(code))."
        case .business: "OpenCTI refuses \(operation): \(message) (\(documentationCode ?? code.text))."
        case .platform: "OpenCTI failed during \(operation): \(message) (\(code))."
        }
    }
}
