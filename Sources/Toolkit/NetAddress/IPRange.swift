// SPDX-License-Identifier: Apache-2.0

/// A CIDR block: `10.0.0.0/8`, `2001:db8::/32`.
public struct IPRange: Sendable, Hashable, CustomStringConvertible {
    /// The first address; bits beyond the prefix are zero.
    public let network: IPAddress
    /// 0…32 for IPv4, 0…128 for IPv6.
    public let prefixLength: Int

    /// Reads an address with or without prefix (then a single address). Bits beyond the prefix are cleared, as every
    /// router does. `nil` for a wrong address, a prefix out of range, or one with a sign or leading zeros.
    public init?(parsing text: some StringProtocol) {
        guard
            let range = text.utf8.withContiguousStorageIfAvailable({ IPRange(parsing: $0) })
                ?? Array(text.utf8).withUnsafeBufferPointer({ IPRange(parsing: $0) })
        else { return nil }
        self = range
    }

    /// The same over ASCII bytes.
    public init?(parsing bytes: UnsafeBufferPointer<UInt8>) {
        // The slash stands within the last four bytes, if anywhere: `/128`.
        let slash = bytes.lastIndex(of: UInt8(ascii: "/"))
        guard let address = IPAddress(parsing: UnsafeBufferPointer(rebasing: bytes[..<(slash ?? bytes.count)])) else {
            return nil
        }
        var prefixLength = address.isV4 ? 32 : 128
        if let slash {
            let digits = bytes[(slash + 1)...]
            guard (1...3).contains(digits.count), digits.count == 1 || digits.first != UInt8(ascii: "0") else {
                return nil
            }
            var value = 0
            for byte in digits {
                let digit = Int(byte) - 48
                guard (0...9).contains(digit) else { return nil }
                value = value * 10 + digit
            }
            guard value <= prefixLength else { return nil }
            prefixLength = value
        }
        self.init(address, prefixLength: prefixLength)
    }

    /// - Parameter prefixLength: cut to what the family has.
    public init(_ address: IPAddress, prefixLength: Int) {
        self.prefixLength = max(0, min(prefixLength, address.isV4 ? 32 : 128))
        network = address.masked(to: self.prefixLength)
    }

    /// The address of a full prefix (`/32`, `/128`), else `nil`.
    public var singleAddress: IPAddress? { prefixLength == (network.isV4 ? 32 : 128) ? network : nil }

    /// Whether the address lies in the block. An IPv4-mapped IPv6 address is looked up as the IPv4 address it reaches,
    /// unless the block itself is an IPv6 one.
    public func contains(_ address: IPAddress) -> Bool {
        let address = network.isV4 ? address.unmapped : address
        return address.isV4 == network.isV4 && address.masked(to: prefixLength) == network
    }

    /// Whether every address of `other` lies in this block.
    public func contains(_ other: IPRange) -> Bool {
        other.network.isV4 == network.isV4 && other.prefixLength >= prefixLength && contains(other.network)
    }

    /// Canonical: `10.0.0.0/8`; the prefix is always written.
    public var description: String { "\(network)/\(prefixLength)" }
}

extension IPAddress {
    fileprivate func masked(to prefixLength: Int) -> IPAddress {
        // Swift's shift by the full width gives zero.
        switch self {
        case .v4(let bits): .v4(bits & (UInt32.max << (32 - prefixLength)))
        case .v6(let high, let low):
            .v6(
                high: high & (UInt64.max << max(0, 64 - prefixLength)),
                low: low & (UInt64.max << min(64, 128 - prefixLength)))
        }
    }
}
