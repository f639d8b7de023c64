// SPDX-License-Identifier: Apache-2.0

import Base

/// The inside of a JSON string as it stands in a valid text, escapes still in place.
struct EncodedString {
    let raw: Bytes
    let hasEscapes: Bool

    /// The decoded text. A lone surrogate escape becomes U+FFFD: it has no UTF-8 form, and refusing it would lose the event.
    var decoded: String {
        guard hasEscapes else { return String(decoding: raw, as: UTF8.self) }
        return String(unsafeUninitializedCapacity: raw.count) { decode(into: $0.baseAddress) }
    }

    /// Writes the decoded bytes and says how many; there are never more than in `raw`. A broken `\u` escape, which only an
    /// unchecked text can have, decodes to something without reading past the end.
    func decode(into target: UnsafeMutablePointer<UInt8>?) -> Int {
        guard let target else { return 0 }
        var written = 0
        var at = 0
        while at < raw.count {
            let byte = raw[at]
            guard byte == UInt8(ascii: "\\") else {
                target[written] = byte
                written += 1
                at += 1
                continue
            }
            let escape = at + 1 < raw.count ? raw[at + 1] : byte
            at += 2
            switch escape {
            case UInt8(ascii: "b"): target[written] = 0x08
            case UInt8(ascii: "f"): target[written] = 0x0C
            case UInt8(ascii: "n"): target[written] = 0x0A
            case UInt8(ascii: "r"): target[written] = 0x0D
            case UInt8(ascii: "t"): target[written] = 0x09
            case UInt8(ascii: "u"):
                let scalar = unicodeScalar(&at)
                for unit in UTF8.encode(scalar).unsafelyUnwrapped {
                    target[written] = unit
                    written += 1
                }
                continue
            default: target[written] = escape
            }
            written += 1
        }
        return written
    }

    /// The scalar of a `\u` escape whose digits start at `at`, with the second half of a pair when there is one.
    private func unicodeScalar(_ at: inout Int) -> Unicode.Scalar {
        let first = codeUnit(at)
        at += 4
        if first & 0xFC00 == 0xD800, at + 6 <= raw.count, raw[at] == UInt8(ascii: "\\"),
            raw[at + 1] == UInt8(ascii: "u")
        {
            let second = codeUnit(at + 2)
            if second & 0xFC00 == 0xDC00 {
                at += 6
                return Unicode.Scalar(0x10000 + (first & 0x3FF) << 10 + second & 0x3FF) ?? "\u{FFFD}"
            }
        }
        return Unicode.Scalar(first) ?? "\u{FFFD}"
    }

    private func codeUnit(_ start: Int) -> UInt32 {
        var value: UInt32 = 0
        for index in start..<(start + 4) {
            value = value << 4 | (index < raw.count ? UInt32(Hex.nibble(raw[index]) ?? 0) : 0)
        }
        return value
    }
}

/// Well-formed UTF-8 (Unicode 15, table 3-7): shortest forms only, no surrogates, nothing beyond U+10FFFF.
enum UTF8Sequence {
    /// How many bytes the non-ASCII character at `at` has, 0 when it is ill-formed or cut off.
    static func length(_ text: Bytes, _ at: Int) -> Int {
        func follows(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
            at + offset < text.count && range.contains(text[at + offset])
        }
        return switch text[at] {
        case 0xC2...0xDF: follows(1) ? 2 : 0
        case 0xE0: follows(1, 0xA0...0xBF) && follows(2) ? 3 : 0
        case 0xED: follows(1, 0x80...0x9F) && follows(2) ? 3 : 0
        case 0xE1...0xEF: follows(1) && follows(2) ? 3 : 0
        case 0xF0: follows(1, 0x90...0xBF) && follows(2) && follows(3) ? 4 : 0
        case 0xF1...0xF3: follows(1) && follows(2) && follows(3) ? 4 : 0
        case 0xF4: follows(1, 0x80...0x8F) && follows(2) && follows(3) ? 4 : 0
        default: 0
        }
    }
}

/// Eight bytes of text examined at once.
struct Word {
    let bits: UInt64

    init(_ text: Bytes, _ at: Int) {
        // Unaligned on purpose: texts start anywhere.
        bits = UInt64(
            littleEndian: UnsafeRawPointer(text.baseAddress.unsafelyUnwrapped + at).loadUnaligned(as: UInt64.self))
    }

    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let tops: UInt64 = 0x8080_8080_8080_8080

    private static func zeroes(_ bits: UInt64) -> UInt64 { (bits &- ones) & ~bits & tops }

    /// The top bit of each byte that a JSON string must escape: quote, backslash, below 0x20. Exact up to the lowest one set,
    /// which is the first in the text; a borrow can set further ones by mistake.
    var escapes: UInt64 {
        Self.zeroes(bits ^ (Self.ones &* 0x22)) | Self.zeroes(bits ^ (Self.ones &* 0x5C))
            | (bits &- (Self.ones &* 0x20)) & ~bits & Self.tops
    }

    /// Whether one of the bytes needs an escape or is not ASCII.
    var needsCare: Bool { escapes | (bits & Self.tops) != 0 }
}
