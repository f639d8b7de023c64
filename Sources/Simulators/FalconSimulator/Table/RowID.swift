// SPDX-License-Identifier: Apache-2.0

import Base

/// Ids of 64 hexadecimal digits that need no table: the first sixteen are the row number, scrambled reversibly; the rest
/// follow from them, so that no other text passes for an id.
struct RowID {
    let salt: UInt64

    func text(of row: Int) -> String {
        let first = Self.scramble(UInt64(row) &+ salt)
        var words = first
        return String(unsafeUninitializedCapacity: 64) { buffer in
            var index = 0
            for _ in 0..<4 {
                for shift in stride(from: 60, through: 0, by: -4) {
                    let nibble = UInt8(words >> UInt64(shift) & 15)
                    buffer[index] = nibble < 10 ? 48 + nibble : 87 + nibble
                    index += 1
                }
                words = Self.scramble(words &+ 1)
            }
            return 64
        }
    }

    /// The row of an id that ``text(of:)`` made.
    func row(of text: String) -> Int? {
        guard text.utf8.count == 64 else { return nil }
        var first: UInt64 = 0
        for digit in text.utf8.prefix(16) {
            guard let nibble = Hex.nibble(digit) else { return nil }
            first = first << 4 | UInt64(nibble)
        }
        let row = Self.unscramble(first) &- salt
        guard row < 1 << 32, self.text(of: Int(row)) == text.lowercased() else { return nil }
        return Int(row)
    }

    // The finalizer of SplitMix64 (public domain, S. Vigna) and its inverse.
    static func scramble(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    static func unscramble(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 31) ^ (mixed >> 62)) &* 0x3196_42B2_D24D_8EC3
        mixed = (mixed ^ (mixed >> 27) ^ (mixed >> 54)) &* 0x96DE_1B17_3F11_9089
        return mixed ^ (mixed >> 30) ^ (mixed >> 60)
    }
}
