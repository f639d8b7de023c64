// SPDX-License-Identifier: Apache-2.0

/// The traditional cipher of zip archives (APPNOTE.TXT 6.1), byte by byte over any pieces. It keeps nobody out who wants in:
/// here it keeps malware from being opened, or found by a scanner, by accident.
public struct ZipCipher: Sendable {
    /// Bytes of the header that stands encrypted before the content; the last one shows whether the password is right.
    public static let headerBytes = 12

    private var keys: (UInt32, UInt32, UInt32) = (0x1234_5678, 0x2345_6789, 0x3456_7890)

    public init(password: String) {
        Self.table.withUnsafeBufferPointer { table in
            for byte in password.utf8 { update(byte, table) }
        }
    }

    /// In place.
    public mutating func decrypt(_ bytes: UnsafeMutableRawBufferPointer) {
        Self.table.withUnsafeBufferPointer { table in
            var cipher = self
            for index in bytes.indices {
                let plain = bytes[index] ^ cipher.pad
                cipher.update(plain, table)
                bytes[index] = plain
            }
            self = cipher
        }
    }

    /// In place.
    public mutating func encrypt(_ bytes: UnsafeMutableRawBufferPointer) {
        Self.table.withUnsafeBufferPointer { table in
            var cipher = self
            for index in bytes.indices {
                let plain = bytes[index]
                bytes[index] = plain ^ cipher.pad
                cipher.update(plain, table)
            }
            self = cipher
        }
    }

    private var pad: UInt8 {
        let word = (keys.2 | 2) & 0xFFFF
        return UInt8(truncatingIfNeeded: (word &* (word ^ 1)) >> 8)
    }

    private mutating func update(_ byte: UInt8, _ table: UnsafeBufferPointer<UInt32>) {
        keys.0 = keys.0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: keys.0) ^ byte)]
        keys.1 = (keys.1 &+ keys.0 & 0xFF) &* 134_775_813 &+ 1
        keys.2 = keys.2 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: keys.2) ^ UInt8(truncatingIfNeeded: keys.1 >> 24))]
    }

    /// CRC-32 of each byte.
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }
}
