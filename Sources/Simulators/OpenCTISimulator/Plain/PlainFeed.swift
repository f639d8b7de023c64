// SPDX-License-Identifier: Apache-2.0

import JSON

/// Plain indicators by number: one value each, the same on every replay, nothing of them kept in memory.
///
/// Domains below `example`, IPv4 addresses, SHA-256 and MD5 hashes in turn. The addresses come from ranges that are
/// assigned but not announced, so that no guardrail refuses them and nobody is hurt by them.
struct PlainFeed: Sendable {
    let count: Int
    private let salt: UInt64

    /// 2025-01-02T03:04:05.000Z; each next one was changed 10 ms later.
    static let firstMilliseconds: Int64 = 1_735_787_045_000
    static let step: Int64 = 10
    static let validUntil = "2030-01-02T03:04:05.000Z"
    private static let blocks: [UInt8] = [11, 21, 22, 26, 28, 29, 30, 33, 55]

    init(count: Int, seed: UInt64) {
        self.count = max(0, count)
        salt = Self.mix(seed &+ 0x5A11_7917)
    }

    enum Kind: Int {
        case domain, ipv4, sha256, md5

        var ioc: StaticString {
            switch self {
            case .domain: "domain"
            case .ipv4: "ipv4"
            case .sha256: "sha256"
            case .md5: "md5"
            }
        }
        var path: StaticString {
            switch self {
            case .domain: "domain-name:value"
            case .ipv4: "ipv4-addr:value"
            case .sha256: "file:hashes.'SHA-256'"
            case .md5: "file:hashes.'MD5'"
            }
        }
        var observable: StaticString {
            switch self {
            case .domain: "Domain-Name"
            case .ipv4: "IPv4-Addr"
            case .sha256, .md5: "StixFile"
            }
        }
    }

    static func kind(_ number: Int) -> Kind { Kind(rawValue: number & 3) ?? .domain }
    static func score(_ number: Int) -> Int { (number / 4) % 101 }
    static func milliseconds(_ number: Int) -> Int64 { firstMilliseconds + Int64(number) * step }

    /// The numbers whose time lies between both, inclusive.
    func numbers(from start: Int64, to end: Int64) -> Range<Int> {
        let first = start <= Self.firstMilliseconds ? 0 : (start - Self.firstMilliseconds + Self.step - 1) / Self.step
        let last = end < Self.firstMilliseconds ? -1 : (end - Self.firstMilliseconds) / Self.step
        let upper = min(Int64(count), last + 1)
        return Int(min(first, upper))..<Int(max(0, upper))
    }

    func appendValue(_ number: Int, to bytes: inout [UInt8]) {
        let index = UInt64(number / 4)
        switch Self.kind(number) {
        case .domain:
            bytes.append("host")
            bytes.append(decimal: index)
            bytes.append(".plain.example")
        case .ipv4:
            // An odd factor permutes the 24 low bits, so that neighbours do not look alike and none comes twice.
            let host = (index &* 0x9E_3779 &+ salt) & 0xFF_FFFF
            bytes.append(decimal: UInt64(Self.blocks[Int(index >> 24) % Self.blocks.count]))
            for shift in [16, 8, 0] as [UInt64] {
                bytes.append(UInt8(ascii: "."))
                bytes.append(decimal: host >> shift & 0xFF)
            }
        case .sha256: for part in 0..<4 as Range<UInt64> { bytes.append(hex: Self.mix(index &+ salt &+ part << 56)) }
        case .md5: for part in 4..<6 as Range<UInt64> { bytes.append(hex: Self.mix(index &+ salt &+ part << 56)) }
        }
    }

    /// A UUID of version 4 in form.
    func appendID(_ number: Int, of use: UInt64, to bytes: inout [UInt8]) {
        let high = Self.mix(UInt64(number) &+ salt &+ use << 56) & ~0xF000 | 0x4000
        let low = Self.mix(UInt64(number) &+ salt &+ (use + 1) << 56) & ~(3 << 62) | 1 << 63
        bytes.append(hex: high >> 32, digits: 8)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(hex: high >> 16 & 0xFFFF, digits: 4)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(hex: high & 0xFFFF, digits: 4)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(hex: low >> 48, digits: 4)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(hex: low & 0xFFFF_FFFF_FFFF, digits: 12)
    }

    /// One to one, so distinct numbers give distinct values (SplitMix64's finaliser).
    private static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension [UInt8] {
    mutating func append(_ text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(decimal number: UInt64) {
        if number >= 10 { append(decimal: number / 10) }
        append(UInt8(ascii: "0") + UInt8(number % 10))
    }

    mutating func append(hex number: UInt64, digits: Int = 16) {
        let table: StaticString = "0123456789abcdef"
        for digit in 0..<digits { append(table.utf8Start[Int(number >> (4 * UInt64(digits - 1 - digit)) & 15)]) }
    }
}
