// SPDX-License-Identifier: Apache-2.0

/// simdjson's DOM tape: 64-bit words, the tag in the top byte, 56 bits of payload.
///
/// A container's first word holds the index after its end in the low 32 bits; a string's word holds an offset into the string
/// buffer, where a 32-bit length precedes the bytes; the value of an integer or double is the word that follows.
/// Source: `simdjson/simdjson: doc/tape.md`.
enum Tape {
    static let root = UInt8(ascii: "r")
    static let beginArray = UInt8(ascii: "[")
    static let endArray = UInt8(ascii: "]")
    static let beginObject = UInt8(ascii: "{")
    static let endObject = UInt8(ascii: "}")
    static let string = UInt8(ascii: "\"")
    static let int64 = UInt8(ascii: "l")
    static let uint64 = UInt8(ascii: "u")
    static let double = UInt8(ascii: "d")
    static let isTrue = UInt8(ascii: "t")
    static let isFalse = UInt8(ascii: "f")
    static let null = UInt8(ascii: "n")
    /// Ours, not simdjson's: a number that fits none of the three kinds, its text stored as a string's.
    static let numberText = UInt8(ascii: "N")

    static let payloadMask: UInt64 = 0x00FF_FFFF_FFFF_FFFF
}

/// Builds the tape for the valid texts that simdjson refuses: numbers beyond its range, lone surrogate escapes. Slow and rare.
struct TapeBuilder: ScanHandler {
    private(set) var words: [UInt64] = [UInt64(Tape.root) << 56]
    private(set) var strings: [UInt8] = []
    private var starts: [Int] = []

    private mutating func add(_ tag: UInt8, _ payload: Int = 0) { words.append(UInt64(tag) << 56 | UInt64(payload)) }

    mutating func null() { add(Tape.null) }
    mutating func bool(_ value: Bool) { add(value ? Tape.isTrue : Tape.isFalse) }

    mutating func number(_ text: Bytes) {
        let digits = String(decoding: text, as: UTF8.self)
        if let value = Int64(digits) {
            add(Tape.int64)
            words.append(UInt64(bitPattern: value))
        } else if let value = UInt64(digits) {
            add(Tape.uint64)
            words.append(value)
        } else if text.contains(where: { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }),
            let value = Double(digits), value.isFinite
        {
            add(Tape.double)
            words.append(value.bitPattern)
        } else {
            store(Tape.numberText, EncodedString(raw: text, hasEscapes: false))
        }
    }

    mutating func string(_ text: EncodedString) { store(Tape.string, text) }
    mutating func name(_ text: EncodedString) { store(Tape.string, text) }

    private mutating func store(_ tag: UInt8, _ text: EncodedString) {
        add(tag, strings.count)
        var decoded = text.decoded
        decoded.withUTF8 { utf8 in
            withUnsafeBytes(of: UInt32(utf8.count)) { strings.append(contentsOf: $0) }
            strings.append(contentsOf: utf8)
        }
    }

    mutating func begin(_ container: Container) {
        starts.append(words.count)
        add(container == .array ? Tape.beginArray : Tape.beginObject)
    }

    mutating func end(_ container: Container) {
        let start = starts.removeLast()
        add(container == .array ? Tape.endArray : Tape.endObject, start)
        words[start] |= UInt64(words.count)
    }
}
