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
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 4 * 3 + 3)
        var group: UInt32 = 0
        var count = 0
        var padding = 0
        for byte in text.utf8 {
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let digit = value(of: byte) else { return nil }
            group = group << 6 | UInt32(digit)
            count += 1
            if count % 4 == 0 {
                bytes.append(UInt8(truncatingIfNeeded: group >> 16))
                bytes.append(UInt8(truncatingIfNeeded: group >> 8))
                bytes.append(UInt8(truncatingIfNeeded: group))
                group = 0
            }
        }
        guard padding <= 2, padding == 0 || (count + padding) % 4 == 0 else { return nil }
        switch count % 4 {
        case 0: return bytes
        case 2:
            bytes.append(UInt8(truncatingIfNeeded: group >> 4))
            return bytes
        case 3:
            bytes.append(UInt8(truncatingIfNeeded: group >> 10))
            bytes.append(UInt8(truncatingIfNeeded: group >> 2))
            return bytes
        default: return nil
        }
    }

    private static func value(of byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
