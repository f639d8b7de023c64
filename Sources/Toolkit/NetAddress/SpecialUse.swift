// SPDX-License-Identifier: Apache-2.0

/// What an address block is set aside for.
///
/// Source: the IANA IPv4 and IPv6 Special-Purpose Address Registries and address space registries (RFC 6890, RFC 8190).
public enum SpecialUse: String, Sendable, CaseIterable {
    /// 0.0.0.0, ::
    case unspecified
    /// The rest of 0.0.0.0/8.
    case thisNetwork = "this-network"
    /// 127.0.0.0/8, ::1
    case loopback
    /// RFC 1918: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16.
    case privateUse = "private"
    /// fc00::/7 (RFC 4193).
    case uniqueLocal = "unique-local"
    /// 169.254.0.0/16, fe80::/10
    case linkLocal = "link-local"
    /// fec0::/10, deprecated by RFC 3879 but still routed by some sites.
    case siteLocal = "site-local"
    /// 100.64.0.0/10, between a provider and its carrier-grade NAT (RFC 6598).
    case shared
    /// 224.0.0.0/4, ff00::/8
    case multicast
    /// 255.255.255.255
    case broadcast
    /// 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32, 3fff::/20.
    case documentation
    /// 198.18.0.0/15, 2001:2::/48 (RFC 2544, RFC 5180).
    case benchmarking
    /// 192.0.0.0/24, 2001::/23 where nothing closer applies.
    case protocolAssignment = "protocol-assignment"
    /// 240.0.0.0/4 without the broadcast address.
    case reserved
    /// 100::/64 (RFC 6666).
    case discard
    /// 64:ff9b::/96 and 64:ff9b:1::/48: IPv4 hosts behind NAT64.
    case translation
    /// 2001::/32 (Teredo), 2002::/16 (6to4), 192.88.99.0/24 (6to4 relays).
    case tunnel
}

extension IPAddress {
    /// What the address is set aside for, by the closest block; `nil` for an ordinary global address. An IPv4-mapped
    /// address counts as the IPv4 address it reaches.
    public var specialUse: SpecialUse? {
        switch unmapped {
        case .v4(let bits): Self.specialUse(ofV4: bits)
        case .v6(let high, let low): Self.specialUse(ofV6: high, low)
        }
    }

    public var isUnspecified: Bool { specialUse == .unspecified }
    public var isLoopback: Bool { specialUse == .loopback }
    /// An organisation's own addresses: RFC 1918 and IPv6 unique-local.
    public var isPrivate: Bool { specialUse == .privateUse || specialUse == .uniqueLocal }
    public var isUniqueLocal: Bool { specialUse == .uniqueLocal }
    public var isLinkLocal: Bool { specialUse == .linkLocal }
    public var isShared: Bool { specialUse == .shared }
    public var isMulticast: Bool { specialUse == .multicast }
    public var isDocumentation: Bool { specialUse == .documentation }
    /// Neither set aside nor merely an example: a host on the Internet may have it.
    public var isGlobal: Bool { specialUse == nil }

    private static func specialUse(ofV4 bits: UInt32) -> SpecialUse? {
        func isIn(_ network: UInt32, _ prefixLength: UInt32) -> Bool { bits >> (32 - prefixLength) == network }
        // First octet first: nearly every address leaves here with nil.
        switch bits >> 24 {
        case 0: return bits == 0 ? .unspecified : .thisNetwork
        case 10: return .privateUse
        case 100: return isIn(0x6440_0000 >> 22, 10) ? .shared : nil
        case 127: return .loopback
        case 169: return isIn(0xA9FE, 16) ? .linkLocal : nil
        case 172: return isIn(0xAC1, 12) ? .privateUse : nil
        case 192:
            if isIn(0xC0A8, 16) { return .privateUse }
            if isIn(0xC0_0002, 24) { return .documentation }
            if isIn(0xC0_0000, 24) { return .protocolAssignment }
            return isIn(0xC0_5863, 24) ? .tunnel : nil
        case 198: return isIn(0xC612 >> 1, 15) ? .benchmarking : isIn(0xC6_3364, 24) ? .documentation : nil
        case 203: return isIn(0xCB_0071, 24) ? .documentation : nil
        case 224...239: return .multicast
        case 240...255: return bits == .max ? .broadcast : .reserved
        default: return nil
        }
    }

    private static func specialUse(ofV6 high: UInt64, _ low: UInt64) -> SpecialUse? {
        func isIn(_ network: UInt64, _ prefixLength: UInt64) -> Bool { high >> (64 - prefixLength) == network }
        switch high >> 48 {
        case 0:
            guard high == 0 else { return nil }
            return low == 0 ? .unspecified : low == 1 ? .loopback : nil
        case 0x64:
            if high == 0x0064_FF9B_0000_0000, low >> 32 == 0 { return .translation }
            return isIn(0x0064_FF9B_0001, 48) ? .translation : nil
        case 0x100: return high == 0x0100_0000_0000_0000 ? .discard : nil
        case 0x2001:
            if isIn(0x2001_0DB8, 32) { return .documentation }
            if isIn(0x2001_0000, 32) { return .tunnel }
            if isIn(0x2001_0002_0000, 48) { return .benchmarking }
            return isIn(0x2001_0000 >> 9, 23) ? .protocolAssignment : nil
        case 0x2002: return .tunnel
        case 0x3FFF: return isIn(0x3FFF0, 20) ? .documentation : nil
        case 0xFC00...0xFDFF: return .uniqueLocal
        case 0xFE80...0xFEBF: return .linkLocal
        case 0xFEC0...0xFEFF: return .siteLocal
        case 0xFF00...0xFFFF: return .multicast
        default: return nil
        }
    }
}
