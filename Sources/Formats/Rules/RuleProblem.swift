// SPDX-License-Identifier: Apache-2.0

public import Base

/// Why a detection rule would be refused by the system that is to run it.
public struct RuleProblem: ActionableError, Hashable {
    public enum Kind: String, Sendable, Hashable {
        /// Nothing but blanks and comments.
        case empty
        /// The compiler's or parser's own complaint.
        case syntax
        /// A rule that reads another file.
        case include
        /// Without a field that the console demands.
        case missingField = "missing_field"
        /// Beyond what is compiled: size, time, memory.
        case tooLarge = "too_large"
    }

    public let kind: Kind
    /// `YARA`, `Sigma`.
    public let language: String
    /// From 1; `nil` where the complaint names none.
    public let line: Int?
    /// The compiler's own words, at most 300 characters.
    public let message: String

    public init(_ kind: Kind, language: String, line: Int? = nil, _ message: String) {
        self.kind = kind
        self.language = language
        self.line = line
        self.message = String(message.prefix(300))
    }

    public var code: ErrorCode {
        switch kind {
        case .empty: "rule.empty"
        case .syntax: "rule.syntax"
        case .include: "rule.include"
        case .missingField: "rule.missing_field"
        case .tooLarge: "rule.too_large"
        }
    }
    public var isRetryable: Bool { false }
    /// `line 9: syntax error, unexpected identifier`
    public var description: String {
        let place = line.map { "line \($0): " } ?? ""
        return
            "The \(language) rule is not usable: \(place)\(message). Correct it in OpenCTI; the next event brings it."
    }
}
