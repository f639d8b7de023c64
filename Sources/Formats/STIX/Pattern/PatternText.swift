// SPDX-License-Identifier: Apache-2.0

/// Patterns as text: writing values, and the spacing that an OpenCTI platform gives a pattern.
public enum PatternText {
    /// The value as a string literal: `it's` → `'it\'s'`.
    public static func quoted(_ value: String) -> String {
        var text = "'"
        for scalar in value.unicodeScalars {
            if scalar == "'" || scalar == "\\" { text.unicodeScalars.append("\\") }
            text.unicodeScalars.append(scalar)
        }
        return text + "'"
    }

    /// The pattern as the platform spaces it when it *creates* an indicator, which is what the indicator's id is made
    /// of: all blanks and comments go, then one blank stands on each side of every `=`, `!=`, `<`, `>`, `<=`, `>=` and
    /// upper-case keyword, hence two between neighbours (`NOT  IN`); `==` and `<>` stay tight. An edited pattern is
    /// stored as typed.
    ///
    /// Source: OpenCTI protocol, 4.4; `opencti-platform/opencti-graphql/src/utils/syntax.js` (`cleanupIndicatorPattern`).
    ///
    /// - Throws: ``PatternError`` if the text is no pattern.
    public static func spacedByPlatform(_ pattern: String) throws(PatternError) -> String {
        var pattern = pattern
        let result = pattern.withUTF8 { bytes in
            Result { () throws(PatternError) in try spaced(bytes) }
        }
        return try result.get()
    }

    private static func spaced(_ bytes: UnsafeBufferPointer<UInt8>) throws(PatternError) -> String {
        try PatternParser.validate(bytes)
        var lexer = PatternLexer(bytes)
        var spaced: [UInt8] = []
        spaced.reserveCapacity(bytes.count + 16)
        while case let token = lexer.next(), token.kind != .end {
            let text = bytes[token.start..<token.end]
            let standsApart = isSpaced(token.kind, text)
            if standsApart { spaced.append(UInt8(ascii: " ")) }
            spaced.append(contentsOf: text)
            if standsApart { spaced.append(UInt8(ascii: " ")) }
        }
        // Only a qualifier's last keyword can leave a blank at the end, and no pattern begins with a keyword.
        if spaced.last == UInt8(ascii: " ") { spaced.removeLast() }
        return String(decoding: spaced, as: UTF8.self)
    }

    private static func isSpaced(_ kind: PatternToken.Kind, _ text: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        switch kind {
        case .equal: text.count == 1
        case .notEqual: text.first == UInt8(ascii: "!")
        case .less, .lessOrEqual, .greater, .greaterOrEqual: true
        case .and, .or, .not, .followedBy, .like, .matches, .isSuperset, .isSubset, .exists, .last, .in, .start, .stop,
            .seconds, .within, .repeats, .times:
            true
        case .identifier: tokenNames.contains(String(decoding: text, as: UTF8.self))
        default: false
        }
    }

    // The platform takes a text for a keyword when it equals any *token name* of its grammar, so an object type or
    // property of such a name stands apart too.
    private static let tokenNames: Set<String> = [
        "IntNegLiteral", "IntPosLiteral", "FloatNegLiteral", "FloatPosLiteral", "HexLiteral", "BinaryLiteral",
        "StringLiteral", "BoolLiteral", "TimestampLiteral", "TRUE", "FALSE", "IdentifierWithoutHyphen",
        "IdentifierWithHyphen", "EQ", "NEQ", "LT", "LE", "GT", "GE", "QUOTE", "COLON", "DOT", "COMMA", "RPAREN",
        "LPAREN", "RBRACK", "LBRACK", "PLUS", "HYPHEN", "MINUS", "POWER_OP", "DIVIDE", "ASTERISK", "WS", "COMMENT",
        "LINE_COMMENT", "InvalidCharacter",
    ]
}
