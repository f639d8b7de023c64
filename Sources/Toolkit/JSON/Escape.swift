// SPDX-License-Identifier: Apache-2.0

/// Escapes string contents as RFC 8785 (JCS, 3.2.2.2) wants them, which is the shortest form RFC 8259 allows.
enum Escape {
    /// Text is escaped in pieces of this many bytes, each at most six times as long afterwards.
    static let pieceSize = 160
    /// A piece at its longest, one word of overhang, comma, quotes and colon. Up to 1,024 bytes come from the stack.
    static let scratchSize = 1024

    /// Writes the escaped text and says how many bytes it has. `target` has room for six times the text and eight bytes more.
    static func write(_ text: Bytes, into target: UnsafeMutablePointer<UInt8>) -> Int {
        guard let source = text.baseAddress else { return 0 }
        var at = 0
        var written = 0
        while at + 8 <= text.count {
            let word = Word(text, at)
            // The whole word goes out; what follows its first special byte is overwritten by the next step.
            UnsafeMutableRawPointer(target + written).storeBytes(of: word.bits.littleEndian, as: UInt64.self)
            let escapes = word.escapes
            guard escapes != 0 else {
                at += 8
                written += 8
                continue
            }
            let clean = escapes.trailingZeroBitCount / 8
            written += clean
            written += escape(source[at + clean], into: target + written)
            at += clean + 1
        }
        while at < text.count {
            let byte = source[at]
            if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                target[written] = byte
                written += 1
            } else {
                written += escape(byte, into: target + written)
            }
            at += 1
        }
        return written
    }

    private static func escape(_ byte: UInt8, into target: UnsafeMutablePointer<UInt8>) -> Int {
        target[0] = UInt8(ascii: "\\")
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): target[1] = byte
        case 0x08: target[1] = UInt8(ascii: "b")
        case 0x09: target[1] = UInt8(ascii: "t")
        case 0x0A: target[1] = UInt8(ascii: "n")
        case 0x0C: target[1] = UInt8(ascii: "f")
        case 0x0D: target[1] = UInt8(ascii: "r")
        default:
            target[1] = UInt8(ascii: "u")
            target[2] = UInt8(ascii: "0")
            target[3] = UInt8(ascii: "0")
            target[4] = UInt8(ascii: "0") + byte >> 4
            let low = byte & 15
            target[5] = low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10
            return 6
        }
        return 2
    }
}
