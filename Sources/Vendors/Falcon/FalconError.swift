// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient

/// Why Falcon did not do what was asked.
public enum FalconError: ActionableError {
    /// A setting or an argument that no request can be built from.
    case configuration(String)
    /// No answer came. Whether the request was applied is then unknown.
    case transport(HTTPError)
    /// The token endpoint refuses the client id and secret, or this address.
    case credentialsRefused(status: Int, traceID: String?)
    /// 401 although the token is fresh.
    case unauthorized(traceID: String?)
    /// 403: the API client lacks a scope, or its address is not on the allow-list.
    case missingScope(FalconScope, traceID: String?)
    /// 429. `retryAfter` is the server's wish, if it had one.
    case rateLimited(retryAfter: Duration?)
    /// The tenant holds as many indicators as it may.
    case quotaExceeded(traceID: String?)
    /// 400: the request, or one item of its batch, is not acceptable.
    case badRequest([FalconMessage], traceID: String?)
    case notFound([FalconMessage], traceID: String?)
    /// 409: what was asked for is already so, or being done.
    case conflict([FalconMessage], traceID: String?)
    /// 413, 414 and 504: the same in smaller parts may pass.
    case tooLarge(status: Int, traceID: String?)
    /// 5xx and other statuses nobody documents.
    case unavailable(status: Int, traceID: String?)
    /// A redirect on a path that is never redirected, or to a host that must not see the credentials.
    case redirected(to: String)
    /// An answer that is not Falcon's envelope.
    case malformed(operation: String, reason: String, traceID: String?)

    public var code: ErrorCode {
        switch self {
        case .configuration: "falcon.configuration"
        case .transport(let error): error.code
        case .credentialsRefused: "falcon.credentials"
        case .unauthorized: "falcon.unauthorized"
        case .missingScope: "falcon.scope"
        case .rateLimited: "falcon.rate_limit"
        case .quotaExceeded: "falcon.quota"
        case .badRequest: "falcon.bad_request"
        case .notFound: "falcon.not_found"
        case .conflict: "falcon.conflict"
        case .tooLarge: "falcon.too_large"
        case .unavailable: "falcon.unavailable"
        case .redirected: "falcon.redirected"
        case .malformed: "falcon.malformed"
        }
    }

    public var isRetryable: Bool {
        switch self {
        case .transport(let error): error.isRetryable
        case .rateLimited, .unavailable, .malformed: true
        case .tooLarge(let status, _): status == 504
        default: false
        }
    }

    /// How long the server asks to wait.
    public var retryAfter: Duration? { if case .rateLimited(let wait) = self { wait } else { nil } }

    /// Whether the request may have been applied although it failed: look before repeating what is not idempotent.
    public var isOutcomeUnknown: Bool {
        switch self {
        case .transport(.connectionLost), .transport(.timedOut), .transport(.bodyTooLarge), .transport(.cancelled),
            .unavailable, .malformed:
            true
        case .tooLarge(let status, _): status == 504
        default: false
        }
    }

    /// `X-Cs-Traceid`, which CrowdStrike's support asks for.
    public var traceID: String? {
        switch self {
        case .credentialsRefused(_, let trace), .unauthorized(let trace), .missingScope(_, let trace),
            .quotaExceeded(let trace), .badRequest(_, let trace), .notFound(_, let trace), .conflict(_, let trace),
            .tooLarge(_, let trace), .unavailable(_, let trace), .malformed(_, _, let trace):
            trace
        case .configuration, .transport, .rateLimited, .redirected: nil
        }
    }

    public var description: String { text + (traceID.map { " Trace \($0)." } ?? "") }

