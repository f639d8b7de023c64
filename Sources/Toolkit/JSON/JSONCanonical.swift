// SPDX-License-Identifier: Apache-2.0

/// The one text of a value, for deterministic ids and digests: RFC 8785 (JSON Canonicalization Scheme).
///
/// Members are sorted by the UTF-16 units of their names, numbers are written as ECMAScript writes doubles, nothing is spaced.
/// Of a repeated name the last member counts. A number beyond the range of a double, which the RFC excludes, keeps its text.
public enum JSONCanonical {
    public static func bytes(of value: JSONValue) -> [UInt8] {
        var writer = JSONWriter()
        write(value, into: &writer)
        return writer.bytes
    }

    private static func write(_ value: JSONValue, into writer: inout JSONWriter) {
        switch value {
        case .null, .bool, .string: writer.value(value)
        case .number(let number): writer.raw(Array((decimal(number.double) ?? number.text).utf8))
        case .array(let elements):
            writer.beginArray()
            for element in elements { write(element, into: &writer) }
            writer.endArray()
        case .object(let object):
            writer.beginObject()
            let members = object.settled.map { (units: Array($0.key.utf16), member: $0) }
            for (_, member) in members.sorted(by: { $0.units.lexicographicallyPrecedes($1.units) }) {
                writer.key(member.key)
                write(member.value, into: &writer)
            }
            writer.endObject()
        }
    }

    /// ECMAScript's `Number::toString` (ECMA-262, 6.1.6.1.20): `1e21`, `0.000001`, `1e-7`; `nil` for infinity and NaN.
    static func decimal(_ value: Double) -> String? {
        guard value.isFinite else { return nil }
        if value.magnitude < 0x1p53, let whole = Int64(exactly: value) { return String(whole) }
        // Swift prints the same shortest digits, only in another layout.
        let parts = value.magnitude.description.split(separator: "e")
        let point = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        let fraction = point.count > 1 ? point[1] : ""
        let all = point[0] + fraction
        let leadingZeros = all.prefix { $0 == "0" }.count
        var digits = String(all.dropFirst(leadingZeros))
        while digits.last == "0" { digits.removeLast() }
        // The value is 0.DIGITS × 10^scale.
        let exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let scale = point[0].count - leadingZeros + exponent
        return (value < 0 ? "-" : "") + layout(digits, scale)
    }

    private static func layout(_ digits: String, _ scale: Int) -> String {
        let count = digits.count
        switch scale {
        case count...21 where count <= 21: return digits + String(repeating: "0", count: scale - count)
        case 1...21: return digits.prefix(scale) + "." + digits.dropFirst(scale)
        case -5...0: return "0." + String(repeating: "0", count: -scale) + digits
        default:
            let mantissa = count == 1 ? digits : digits.prefix(1) + "." + digits.dropFirst(1)
            return mantissa + (scale > 0 ? "e+" : "e-") + String((scale - 1).magnitude)
        }
    }
}
