// SPDX-License-Identifier: Apache-2.0

/// The code of a GraphQL error. Platforms add codes; unknown ones are taken as failures of the platform.
///
/// Source: OpenCTI protocol, 1.2.
public struct RefusalCode: Sendable, Hashable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let text: String
    public init(_ text: String) { self.text = text }
    public init(stringLiteral value: String) { text = value }
    public var description: String { text }

    public static let badUserInput: RefusalCode = "BAD_USER_INPUT"
    public static let validationFailed: RefusalCode = "GRAPHQL_VALIDATION_FAILED"
    public static let functional: RefusalCode = "FUNCTIONAL_ERROR"
    public static let workNotAlive: RefusalCode = "WORK_NOT_ALIVE"
    public static let lock: RefusalCode = "LOCK_ERROR"

    /// What a code asks of us.
    public enum Family: Sendable, Hashable {
        /// The token: a person must act, though it may be restored.
        case authentication
        case permission
        /// Our document or variables do not fit this version of the platform.
        case document
        /// A business rule: the same call will be refused again.
        case business
        /// What we speak of was deleted meanwhile: nothing is left to do.
        case gone
        /// A referenced object does not exist (yet).
        case missing
        /// Somebody else works on the same object.
        case lock
        /// The platform or its database failed.
        case platform
    }

    public var family: Family {
        switch text {
        case "AUTH_REQUIRED", "AUTH_FAILURE", "OTP_REQUIRED", "OTP_REQUIRED_ACTIVATION": .authentication
        case "FORBIDDEN_ACCESS": .permission
        case "VALIDATION_ERROR", "BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED": .document
        case "FUNCTIONAL_ERROR", "RESOURCE_NOT_FOUND", "DRAFT_LOCKED": .business
        case "ALREADY_DELETED_ERROR", "WORK_NOT_ALIVE": .gone
        case "MISSING_REFERENCE_ERROR": .missing
        case "LOCK_ERROR": .lock
        default: .platform
        }
    }

    var isRetryable: Bool {
        switch family {
        case .missing, .lock, .platform: true
        case .authentication, .permission, .document, .business, .gone: false
        }
    }
}
