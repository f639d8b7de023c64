// SPDX-License-Identifier: Apache-2.0

struct PatternToken {
    enum Kind: UInt8 {
        case end, leftBracket, rightBracket, leftParen, rightParen, colon, dot, comma, asterisk
        case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
        case identifier, hyphenatedIdentifier
        case positiveInteger, negativeInteger, positiveFloat, negativeFloat
        case string, boolean, hex, binary, timestamp
        case and, or, not, followedBy, like, matches, isSuperset, isSubset, exists, last, `in`
        case start, stop, seconds, within, repeats, times
        case unterminatedString, badEscape, other
    }

    var kind: Kind
    /// Byte offsets in the pattern, quotes and prefix letter included.
    var start: Int
    var end: Int
    /// Of a string: whether it contains `\'` or `\\`.
    var hasEscapes = false
}

/// Splits a pattern into the tokens of the STIX 2.1 grammar: the longest match wins, blanks and comments vanish.
///
/// Source: `oasis-open/cti-stix2-json-schemas: pattern_grammar/STIXPattern.g4`, lexer rules, as generated into
/// `oasis-open/cti-pattern-validator` 2.1.2.
struct PatternLexer {
    let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func next() -> PatternToken {
        skipBlanks()
        guard index < bytes.count else { return PatternToken(kind: .end, start: index, end: index) }
        let start = index
        let byte = bytes[index]
        if Self.isIdentifierStart(byte) { return word(from: start) }
        switch byte {
        case UInt8(ascii: "'"): return string(from: start)
        case UInt8(ascii: "["): return take(.leftBracket, 1)
        case UInt8(ascii: "]"): return take(.rightBracket, 1)
        case UInt8(ascii: "("): return take(.leftParen, 1)
        case UInt8(ascii: ")"): return take(.rightParen, 1)
        case UInt8(ascii: ":"): return take(.colon, 1)
        case UInt8(ascii: ","): return take(.comma, 1)
        case UInt8(ascii: "*"): return take(.asterisk, 1)
        case UInt8(ascii: "="): return take(.equal, at(1) == UInt8(ascii: "=") ? 2 : 1)
        case UInt8(ascii: "!"): return at(1) == UInt8(ascii: "=") ? take(.notEqual, 2) : take(.other, 1)
        case UInt8(ascii: "<"):
            if at(1) == UInt8(ascii: ">") { return take(.notEqual, 2) }
            return at(1) == UInt8(ascii: "=") ? take(.lessOrEqual, 2) : take(.less, 1)
        case UInt8(ascii: ">"): return at(1) == UInt8(ascii: "=") ? take(.greaterOrEqual, 2) : take(.greater, 1)
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            return number(from: start)
        default: return take(.other, 1)
        }
    }

    private func at(_ distance: Int) -> UInt8 { index + distance < bytes.count ? bytes[index + distance] : 0 }

    private mutating func take(_ kind: PatternToken.Kind, _ length: Int) -> PatternToken {
        defer { index += length }
        return PatternToken(kind: kind, start: index, end: index + length)
    }

    private static func isIdentifierStart(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
}

// Blanks and comments.
extension PatternLexer {
    private mutating func skipBlanks() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09...0x0D: index += 1
            case UInt8(ascii: "/"):
                if at(1) == UInt8(ascii: "/") {
                    while index < bytes.count, bytes[index] != 0x0A, bytes[index] != 0x0D { index += 1 }
                } else if at(1) == UInt8(ascii: "*"), let end = endOfComment() {
                    index = end
                } else {
                    return
                }
            case 0x80...:
                let length = unicodeBlankLength()
                if length == 0 { return }
                index += length
            default: return
            }
        }
    }

    private func endOfComment() -> Int? {
        var position = index + 2
        while position + 1 < bytes.count {
            if bytes[position] == UInt8(ascii: "*"), bytes[position + 1] == UInt8(ascii: "/") { return position + 2 }
            position += 1
        }
        return nil
    }

    // U+0085, U+00A0, U+1680, U+2000–200A, U+2028, U+2029, U+202F, U+205F, U+3000 in UTF-8.
    private func unicodeBlankLength() -> Int {
        switch (bytes[index], at(1), at(2)) {
        case (0xC2, 0x85, _), (0xC2, 0xA0, _): 2
        case (0xE1, 0x9A, 0x80), (0xE2, 0x80, 0x80...0x8A), (0xE2, 0x80, 0xA8), (0xE2, 0x80, 0xA9), (0xE2, 0x80, 0xAF),
            (0xE2, 0x81, 0x9F), (0xE3, 0x80, 0x80):
            3
        default: 0
        }
    }
}

