// SPDX-License-Identifier: Apache-2.0

/// The hash algorithms of STIX (`hash-algorithm-ov`) and those that patterns name besides.
public enum HashAlgorithm: String, Sendable, Hashable, CaseIterable {
    case md5 = "MD5"
    case md6 = "MD6"
    case ripemd160 = "RIPEMD-160"
    case sha1 = "SHA-1"
    case sha224 = "SHA-224"
    case sha256 = "SHA-256"
    case sha384 = "SHA-384"
    case sha512 = "SHA-512"
    case sha3Bits224 = "SHA3-224"
    case sha3Bits256 = "SHA3-256"
    case sha3Bits384 = "SHA3-384"
    case sha3Bits512 = "SHA3-512"
    case ssdeep = "SSDEEP"
    case tlsh = "TLSH"
    case whirlpool = "WHIRLPOOL"

    /// Any case, with or without hyphens: `SHA256`, `sha-256`.
    public init?(tolerant name: some StringProtocol) {
        guard
            let found = name.utf8.withContiguousStorageIfAvailable({ HashAlgorithm(tolerant: $0) })
                ?? Array(name.utf8).withUnsafeBufferPointer({ HashAlgorithm(tolerant: $0) })
        else { return nil }
        self = found
    }

    init?(tolerant name: UnsafeBufferPointer<UInt8>) {
        guard (3...16).contains(name.count) else { return nil }
        // Up to sixteen letters and digits packed into one number each: comparing is then two words, without a String.
        guard let packed = PackedName(name), let found = Self.byPackedName[packed] else { return nil }
        self = found
    }

    private static let byPackedName: [PackedName: HashAlgorithm] = {
        var table: [PackedName: HashAlgorithm] = [:]
        for algorithm in allCases {
            if let name = Array(algorithm.rawValue.utf8).withUnsafeBufferPointer({ PackedName($0) }) {
                table[name] = algorithm
            }
        }
        return table
    }()

    /// How many hexadecimal digits a hash has; `nil` for the fuzzy ones and for MD6, which has several lengths.
    public var hexDigits: Int? {
        switch self {
        case .md5: 32
        case .ripemd160, .sha1: 40
        case .sha224, .sha3Bits224: 56
        case .sha256, .sha3Bits256: 64
        case .sha384, .sha3Bits384: 96
        case .sha512, .sha3Bits512, .whirlpool: 128
        case .md6, .ssdeep, .tlsh: nil
        }
    }

    /// Whether the text can be a hash of this kind, in either case.
    public func accepts(_ text: some Collection<UInt8>) -> Bool {
        func isHex() -> Bool {
            text.allSatisfy {
                $0 &- UInt8(ascii: "0") < 10 || ($0 | 0x20) &- UInt8(ascii: "a") < 6
            }
        }
        switch self {
        case .md6: return [32, 40, 56, 64, 96, 128].contains(text.count) && isHex()
        case .ssdeep:
            return (1...128).contains(text.count)
                && text.allSatisfy {
                    $0 &- UInt8(ascii: "/") < 12 || ($0 | 0x20) &- UInt8(ascii: "a") < 26 || $0 == UInt8(ascii: "+")
                        || $0 == UInt8(ascii: ".")
                }
        // Two hexadecimal digits a byte, 35 bytes, in newer versions behind “T1”.
        case .tlsh: return !text.isEmpty && text.count <= 140 && text.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        default: return text.count == hexDigits && isHex()
        }
    }
}

private struct PackedName: Hashable {
    let high: UInt64
    let low: UInt64

    init?(_ name: UnsafeBufferPointer<UInt8>) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        for byte in name where byte != UInt8(ascii: "-") {
            guard byte < 0x80 else { return nil }
            let upper = (byte &- UInt8(ascii: "a") < 26) ? byte & 0xDF : byte
            high = high << 8 | low >> 56
            low = low << 8 | UInt64(upper)
        }
        self.high = high
        self.low = low
    }
}
