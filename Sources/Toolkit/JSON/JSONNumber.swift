// SPDX-License-Identifier: Apache-2.0

/// A JSON number that keeps its source text, so that big integers and long decimals survive unchanged.
///
/// Two numbers are equal when their texts are: `1` and `1.0` differ.
public struct JSONNumber: Sendable, Hashable {
    /// Most numbers are plain integers: those cost no text.
    private enum Storage: Sendable, Hashable {
        case integer(Int64)
        case text(String)
    }

    private let storage: Storage

    public init(_ value: some BinaryInteger) {
        storage = Int64(exactly: value).map(Storage.integer) ?? .text(String(value))
    }

    /// The shortest text that reads back as the same value; `nil` for infinity and NaN, which JSON cannot say.
    public init?(_ value: Double) {
        guard value.isFinite else { return nil }
        storage = .text(value.description)
    }

    /// A number in JSON's grammar: `-0`, `1.50`, `1E400`; anything else is `nil`.
    public init?(text: String) {
        guard case .number(let number)? = try? JSONValue(parsing: text), number.text == text else { return nil }
        self = number
    }

    /// The text must have the form of a JSON number.
    init(validated text: Bytes) {
        if let value = Self.plainInteger(text) {
            storage = .integer(value)
        } else {
            storage = .text(String(decoding: text, as: UTF8.self))
        }
    }

    /// As in the source: `1.0E+2`.
    public var text: String {
        switch storage {
        case .integer(let value): String(value)
        case .text(let text): text
        }
    }

    /// The value when it is whole and fits: `5`, also `5.0` and `1e3` (of these only up to 2^53, where doubles are exact).
    public var int64: Int64? {
        switch storage {
        case .integer(let value): value
        case .text(let text): Int64(text) ?? Self.wholeNumber(Double(text)).flatMap(Int64.init(exactly:))
        }
    }

    /// As ``int64``, from 0 to 2^64 - 1.
    public var uint64: UInt64? {
        switch storage {
        case .integer(let value): UInt64(exactly: value)
        case .text(let text): UInt64(text) ?? Self.wholeNumber(Double(text)).flatMap(UInt64.init(exactly:))
        }
    }

    /// The nearest double; infinite when the number is out of range.
    public var double: Double {
        switch storage {
        case .integer(let value): Double(value)
        case .text(let text): Double(text) ?? .infinity
        }
    }

    static func wholeNumber(_ value: Double?) -> Double? {
        guard let value, value.magnitude <= 0x1p53, value == value.rounded(.towardZero) else { return nil }
        return value
    }

    /// The value of `-?digits` when it fits; `nil` for `-0`, whose text must be kept.
    private static func plainInteger(_ text: Bytes) -> Int64? {
        let isNegative = text.first == UInt8(ascii: "-")
        let digits = text.dropFirst(isNegative ? 1 : 0)
        guard digits.count <= 18, !(isNegative && digits.first == UInt8(ascii: "0")) else {
            return digits.count > 19 || digits.first == UInt8(ascii: "0")
                ? nil : Int64(String(decoding: text, as: UTF8.self))
        }
        var value: Int64 = 0
        for digit in digits {
            guard digit &- UInt8(ascii: "0") < 10 else { return nil }
            value = value * 10 + Int64(digit &- UInt8(ascii: "0"))
        }
        return isNegative ? -value : value
    }
}
