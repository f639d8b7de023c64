// SPDX-License-Identifier: Apache-2.0

/// The stable name of one kind of failure: a log field, a metric label, the argument of `sallyport explain CODE`.
///
/// Form: `<area>.<what>` in lower-case snake case, for example `falcon.missing_scope`. A code never changes its meaning.
public struct ErrorCode: Sendable, Hashable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let text: String
    public init(_ text: String) { self.text = text }
    public init(stringLiteral value: String) { text = value }
    public var description: String { text }
}

/// A failure that tells an operator what happened, why, and what to do about it.
///
/// `description` is one or two plain sentences without secrets and without a response body.
public protocol ActionableError: Error, Sendable, CustomStringConvertible {
    var code: ErrorCode { get }
    /// Whether the same call may succeed later without anybody changing anything.
    var isRetryable: Bool { get }
    var description: String { get }
}
