// SPDX-License-Identifier: Apache-2.0

/// One IPv4 or IPv6 address.
///
/// Reading is strict: four decimal octets without leading zeros (`010.0.0.1` means different hosts to different
/// programs), or RFC 4291 groups, the last two also in IPv4 form. Zone ids, prefixes and ports are refused.
public enum IPAddress: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// In host order: 192.0.2.1 is 0xC0000201.
    case v4(UInt32)
    /// The first and the last eight bytes, in host order.
    case v6(high: UInt64, low: UInt64)

    /// `nil` if the text is no address.
    public init?(parsing text: some StringProtocol) {
        guard
            let address = text.utf8.withContiguousStorageIfAvailable({ IPAddress(parsing: $0) })
                ?? Array(text.utf8).withUnsafeBufferPointer({ IPAddress(parsing: $0) })
        else { return nil }
        self = address
    }

    /// The same over ASCII bytes.
    public init?(parsing bytes: UnsafeBufferPointer<UInt8>) {
        // A colon stands in every IPv6 address and in no IPv4 address; the longest form has 45 characters.
        guard bytes.count <= 45 else { return nil }
        if bytes.contains(UInt8(ascii: ":")) {
            guard let (high, low) = Self.v6Bits(bytes) else { return nil }
            self = .v6(high: high, low: low)
        } else {
            guard let bits = Self.v4Bits(bytes) else { return nil }
            self = .v4(bits)
        }
    }

    /// The canonical text: four octets, or RFC 5952 (lower case, the longest run of zero groups as `::`, an IPv4-mapped
    /// address in the mixed notation `::ffff:192.0.2.1`).
    public var description: String {
        switch self {
        case .v4(let bits): Self.text(ofV4: bits)
        case .v6(let high, let low): Self.text(ofV6: high, low)
        }
    }

    /// Whether the address belongs to IPv4. An IPv4-mapped IPv6 address does not; see ``unmapped``.
    public var isV4: Bool { if case .v4 = self { true } else { false } }

    /// The IPv4 address inside `::ffff:0:0/96`, else the address itself. What reaches the same host compares equal after
    /// this, so range checks go through it.
    public var unmapped: IPAddress {
        if case .v6(0, let low) = self, low >> 32 == 0xFFFF { return .v4(UInt32(truncatingIfNeeded: low)) }
        return self
    }

    /// IPv4 before IPv6, then by value.
    public static func < (left: IPAddress, right: IPAddress) -> Bool {
        switch (left, right) {
        case (.v4(let left), .v4(let right)): left < right
        case (.v6(let leftHigh, let leftLow), .v6(let rightHigh, let rightLow)):
            (leftHigh, leftLow) < (rightHigh, rightLow)
        case (.v4, .v6): true
        case (.v6, .v4): false
        }
    }
}

// Reading.
extension IPAddress {
    private static func v4Bits(_ bytes: some Collection<UInt8>) -> UInt32? {
        var bits: UInt32 = 0
        var octet: UInt32 = 0
        var digits = 0
        var dots = 0
        for byte in bytes {
            if byte == UInt8(ascii: ".") {
                guard digits > 0, dots < 3 else { return nil }
                bits = bits << 8 | octet
                octet = 0
                digits = 0
                dots += 1
                continue
            }
            let digit = UInt32(byte &- UInt8(ascii: "0"))
            // A zero may only stand alone.
            guard digit < 10, digits == 0 || octet != 0 else { return nil }
            octet = octet * 10 + digit
            digits += 1
            guard octet <= 255 else { return nil }
        }
        guard dots == 3, digits > 0 else { return nil }
        return bits << 8 | octet
    }

