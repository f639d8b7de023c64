// SPDX-License-Identifier: Apache-2.0

/// A size: `512`, `64KiB`, `10MB`.
public struct ByteCount: SettingValue, Hashable, Comparable, ExpressibleByIntegerLiteral {
    public let bytes: Int

    public init(_ bytes: Int) { self.bytes = bytes }
    public init(integerLiteral value: Int) { bytes = value }
    public static func kibibytes(_ count: Int) -> ByteCount { ByteCount(count << 10) }
    public static func mebibytes(_ count: Int) -> ByteCount { ByteCount(count << 20) }

    public static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }

    public static var kind: SettingKind {
        SettingKind("size", expectation: "a size such as 64MiB, 10MB or a number of bytes")
    }

    /// `KiB`, `MiB`, `GiB` are powers of 1024 (also `K`, `M`, `G`), `kB`, `MB`, `GB` powers of 1000; case is free.
    public init(reading raw: RawSetting) throws(InvalidValue) {
        let text = try raw.text()
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit: Double? =
            switch text.dropFirst(number.count).trimmed.lowercased() {
            case "", "b": 1
            case "kib", "k": 0x1p10
            case "mib", "m": 0x1p20
            case "gib", "g": 0x1p30
            case "kb": 1e3
            case "mb": 1e6
            case "gb": 1e9
            default: nil
            }
        guard let unit, let count = Double(number), count * unit < 0x1p60 else { throw InvalidValue("is no size") }
        bytes = Int(count * unit)
    }

    public var settingText: String {
        for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] where bytes != 0 && bytes % (1 << shift) == 0 {
            return "\(bytes >> shift)\(unit)"
        }
        return "\(bytes)"
    }
}
