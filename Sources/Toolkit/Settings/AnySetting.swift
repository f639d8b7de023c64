// SPDX-License-Identifier: Apache-2.0

/// A ``Setting`` of any type.
public protocol AnySetting: Sendable {
    /// `section.name`: its identity, and its place in the originals' `config.yml`.
    var key: String { get }
    /// Older keys, read after ``key``.
    var aliasKeys: [String] { get }
    /// Environment variables in the order in which they are read; the first is the one to name.
    var variables: [String] { get }
    var place: SettingPlace { get }
    /// One or two sentences, Markdown.
    var doc: String { get }
    var kind: SettingKind { get }
    var isSecret: Bool { get }
    var isRequired: Bool { get }
    /// `nil` without a default.
    var defaultText: String? { get }
    var rangeText: RangeText? { get }
    var example: String? { get }
    /// Why it is accepted without effect; `nil` when it has one.
    var ignoredBecause: String? { get }
    /// The key of the switch without which it is not looked at.
    var relevantKey: String? { get }

    /// Reads a raw value, or gives the default for `nil`; `nil` when it is required.
    func settle(_ raw: RawSetting?) throws(InvalidValue) -> SettledValue?
}

extension AnySetting {
    /// ``doc`` with the choices, the limits and the switch that it depends on. Markdown.
    public var meaning: String {
        var text = doc
        if case .choice(let choices) = kind.shape {
            let listed = choices.map { $0.doc.isEmpty ? "`\($0.name)`" : "`\($0.name)` (\($0.doc))" }
            text += " One of \(listed.joined(separator: ", "))."
        }
        if let range = rangeText { text += " \(range.text.prefix(1).uppercased())\(range.text.dropFirst())." }
        if let switchKey = relevantKey { text += " Only with `\(switchKey)`." }
        return text
    }
}

/// A value with its display text, made by ``AnySetting/settle(_:)``.
public struct SettledValue: Sendable {
    let box: any Sendable
    let text: String

    init(_ box: any Sendable, text: String) {
        self.box = box
        self.text = text
    }
}

/// Where a setting stands in `sallyport.yaml`.
public enum SettingPlace: Sendable, Hashable {
    /// `connections: { NAME: { key: … } }` of a connection of that kind, such as `opencti` or `falcon`.
    case connection(String, String)
    /// `flows: { NAME: { key: … } }`.
    case flow(String)
    /// A section of its own at the top: `log: { level: … }`.
    case global(String, String)
    /// Only in an original's environment or `config.yml`; `sallyport.yaml` says it in another way.
    case dropIn
}

/// The limits of a value, as text.
public struct RangeText: Sendable, Hashable {
    public let lower: String?
    public let upper: String?

    init(_ lower: String?, _ upper: String?) {
        self.lower = lower
        self.upper = upper
    }

    /// `from 1 to 200`, `at least 1`.
    public var text: String {
        switch (lower, upper) {
        case (let lower?, let upper?): "from \(lower) to \(upper)"
        case (let lower?, nil): "at least \(lower)"
        case (nil, let upper?): "at most \(upper)"
        case (nil, nil): ""
        }
    }
}