    private static func v6Bits(_ bytes: UnsafeBufferPointer<UInt8>) -> (UInt64, UInt64)? {
        var groups: (high: UInt64, low: UInt64) = (0, 0)  // the groups read so far, right-aligned
        var count = 0
        var elided: Int?  // groups before the `::`
        var index = 0
        func append(_ group: UInt64) {
            groups = (groups.high << 16 | groups.low >> 48, groups.low << 16 | group)
            count += 1
        }
        if bytes.count >= 2, bytes[0] == UInt8(ascii: ":") {
            guard bytes[1] == UInt8(ascii: ":") else { return nil }
            elided = 0
            index = 2
        }
        while index < bytes.count {
            let start = index
            var group: UInt64 = 0
            while index < bytes.count, let digit = hexDigit(bytes[index]) {
                group = group << 4 | digit
                index += 1
                guard index - start <= 4 else { return nil }
            }
            if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
                guard count <= 6, let bits = v4Bits(bytes[start...]) else { return nil }
                append(UInt64(bits >> 16))
                append(UInt64(bits & 0xFFFF))
                index = bytes.count
                break
            }
            guard index > start, count < 8 else { return nil }
            append(group)
            if index == bytes.count { break }
            guard bytes[index] == UInt8(ascii: ":"), index + 1 < bytes.count else { return nil }
            index += 1
            if bytes[index] == UInt8(ascii: ":") {
                guard elided == nil else { return nil }
                elided = count
                index += 1
            }
        }
        guard let elided else { return count == 8 ? groups : nil }
        // `::` stands for at least one group (RFC 5952 would write a single one as 0, but it may be read).
        guard count < 8 else { return nil }
        // Move the groups before the `::` to the front.
        let after = count - elided
        let tail = shiftedRight(shiftedLeft(groups, by: 128 - 16 * after), by: 128 - 16 * after)
        let head = shiftedLeft(shiftedRight(groups, by: 16 * after), by: 128 - 16 * elided)
        return (head.0 | tail.0, head.1 | tail.1)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    // Swift's shifts by the width or more give zero, which is what these need.
    private static func shiftedLeft(_ bits: (UInt64, UInt64), by count: Int) -> (UInt64, UInt64) {
        (bits.0 << count | (count < 64 ? bits.1 >> (64 - count) : bits.1 << (count - 64)), bits.1 << count)
    }

    private static func shiftedRight(_ bits: (UInt64, UInt64), by count: Int) -> (UInt64, UInt64) {
        (bits.0 >> count, bits.1 >> count | (count < 64 ? bits.0 << (64 - count) : bits.0 >> (count - 64)))
    }
}

// Writing.
extension IPAddress {
    private static func text(ofV4 bits: UInt32) -> String {
        String(unsafeUninitializedCapacity: 15) { buffer in
            var length = 0
            for shift in stride(from: UInt32(24), through: 0, by: -8) {
                let octet = UInt8(truncatingIfNeeded: bits >> shift)
                if octet >= 100 { append(octet / 100) }
                if octet >= 10 { append(octet / 10 % 10) }
                append(octet % 10)
                if shift > 0 {
                    buffer[length] = UInt8(ascii: ".")
                    length += 1
                }
            }
            func append(_ digit: UInt8) {
                buffer[length] = UInt8(ascii: "0") + digit
                length += 1
            }
            return length
        }
    }

    private static func text(ofV6 high: UInt64, _ low: UInt64) -> String {
        if high == 0, low >> 32 == 0xFFFF { return "::ffff:" + text(ofV4: UInt32(truncatingIfNeeded: low)) }
        func group(_ index: Int) -> UInt64 { (index < 4 ? high : low) >> UInt64(48 - 16 * (index & 3)) & 0xFFFF }
        // The first of the longest runs of two or more zero groups.
        var run = (start: 8, length: 1)
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, group(end) == 0 { end += 1 }
            if end - start > run.length { run = (start, end - start) }
            start = max(end, start + 1)
        }
        return String(unsafeUninitializedCapacity: 39) { buffer in
            var length = 0
            func append(_ byte: UInt8) {
                buffer[length] = byte
                length += 1
            }
            var index = 0
            while index < 8 {
                if index == run.start {
                    append(UInt8(ascii: ":"))
                    append(UInt8(ascii: ":"))
                    index += run.length
                    continue
                }
                if index > 0, index != run.start + run.length { append(UInt8(ascii: ":")) }
                let value = group(index)
                var shift: UInt64 = value > 0xFFF ? 12 : value > 0xFF ? 8 : value > 0xF ? 4 : 0
                while true {
                    let digit = UInt8(value >> shift & 0xF)
                    append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
                    if shift == 0 { break }
                    shift -= 4
                }
                index += 1
            }
            return length
        }
    }
}
