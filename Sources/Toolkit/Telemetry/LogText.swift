// SPDX-License-Identifier: Apache-2.0

/// Bytes of a line under construction. What comes from outside can neither end the line nor talk to the terminal.
struct LogText {
    /// Longer values are cut; a log is no place for bodies.
    static let maxValueBytes = 8192

    var bytes: [UInt8] = []

    mutating func append(_ text: StaticString) { text.withUTF8Buffer { bytes.append(contentsOf: $0) } }
    mutating func append(plain text: String) { bytes.append(contentsOf: text.utf8) }

    /// A JSON string with its quotes.
    mutating func append(quoted text: String) {
        append("\"")
        var text = text
        text.withUTF8 { append(escaping: $0) }
        append("\"")
    }

    mutating func append(quoted text: StaticString) {
        append("\"")
        text.withUTF8Buffer { append(escaping: $0) }
        append("\"")
    }

    /// As it is when it is one plain word, else quoted as in JSON.
    mutating func append(word text: String) {
        let isPlain =
            !text.isEmpty
            && text.utf8.allSatisfy { byte in
                byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
                    && byte != UInt8(ascii: "=")
            }
        if isPlain && text.utf8.count <= Self.maxValueBytes { append(plain: text) } else { append(quoted: text) }
    }

    /// Escapes quotes, backslashes, control characters (C0, DEL, C1), line and paragraph separators and the characters
    /// that turn the direction of writing: they could hide the rest of a line on a screen.
    private mutating func append(escaping utf8: UnsafeBufferPointer<UInt8>) {
        var end = utf8.count
        if end > Self.maxValueBytes {
            end = Self.maxValueBytes
            while end > 0, utf8[end] & 0xC0 == 0x80 { end -= 1 }
        }
        bytes.reserveCapacity(bytes.count + end + 8)
        var index = 0
        while index < end {
            let byte = utf8[index]
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                append("\\")
                bytes.append(byte)
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\r"): append("\\r")
            case UInt8(ascii: "\t"): append("\\t")
            case 0..<0x20, 0x7F: append(codePoint: UInt16(byte))
            case 0xC2 where index + 1 < end && utf8[index + 1] < 0xA0:
                append(codePoint: UInt16(utf8[index + 1]))
                index += 1
            case 0xE2 where index + 2 < end && Self.isUnsafe(utf8[index + 1], utf8[index + 2]):
                append(codePoint: 0x2000 | UInt16(utf8[index + 1] & 0x3F) << 6 | UInt16(utf8[index + 2] & 0x3F))
                index += 2
            default: bytes.append(byte)
            }
            index += 1
        }
        if end < utf8.count { append("…") }
    }

    /// U+200E, U+200F, U+2028–U+202E and U+2066–U+2069, by the two bytes after E2.
    private static func isUnsafe(_ second: UInt8, _ third: UInt8) -> Bool {
        (second == 0x80 && ((0xA8...0xAE).contains(third) || third == 0x8E || third == 0x8F))
            || (second == 0x81 && (0xA6...0xA9).contains(third))
    }

    private mutating func append(codePoint: UInt16) {
        let digits: StaticString = "0123456789abcdef"
        append("\\u")
        for shift in [12, 8, 4, 0] { bytes.append(digits.utf8Start[Int(codePoint >> UInt16(shift)) & 15]) }
    }
}
