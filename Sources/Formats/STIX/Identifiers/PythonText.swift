// SPDX-License-Identifier: Apache-2.0

public import Base

// The ids were defined by Python programs, so texts are folded as Python folds them.
extension String {
    /// `str.strip()`: Unicode white space, and the four ASCII separators that Python counts besides.
    var stripped: String {
        func isBlank(_ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
        }
        let scalars = unicodeScalars
        guard let start = scalars.firstIndex(where: { !isBlank($0) }),
            let last = scalars.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(scalars[start...last])
    }

    /// `str.lower()`: full mappings, and ς for a Σ that ends a word, which `lowercased()` writes as σ.
    var lowercasedAsPython: String {
        guard unicodeScalars.contains("\u{3A3}") else { return lowercased() }
        let scalars = Array(unicodeScalars)
        var text = ""
        for (index, scalar) in scalars.enumerated() {
            text +=
                scalar == "\u{3A3}" && Self.isFinal(index, in: scalars) ? "\u{3C2}" : scalar.properties.lowercaseMapping
        }
        return text
    }

    // The condition Final_Sigma of the Unicode standard, 3.13: a cased letter before, none after; marks don't count.
    private static func isFinal(_ index: Int, in scalars: [Unicode.Scalar]) -> Bool {
        let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
        let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
        return before?.properties.isCased == true && after?.properties.isCased != true
    }
}

/// Dates as Python's `datetime.isoformat()` writes them, which ids contain.
public enum PythonDate {
    /// In UTC, microseconds only where there are any: `2026-03-02T07:26:01.276000+00:00`, `2026-03-02T09:00:00+00:00`.
    ///
    /// - Parameter text: RFC 3339; digits beyond microseconds are cut. `nil` if it is no date.
    public static func isoformat(_ text: some StringProtocol) -> String? {
        guard let instant = Instant(parsing: text) else { return nil }
        var micros = ""
        // A date is ASCII: bytes are its characters.
        let bytes = text.utf8
        if let point = bytes.firstIndex(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ",") }) {
            let digits = bytes[bytes.index(after: point)...].prefix { (0x30...0x39).contains($0) }.prefix(6)
            micros = String(decoding: digits, as: UTF8.self) + String(repeating: "0", count: 6 - digits.count)
        }
        var date = instant.secondsDescription
        date.unicodeScalars.removeLast()
        if micros.utf8.contains(where: { $0 != UInt8(ascii: "0") }) { date += "." + micros }
        return date + "+00:00"
    }

    public static func isoformat(_ instant: Instant) -> String { isoformat(instant.description) ?? instant.description }
}
