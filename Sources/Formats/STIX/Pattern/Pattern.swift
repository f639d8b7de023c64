// SPDX-License-Identifier: Apache-2.0

/// A STIX 2.1 pattern as a tree, for tools. What moves indicators uses ``PatternParser``, which builds none.
///
/// ```swift
/// let pattern = try Pattern(parsing: "[ipv4-addr:value = '203.0.113.7']")
/// ```
public struct Pattern: Sendable, Equatable {
    public let root: ObservationExpression

    /// - Throws: ``PatternError`` with the byte where the text leaves the grammar. What OASIS's validator asks beyond
    ///   the grammar is in ``issues``.
    public init(parsing text: String, limits: PatternLimits = PatternLimits()) throws(PatternError) {
        var text = text
        let result = text.withUTF8 { bytes in
            Result { () throws(PatternError) in try Pattern(parsing: bytes, limits: limits) }
        }
        self = try result.get()
    }

    /// The same over UTF-8 bytes.
    public init(
        parsing bytes: UnsafeBufferPointer<UInt8>, limits: PatternLimits = PatternLimits()
    ) throws(PatternError) {
        var reader = PatternReader(bytes, limits: limits, sink: PatternBuilder(bytes))
        try reader.read()
        root = try reader.sink.finish()
    }
}

/// What happens, where and when: observations joined and qualified.
public indirect enum ObservationExpression: Sendable, Equatable {
    /// `[…]`, with the byte offset of the bracket.
    case observation(ComparisonExpression, offset: Int)
    /// Parentheses. Kept, as qualifiers may be repeated around them.
    case group(ObservationExpression)
    case and([ObservationExpression])
    case or([ObservationExpression])
    case followedBy([ObservationExpression])
    /// The qualifiers that follow directly.
    case qualified(ObservationExpression, [Qualifier])
}

/// What one observed object is like.
public indirect enum ComparisonExpression: Sendable, Equatable {
    case comparison(Comparison)
    case and([ComparisonExpression])
    case or([ComparisonExpression])
}

/// When observations count.
public struct Qualifier: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// Timestamps as written, without `t` and quotes.
        case startStop(start: String, stop: String)
        /// Seconds as written.
        case within(seconds: String)
        /// Times as written.
        case repeats(times: String)
    }
    public let kind: Kind
    /// Byte offset of its keyword.
    public let offset: Int
}

public enum ComparisonOperator: String, Sendable, Hashable, CaseIterable {
    case equal = "="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case `in` = "IN"
    case like = "LIKE"
    case matches = "MATCHES"
    case isSubset = "ISSUBSET"
    case isSuperset = "ISSUPERSET"
    case exists = "EXISTS"
}

/// One test of one property.
public struct Comparison: Sendable, Equatable {
    public let path: ObjectPath
    public let `operator`: ComparisonOperator
    /// `NOT` before the operator or before `EXISTS`.
    public let isNegated: Bool
    /// One literal; any number for `IN`; none for `EXISTS`.
    public let literals: [Literal]
    /// Byte offset of its first token.
    public let offset: Int
}

/// `file:hashes.'SHA-256'`, `email-message:body_multipart[*].body_raw_ref.name`.
public struct ObjectPath: Sendable, Hashable, CustomStringConvertible {
    public enum Step: Sendable, Hashable {
        case key(String)
        /// As written: `0`, `-1`.
        case index(String)
        case anyIndex
    }
    /// `ipv4-addr`
    public let objectType: String
    /// At least one; the first is a key.
    public let steps: [Step]

    /// Keys that are no identifiers stand in quotes.
    public var description: String {
        var text = objectType
        for (position, step) in steps.enumerated() {
            switch step {
            case .key(let key):
                text += position == 0 ? ":" : "."
                text += Self.isIdentifier(key) ? key : PatternText.quoted(key)
            case .index(let index): text += "[\(index)]"
            case .anyIndex: text += "[*]"
            }
        }
        return text
    }

    private static func isIdentifier(_ key: String) -> Bool {
        var lexed = key
        return lexed.withUTF8 { bytes in
            var lexer = PatternLexer(bytes)
            let token = lexer.next()
            return token.kind == .identifier && token.start == 0 && token.end == bytes.count
        }
    }
}

/// A constant of a pattern.
public enum Literal: Sendable, Hashable {
    /// `\'` and `\\` are decoded.
    case string(String)
    /// As written, of any size: `+12`, `-0`.
    case integer(String)
    /// As written: `.5`, `-1.0`.
    case float(String)
    case boolean(Bool)
    /// `b'…'`, the base64 text.
    case binary(String)
    /// `h'…'`, the hexadecimal digits.
    case hex(String)
    /// `t'…'`, the timestamp text.
    case timestamp(String)
}
