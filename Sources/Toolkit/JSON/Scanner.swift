// SPDX-License-Identifier: Apache-2.0

import Base

typealias Bytes = UnsafeBufferPointer<UInt8>

/// Receives the parts of a valid text in order. Names and strings come with their escapes still in place.
protocol ScanHandler {
    mutating func null()
    mutating func bool(_ value: Bool)
    mutating func number(_ text: Bytes)
    mutating func string(_ text: EncodedString)
    mutating func name(_ text: EncodedString)
    mutating func begin(_ container: Container)
    mutating func end(_ container: Container)
}

enum Container {
    case array
    case object

    var closer: UInt8 { self == .array ? UInt8(ascii: "]") : UInt8(ascii: "}") }
}

/// A strict RFC 8259 scanner: the one that knows offsets and keeps number texts. simdjson does the hot path without it.
///
/// One value, no byte order mark, UTF-8 without surrogates, no control characters in strings. A lone `\uD800` escape is
/// allowed by the grammar and accepted. It loops instead of recursing, so depth costs heap and is limited.
struct Scanner<Handler: ScanHandler> {
    var handler: Handler
    private let text: Bytes
    private let limits: JSONLimits
    private var at = 0
    private var open: [Container] = []

    init(_ text: Bytes, limits: JSONLimits, handler: Handler) {
        self.text = text
        self.limits = limits
        self.handler = handler
    }

    /// Scans the whole text.
    mutating func run() throws(JSONError) {
        guard text.count <= limits.maxBytes else {
            throw JSONError(.tooLarge, offset: nil, reason: "\(text.count) bytes, the limit is \(limits.maxBytes)")
        }
        if text.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw invalid("the text starts with a byte order mark; save it as UTF-8 without one")
        }
        while true {
            skipSpace()
            if try startValue() { continue }
            if try endValue() { return }
        }
    }

    /// Scans a scalar or an empty container, or enters a container: then `true`, and its first value is next.
    private mutating func startValue() throws(JSONError) -> Bool {
        switch peek {
        case UInt8(ascii: "{"): return try enter(.object)
        case UInt8(ascii: "["): return try enter(.array)
        case UInt8(ascii: "\""): handler.string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): handler.number(try number())
        case UInt8(ascii: "t"):
            try literal("true")
            handler.bool(true)
        case UInt8(ascii: "f"):
            try literal("false")
            handler.bool(false)
        case UInt8(ascii: "n"):
            try literal("null")
            handler.null()
        default: throw invalid(open.isEmpty && isAtEnd ? "the text is empty" : "expected a value")
        }
        return false
    }

    private mutating func enter(_ container: Container) throws(JSONError) -> Bool {
        let start = at
        at += 1
        skipSpace()
        handler.begin(container)
        if peek == container.closer {
            at += 1
            handler.end(container)
            return false
        }
        guard open.count < limits.maxDepth else {
            throw JSONError(.tooDeep, offset: start, reason: "the limit is \(limits.maxDepth) levels")
        }
        open.append(container)
        if container == .object { try name() }
        return true
    }

    /// After a value: closes what ends here. `true` when the text is complete, `false` when another value follows.
    private mutating func endValue() throws(JSONError) -> Bool {
        while let container = open.last {
            skipSpace()
            let byte = peek
            if byte == UInt8(ascii: ",") {
                at += 1
                skipSpace()
                if container == .object { try name() }
                return false
            }
            guard byte == container.closer else {
                throw invalid(container == .array ? "expected a comma or ]" : "expected a comma or }")
            }
            at += 1
            open.removeLast()
            handler.end(container)
        }
        skipSpace()
        guard isAtEnd else { throw invalid("unexpected text after the value") }
        return true
    }

    private mutating func name() throws(JSONError) {
        guard peek == UInt8(ascii: "\"") else { throw invalid("expected a member's name in double quotes") }
        handler.name(try string())
        skipSpace()
        guard peek == UInt8(ascii: ":") else { throw invalid("expected a colon after the member's name") }
        at += 1
    }

    private mutating func literal(_ word: StaticString) throws(JSONError) {
        for index in 0..<word.utf8CodeUnitCount {
            guard peek == word.utf8Start[index] else { throw invalid("expected \(word)") }
            at += 1
        }
    }

    // MARK: Numbers

    private mutating func number() throws(JSONError) -> Bytes {
        let start = at
        if peek == UInt8(ascii: "-") { at += 1 }
        if peek == UInt8(ascii: "0") {
            at += 1
            if isDigit(peek) { throw invalid("a number may not start with 0") }
        } else {
            try digits()
        }
        if peek == UInt8(ascii: ".") {
            at += 1
            try digits()
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            at += 1
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { at += 1 }
            try digits()
        }
        return Bytes(rebasing: text[start..<at])
    }

    private mutating func digits() throws(JSONError) {
        guard isDigit(peek) else { throw invalid("expected a digit") }
        while isDigit(peek) { at += 1 }
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    // MARK: Strings

    private mutating func string() throws(JSONError) -> EncodedString {
        let start = at
        at += 1
        var hasEscapes = false
        while true {
            while at + 8 <= text.count, !Word(text, at).needsCare { at += 8 }
            guard !isAtEnd else { throw invalid("the string that starts at byte \(start) is not closed") }
            switch text[at] {
            case UInt8(ascii: "\""):
                at += 1
                return EncodedString(raw: Bytes(rebasing: text[(start + 1)..<(at - 1)]), hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try escape()
            case 0..<0x20: throw invalid("a control character in a string must be escaped")
            case 0..<0x80: at += 1
            default:
                let length = UTF8Sequence.length(text, at)
                guard length > 0 else { throw invalid("the text is not valid UTF-8") }
                at += length
            }
        }
    }

    private mutating func escape() throws(JSONError) {
        let start = at
        at += 1
        switch peek {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            at += 1
        case UInt8(ascii: "u"):
            at += 1
            for _ in 0..<4 {
                guard Hex.nibble(peek) != nil else { throw invalid("\\u needs four hexadecimal digits") }
                at += 1
            }
        default:
            at = start
            throw invalid("unknown escape in a string")
        }
    }

    // MARK: Position

    private var isAtEnd: Bool { at == text.count }

    /// The next byte, 0 at the end: no rule of the grammar takes a NUL.
    private var peek: UInt8 { at < text.count ? text[at] : 0 }

    private mutating func skipSpace() {
        while at < text.count, case let byte = text[at], byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            at += 1
        }
    }

    private func invalid(_ reason: String) -> JSONError {
        guard !isAtEnd || text.isEmpty else {
            return JSONError(.invalid, offset: at, reason: "the text ends early, \(reason)")
        }
        return JSONError(.invalid, offset: at, reason: reason)
    }
}
