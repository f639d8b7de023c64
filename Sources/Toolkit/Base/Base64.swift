// SPDX-License-Identifier: Apache-2.0

/// Base64 (RFC 4648, 4 and 5).
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// With padding.
    public static func encode(_ bytes: [UInt8]) -> String {
        String(unsafeUninitializedCapacity: encodedCount(bytes.count)) { encode(bytes, into: $0) }
    }

    /// A JSON string: no character of it needs an escape.
    public static func quoted(_ bytes: [UInt8]) -> [UInt8] {
        let count = encodedCount(bytes.count) + 2
        return [UInt8](unsafeUninitializedCapacity: count) { output, used in
            output[0] = UInt8(ascii: "\"")
            _ = encode(bytes, into: UnsafeMutableBufferPointer(rebasing: output[1..<(count - 1)]))
            output[count - 1] = UInt8(ascii: "\"")
            used = count
        }
    }

    private static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

    private static func encode(_ bytes: [UInt8], into output: UnsafeMutableBufferPointer<UInt8>) -> Int {
        var to = 0
        var from = 0
        alphabet.withUnsafeBufferPointer { digits in
            bytes.withUnsafeBufferPointer { bytes in
                while from < bytes.count {
                    let left = bytes.count - from
                    let first = UInt32(bytes[from]) << 16
                    let second = left > 1 ? UInt32(bytes[from + 1]) << 8 : 0
                    let third = left > 2 ? UInt32(bytes[from + 2]) : 0
                    let group = first | second | third
                    output[to] = digits[Int(group >> 18)]
                    output[to + 1] = digits[Int(group >> 12 & 63)]
                    output[to + 2] = left > 1 ? digits[Int(group >> 6 & 63)] : UInt8(ascii: "=")
                    output[to + 3] = left > 2 ? digits[Int(group & 63)] : UInt8(ascii: "=")
                    from += 3
                    to += 4
                }
            }
        }
        return to
    }

    /// The standard or the URL-safe alphabet, with or without padding; `nil` for anything else.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let decoded = text.utf8.withContiguousStorageIfAvailable { decode($0) }
        return decoded ?? Array(text.utf8).withUnsafeBufferPointer { decode($0) }
    }

    private static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        var count = text.count
        while count > 0, text[count - 1] == UInt8(ascii: "=") { count -= 1 }
        let padding = text.count - count
        guard padding <= 2, padding == 0 || text.count % 4 == 0, count % 4 != 1 else { return nil }
        var isValid = true
        let bytes = [UInt8](unsafeUninitializedCapacity: count / 4 * 3 + 3) { output, used in
            values.withUnsafeBufferPointer { values in
                var from = 0
                while from < count {
                    // Digits that are not there count as zeros.
                    var group: UInt32 = 0
                    for place in 0..<4 {
                        let value = from + place < count ? values[Int(text[from + place])] : 0
                        isValid = isValid && value < 64
                        group = group << 6 | UInt32(value & 63)
                    }
                    output[used] = UInt8(truncatingIfNeeded: group >> 16)
                    output[used + 1] = UInt8(truncatingIfNeeded: group >> 8)
                    output[used + 2] = UInt8(truncatingIfNeeded: group)
                    from += 4
                    used += 3
                }
            }
            used = count * 3 / 4
        }
        return isValid ? bytes : nil
    }

    /// By character; 255 for those of neither alphabet.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: .max, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        (values[Int(UInt8(ascii: "-"))], values[Int(UInt8(ascii: "_"))]) = (62, 63)
        return values
    }()
}