// Literals.
extension PatternLexer {
    private mutating func string(from start: Int) -> PatternToken {
        var hasEscapes = false
        var position = index + 1
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "'"):
                index = position + 1
                return PatternToken(kind: .string, start: start, end: index, hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                let escaped = position + 1 < bytes.count ? bytes[position + 1] : 0
                guard escaped == UInt8(ascii: "'") || escaped == UInt8(ascii: "\\") else {
                    index = position
                    return PatternToken(kind: .badEscape, start: position, end: position)
                }
                hasEscapes = true
                position += 2
            default: position += 1
            }
        }
        index = bytes.count
        return PatternToken(kind: .unterminatedString, start: start, end: index)
    }

    // Int: sign? (0 | [1-9][0-9]*)   Float: sign? [0-9]* '.' [0-9]+
    private mutating func number(from start: Int) -> PatternToken {
        var position = index
        let isNegative = bytes[position] == UInt8(ascii: "-")
        if isNegative || bytes[position] == UInt8(ascii: "+") { position += 1 }
        let digits = position
        while position < bytes.count, Self.isDigit(bytes[position]) { position += 1 }
        if position + 1 < bytes.count, bytes[position] == UInt8(ascii: "."), Self.isDigit(bytes[position + 1]) {
            position += 1
            while position < bytes.count, Self.isDigit(bytes[position]) { position += 1 }
            return take(isNegative ? .negativeFloat : .positiveFloat, position - start)
        }
        if position == digits { return take(bytes[start] == UInt8(ascii: ".") ? .dot : .other, 1) }
        // No leading zeros: `012` is 0 followed by 12.
        if bytes[digits] == UInt8(ascii: "0") { position = digits + 1 }
        return take(isNegative ? .negativeInteger : .positiveInteger, position - start)
    }

    private mutating func word(from start: Int) -> PatternToken {
        if at(1) == UInt8(ascii: "'"), let token = prefixedLiteral() { return token }
        var position = index + 1
        var hasHyphen = false
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "-") {
                hasHyphen = true
            } else if !Self.isIdentifierStart(byte), !Self.isDigit(byte) {
                break
            }
            position += 1
        }
        let kind = hasHyphen ? .hyphenatedIdentifier : Self.keyword(bytes[start..<position]) ?? .identifier
        return take(kind, position - start)
    }

    /// `h'…'`, `b'…'` or `t'…'`, if the content is right; otherwise the letter is an identifier.
    private mutating func prefixedLiteral() -> PatternToken? {
        guard let close = bytes[(index + 2)...].firstIndex(of: UInt8(ascii: "'")) else { return nil }
        let content = UnsafeBufferPointer(rebasing: bytes[(index + 2)..<close])
        let kind: PatternToken.Kind
        switch bytes[index] {
        case UInt8(ascii: "h") where Self.isHex(content): kind = .hex
        case UInt8(ascii: "b") where Self.isBase64(content): kind = .binary
        case UInt8(ascii: "t") where Self.isTimestamp(content): kind = .timestamp
        default: return nil
        }
        return take(kind, close + 1 - index)
    }

    private static func isHex(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        text.count % 2 == 0 && text.allSatisfy { isDigit($0) || ($0 | 0x20) &- UInt8(ascii: "a") < 6 }
    }

    private static func isBase64(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard !text.isEmpty, text.count % 4 == 0 else { return false }
        let padding = text.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
        return text.dropLast(padding).allSatisfy {
            isDigit($0) || ($0 | 0x20) &- UInt8(ascii: "a") < 26 || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "/")
        }
    }

    // 2016-01-31T23:59:60.123Z, each part within its range; whether the month has that day is not asked.
    private static func isTimestamp(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard text.count >= 20, text.last == UInt8(ascii: "Z") else { return false }
        func number(_ start: Int) -> Int? {
            guard isDigit(text[start]), isDigit(text[start + 1]) else { return nil }
            return Int(text[start] - 48) * 10 + Int(text[start + 1] - 48)
        }
        guard number(0) != nil, number(2) != nil, text[4] == UInt8(ascii: "-"), let month = number(5),
            text[7] == UInt8(ascii: "-"), let day = number(8), text[10] == UInt8(ascii: "T"), let hour = number(11),
            text[13] == UInt8(ascii: ":"), let minute = number(14), text[16] == UInt8(ascii: ":"),
            let second = number(17)
        else { return false }
        guard (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60 else {
            return false
        }
        if text.count == 20 { return true }
        return text[19] == UInt8(ascii: ".") && text.count > 21 && text[20..<(text.count - 1)].allSatisfy(isDigit)
    }
}

// Keywords: upper case, `true` and `false` lower case; any other spelling is an identifier.
extension PatternLexer {
    private static func keyword(_ word: Slice<UnsafeBufferPointer<UInt8>>) -> PatternToken.Kind? {
        func matches(_ text: StaticString) -> Bool {
            word.count == text.utf8CodeUnitCount
                && word.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        }
        guard let first = word.first, word.count >= 2, word.count <= 10 else { return nil }
        switch first {
        case UInt8(ascii: "A"): return matches("AND") ? .and : nil
        case UInt8(ascii: "O"): return matches("OR") ? .or : nil
        case UInt8(ascii: "N"): return matches("NOT") ? .not : nil
        case UInt8(ascii: "I"):
            return matches("IN") ? .in : matches("ISSUBSET") ? .isSubset : matches("ISSUPERSET") ? .isSuperset : nil
        case UInt8(ascii: "L"): return matches("LIKE") ? .like : matches("LAST") ? .last : nil
        case UInt8(ascii: "M"): return matches("MATCHES") ? .matches : nil
        case UInt8(ascii: "E"): return matches("EXISTS") ? .exists : nil
        case UInt8(ascii: "F"): return matches("FOLLOWEDBY") ? .followedBy : nil
        case UInt8(ascii: "S"):
            return matches("START") ? .start : matches("STOP") ? .stop : matches("SECONDS") ? .seconds : nil
        case UInt8(ascii: "W"): return matches("WITHIN") ? .within : nil
        case UInt8(ascii: "R"): return matches("REPEATS") ? .repeats : nil
        case UInt8(ascii: "T"): return matches("TIMES") ? .times : nil
        case UInt8(ascii: "t"): return matches("true") ? .boolean : nil
        case UInt8(ascii: "f"): return matches("false") ? .boolean : nil
        default: return nil
        }
    }
}
