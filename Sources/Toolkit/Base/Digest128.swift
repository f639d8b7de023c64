// SPDX-License-Identifier: Apache-2.0

/// Sixteen bytes that name something: a ledger key, a content digest, a UUID. Ordered as its bytes are (memcmp), which is
/// also the order of SQLite's BLOB keys.
public struct Digest128: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Bytes 0–7 and 8–15, big-endian.
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The first sixteen of `bytes`; `nil` when there are fewer.
    public init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 16 else { return nil }
        high = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// A UUID in its text form, any case: `0f7c8a3e-3a5d-4c39-9f7d-2f4a0e6a2b10`.
    public init?(uuid text: some StringProtocol) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var digits = 0
        var index = 0
        for byte in text.utf8 {
            defer { index += 1 }
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard digits < 32, let nibble = Hex.nibble(byte) else { return nil }
            if digits < 16 { high = high << 4 | UInt64(nibble) } else { low = low << 4 | UInt64(nibble) }
            digits += 1
        }
        guard digits == 32, index == 36 else { return nil }
        self.init(high: high, low: low)
    }

    public static func < (left: Digest128, right: Digest128) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }

    public func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let pair = (high.bigEndian, low.bigEndian)
        // `withUnsafeBytes(of:)` does not carry typed throws through, hence the detour over a Result.
        let result = Swift.withUnsafeBytes(of: pair) { bytes -> Swift.Result<Result, Failure> in
            do throws(Failure) { return .success(try body(bytes)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// 32 lower-case hexadecimal digits.
    public var description: String { withUnsafeBytes { Hex.encode($0) } }

    /// The UUID text form of the sixteen bytes.
    public var uuidDescription: String {
        let hex = Array(description.utf8)
        let parts = [hex[0..<8], hex[8..<12], hex[12..<16], hex[16..<20], hex[20..<32]]
        return parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "-")
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(low) }
}

/// Hexadecimal text.
public enum Hex {
    /// The value of a digit of either case.
    @inlinable
    public static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Lower case, two digits a byte.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        let digits: StaticString = "0123456789abcdef"
        return String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            var index = 0
            for byte in bytes {
                buffer[index] = digits.utf8Start[Int(byte >> 4)]
                buffer[index + 1] = digits.utf8Start[Int(byte & 15)]
                index += 2
            }
            return index
        }
    }

    /// `nil` for an odd count of digits or anything that is no digit.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var pending: UInt8?
        for digit in text.utf8 {
            guard let value = nibble(digit) else { return nil }
            if let first = pending {
                bytes.append(first << 4 | value)
                pending = nil
            } else {
                pending = value
            }
        }
        return pending == nil ? bytes : nil
    }
}
