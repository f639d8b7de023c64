// SPDX-License-Identifier: Apache-2.0

/// A type that a setting can have: read from text, shown as text, described in documents and in the JSON Schema.
public protocol SettingValue: Sendable {
    /// What people and editors are told about it.
    static var kind: SettingKind { get }

    /// Reads what a source holds. Never called with an empty text: that means unset.
    init(reading raw: RawSetting) throws(InvalidValue)

    /// A text that reads back as this value; a secret gives `[redacted]`.
    var settingText: String { get }

    /// The value of a setting that is nowhere set and has no default; `nil` when it is required. Only optional types
    /// have one.
    static var absent: Self? { get }

    /// Whether values must not be shown.
    static var isSecret: Bool { get }
}

extension SettingValue {
    public static var absent: Self? { nil }
    public static var isSecret: Bool { false }
}

/// What a source holds for a setting, before it has a type.
public enum RawSetting: Sendable, Hashable {
    case text(String)
    case list([String])

    /// The one value, without blanks around it.
    public func text() throws(InvalidValue) -> String {
        switch self {
        case .text(let text):
            guard !text.utf8.contains(0) else { throw InvalidValue("holds a NUL byte", showsValue: false) }
            return text.trimmed
        case .list: throw InvalidValue("is a list where one value is expected", showsValue: false)
        }
    }

    /// The elements of a list: those of a YAML list, or what stands between the commas. Without blanks around, without
    /// empty ones.
    public var elements: [String] {
        let parts =
            switch self {
            case .text(let text): text.split(separator: ",").map(String.init)
            case .list(let parts): parts
            }
        return parts.map(\.trimmed).filter { !$0.isEmpty }
    }

    var isEmpty: Bool {
        switch self {
        case .text(let text): text.trimmed.isEmpty
        case .list: false
        }
    }
}

/// Why a text is no value of a type: the second half of a sentence that begins with the value.
public struct InvalidValue: Error, Sendable {
    /// `is no whole number`.
    public let what: String
    /// What to give instead, a sentence; `nil` takes the kind's ``SettingKind/expectation``.
    public let remedy: String?
    /// Whether a message may show the value; it never shows that of a secret.
    let showsValue: Bool
    /// ``what`` without a part of the value, for secrets.
    let discreet: String

    public init(_ what: String, remedy: String? = nil) {
        self.init(what, remedy: remedy, showsValue: true)
    }

    init(_ what: String, discreet: String? = nil, remedy: String? = nil, showsValue: Bool) {
        self.what = what
        self.discreet = discreet ?? what
        self.remedy = remedy
        self.showsValue = showsValue
    }
}

/// A type as documents and the JSON Schema show it.
public struct SettingKind: Sendable, Hashable {
    public indirect enum Shape: Sendable, Hashable {
        case text
        case boolean
        case integer
        case number
        case choice([Choice])
        case list(of: Shape)
    }

    /// One allowed value.
    public struct Choice: Sendable, Hashable {
        public let name: String
        /// What it means; may be empty.
        public let doc: String
        public init(_ name: String, _ doc: String = "") {
            self.name = name
            self.doc = doc
        }
    }

    /// A word or two for tables: `duration`, `whole number`.
    public let name: String
    /// Completes “Give …”: `a duration such as 30s, 5m, PT1H, or seconds`.
    public let expectation: String
    public let shape: Shape

    public init(_ name: String, expectation: String, shape: Shape = .text) {
        self.name = name
        self.expectation = expectation
        self.shape = shape
    }
}

extension StringProtocol {
    /// Without blanks, tabs and line ends around it.
    var trimmed: String {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var rest = Substring(self).utf8
        while let byte = rest.first, isBlank(byte) { rest.removeFirst() }
        while let byte = rest.last, isBlank(byte) { rest.removeLast() }
        return String(Substring(rest))
    }
}
