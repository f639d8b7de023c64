// SPDX-License-Identifier: Apache-2.0

import Base
import CSQLite

/// How a target's own id is kept: 64 lower-case hexadecimal digits, which is what Falcon's are, as a BLOB of 32 bytes;
/// anything else as TEXT. A million of them, twice (ledger and history), are 64 MB less.
enum RemoteID {
    static func bind(_ text: String, to statement: SQLiteStatement, at index: Int32) {
        if let packed = pack(text) { statement.bind(index, packed) } else { statement.bind(index, text) }
    }

    static func read(_ row: SQLiteStatement, _ column: Int32) -> String {
        row.isBlob(column) ? row.withBytes(column) { unpack($0) } : row.text(column)
    }

    static func pack(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { digits in
            guard digits.count == 64 else { return nil }
            var isHex = true
            let bytes = [UInt8](unsafeUninitializedCapacity: 32) { bytes, count in
                for index in 0..<32 {
                    let high = Self.nibble(digits[2 * index])
                    let low = Self.nibble(digits[2 * index + 1])
                    isHex = isHex && high | low < 16
                    bytes[index] = high << 4 | low & 15
                }
                count = 32
            }
            return isHex ? bytes : nil
        }
    }

    static func unpack(_ bytes: UnsafeRawBufferPointer) -> String {
        let digits: StaticString = "0123456789abcdef"
        return String(unsafeUninitializedCapacity: bytes.count * 2) { text in
            for (index, byte) in bytes.enumerated() {
                text[2 * index] = digits.utf8Start[Int(byte >> 4)]
                text[2 * index + 1] = digits.utf8Start[Int(byte & 15)]
            }
            return bytes.count * 2
        }
    }

    /// Lower case only, so that the text comes back as it was; 255 for anything else.
    private static func nibble(_ digit: UInt8) -> UInt8 {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: 255
        }
    }
}
