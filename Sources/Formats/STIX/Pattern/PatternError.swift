// SPDX-License-Identifier: Apache-2.0

public import Base

/// A text that is no STIX pattern, with the place where reading stopped.
public struct PatternError: ActionableError, Hashable {
    public enum Kind: Sendable, Hashable {
        /// The text leaves the grammar.
        case syntax
        /// Larger than ``PatternLimits/maxBytes``.
        case tooLarge
        /// Parentheses nested deeper than ``PatternLimits/maxDepth``.
        case tooDeep
    }

    public let kind: Kind
    /// In bytes of UTF-8 from the start of the pattern.
    public let offset: Int
    /// What is wrong there, in a few plain words.
    public let message: String

    init(_ kind: Kind = .syntax, at offset: Int, _ message: String) {
        self.kind = kind
        self.offset = offset
        self.message = message
    }

    public var code: ErrorCode { kind == .syntax ? "stix.pattern_invalid" : "stix.pattern_too_large" }
    public var isRetryable: Bool { false }
    public var description: String {
        "The STIX pattern can't be read, at byte \(offset): \(message). Correct the indicator's pattern."
    }
}

/// What a pattern may cost. Reading takes time linear in the bytes.
public struct PatternLimits: Sendable, Hashable {
    public var maxBytes: Int
    /// Nested parentheses, of both kinds together.
    public var maxDepth: Int

    public init(maxBytes: Int = 8 << 20, maxDepth: Int = 128) {
        self.maxBytes = maxBytes
        self.maxDepth = maxDepth
    }
}
