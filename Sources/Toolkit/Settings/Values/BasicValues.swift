// SPDX-License-Identifier: Apache-2.0

public import Base

extension String: SettingValue {
    public static var kind: SettingKind { SettingKind("text", expectation: "a text") }
    public init(reading raw: RawSetting) throws(InvalidValue) { self = try raw.text() }
    public var settingText: String { self }
}

extension Secret: SettingValue {
    public static var kind: SettingKind { SettingKind("secret", expectation: "the secret's text") }
    public init(reading raw: RawSetting) throws(InvalidValue) { self.init(try raw.text()) }
    public var settingText: String { description }
    public static var isSecret: Bool { true }
}

extension Bool: SettingValue {
    public static var kind: SettingKind {
        SettingKind("true or false", expectation: "true or false (also yes/no, on/off, 1/0)", shape: .boolean)
    }

    /// The union of what pycti, pydantic and people write, in any case. `0` is false, which pycti took for true.
    public init(reading raw: RawSetting) throws(InvalidValue) {
        switch try raw.text().lowercased() {
        case "true", "yes", "on", "1", "t", "y": self = true
        case "false", "no", "off", "0", "f", "n": self = false
        default: throw InvalidValue("is neither true nor false")
        }
    }

    public var settingText: String { self ? "true" : "false" }
}

extension Int: SettingValue {
    public static var kind: SettingKind {
        SettingKind("whole number", expectation: "a whole number", shape: .integer)
    }

    public init(reading raw: RawSetting) throws(InvalidValue) {
        guard let number = Int(try raw.text()) else { throw InvalidValue("is no whole number") }
        self = number
    }

    public var settingText: String { String(self) }
}

extension Double: SettingValue {
    public static var kind: SettingKind { SettingKind("number", expectation: "a number", shape: .number) }

    public init(reading raw: RawSetting) throws(InvalidValue) {
        let text = try raw.text()
        // Swift also reads `0x1p3`, `nan` and `infinity`, which nobody means in a setting.
        guard text.utf8.allSatisfy({ "+-.0123456789eE".utf8.contains($0) }), let number = Double(text), number.isFinite
        else { throw InvalidValue("is no number") }
        self = number
    }

    public var settingText: String { self == rounded() && abs(self) < 1e15 ? String(Int64(self)) : String(self) }
}

extension Instant: SettingValue {
    public static var kind: SettingKind {
        SettingKind("date", expectation: "a date such as 2026-01-31 or 2026-01-31T10:00:00Z")
    }

    public init(reading raw: RawSetting) throws(InvalidValue) {
        guard let instant = Instant(parsing: try raw.text()) else {
            throw InvalidValue("is no ISO 8601 date")
        }
        self = instant
    }

    public var settingText: String { description }
}

extension Array: SettingValue where Element: SettingValue {
    public static var kind: SettingKind {
        SettingKind(
            "list of \(Element.kind.name)", expectation: "a list with commas between its items, or a YAML list",
            shape: .list(of: Element.kind.shape))
    }

    public init(reading raw: RawSetting) throws(InvalidValue) {
        var values: [Element] = []
        for element in raw.elements {
            do { values.append(try Element(reading: .text(element))) } catch {
                throw InvalidValue(
                    "holds \(shown(element)), which \(error.what)", discreet: "holds an item that \(error.discreet)",
                    remedy: error.remedy ?? "Each item is \(Element.kind.expectation).", showsValue: false)
            }
        }
        self = values
    }

    public var settingText: String { map(\.settingText).joined(separator: ",") }
    public static var isSecret: Bool { Element.isSecret }
}

extension Optional: SettingValue where Wrapped: SettingValue {
    public static var kind: SettingKind { Wrapped.kind }
    public init(reading raw: RawSetting) throws(InvalidValue) { self = try Wrapped(reading: raw) }
    public var settingText: String { self?.settingText ?? "" }
    public static var absent: Wrapped?? { .some(nil) }
    public static var isSecret: Bool { Wrapped.isSecret }
}