    private var text: String {
        switch self {
        case .configuration(let text): text
        case .transport(let error): error.description
        case .credentialsRefused(let status, _):
            "Falcon refuses the API client (\(status)). Check client id and secret, the base URL's cloud, and whether the "
                + "API client's IP allow-list names this address."
        case .unauthorized:
            "Falcon refuses a fresh token (401). Check that the API client has not been disabled, and the clock."
        case .missingScope(let scope, _):
            "Falcon refuses the call (403): the API client lacks “\(scope)”. Add it in Support and resources › API "
                + "clients and keys. If it is there, check the client's IP allow-list and the base URL's cloud."
        case .rateLimited(let wait):
            "Falcon's request budget is spent" + (wait.map { "; it asks to wait \($0)." } ?? ".") + " Nothing is lost."
        case .quotaExceeded:
            "The tenant's limit of indicators is reached: Falcon creates no more. Delete expired ones or lower the ceiling."
        case .badRequest(let messages, _): "Falcon refuses the request (400): \(Self.first(messages))."
        case .notFound(let messages, _): "Falcon does not know what was asked for (404): \(Self.first(messages))."
        case .conflict(let messages, _): "Falcon refuses the request (409): \(Self.first(messages))."
        case .tooLarge(let status, _): "The request was too large or took too long (\(status)). It is sent in parts."
        case .unavailable(let status, _): "Falcon answered \(status). The call is repeated; nothing is lost."
        case .redirected(let target):
            "Falcon redirects to \(target), which was not followed. Configure the base URL of the tenant's own cloud."
        case .malformed(let operation, let reason, _):
            "Falcon's answer to \(operation) cannot be used: \(reason). Check the base URL and the proxy in front."
        }
    }

    private static func first(_ messages: [FalconMessage]) -> String {
        guard let first = messages.first else { return "no reason given" }
        let text = first.message.hasSuffix(".") ? String(first.message.dropLast()) : first.message
        return messages.count > 1 ? "\(text) (and \(messages.count - 1) more)" : text
    }
}

/// An entry of the envelope's `errors`.
public struct FalconMessage: Sendable, Hashable {
    public let code: Int
    /// Cut to 300 characters. May quote an indicator's value.
    public let message: String
    /// The entity it is about, if it says so.
    public let id: String?

    public init(code: Int, message: String, id: String? = nil) {
        self.code = code
        self.message = String(message.prefix(300))
        self.id = id
    }
}

/// A scope by the name an administrator sees in the console.
public struct FalconScope: Sendable, Hashable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let description: String
    public init(stringLiteral value: String) { description = value }

    public static let iocRead: FalconScope = "IOC Management: Read"
    public static let iocWrite: FalconScope = "IOC Management: Write"
    /// Of the older paths.
    public static let eventStreamsRead: FalconScope = "Event streams: Read"
    public static let threatGraphRead: FalconScope = "Threatgraph: Read"
    public static let detectsRead: FalconScope = "Detections: Read"
    public static let detectsWrite: FalconScope = "Detections: Write"
    public static let legacyIOCRead: FalconScope = "IOCs (Indicators of Compromise): Read"
    public static let alertsRead: FalconScope = "Alerts: Read"
    public static let alertsWrite: FalconScope = "Alerts: Write"
    public static let hostsRead: FalconScope = "Hosts: Read"
    public static let hostsWrite: FalconScope = "Hosts: Write"
    public static let hostGroupsRead: FalconScope = "Host groups: Read"
    public static let policiesRead: FalconScope = "Prevention policies: Read"
    public static let policiesWrite: FalconScope = "Prevention policies: Write"
    public static let casesRead: FalconScope = "Cases: Read"
    public static let casesWrite: FalconScope = "Cases: Write"
    public static let messageCenterRead: FalconScope = "Message Center: Read"
    public static let messageCenterWrite: FalconScope = "Message Center: Write"
    public static let quarantineRead: FalconScope = "Quarantined Files: Read"
    public static let quarantineWrite: FalconScope = "Quarantined Files: Write"
    public static let samplesRead: FalconScope = "Sample uploads: Read"
    /// Of an API that CrowdStrike has announced to remove.
    public static let incidentsRead: FalconScope = "Incidents: Read"
    public static let usersRead: FalconScope = "User management: Read"
    public static let identityRead: FalconScope = "Identity Protection Entities: Read"
    /// The GraphQL endpoint needs it although nothing is written there.
    public static let identityGraphQL: FalconScope = "Identity Protection GraphQL: Write"
}
