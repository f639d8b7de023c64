// SPDX-License-Identifier: Apache-2.0

/// An enumeration whose names are the setting's allowed values. Case does not count.
///
///     enum Adoption: String, SettingChoice { case own, any }
public protocol SettingChoice: SettingValue, CaseIterable, RawRepresentable, Hashable where RawValue == String {
    /// What each value means, for the documents.
    var settingDoc: String { get }
    /// Other spellings of a value, in lower case: `["warn": .warning]`.
    static var synonyms: [String: Self] { get }
}

extension SettingChoice {
    public var settingDoc: String { "" }
    public static var synonyms: [String: Self] { [:] }

    public static var kind: SettingKind {
        let names = allCases.map(\.rawValue)
        let listed =
            names.count > 1
            ? names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1] : names.joined()
        return SettingKind(
            "choice", expectation: listed,
            shape: .choice(allCases.map { SettingKind.Choice($0.rawValue, $0.settingDoc) }))
    }

    public init(reading raw: RawSetting) throws(InvalidValue) {
        let text = try raw.text()
        let folded = text.lowercased()
        if let value = Self.allCases.first(where: { $0.rawValue.lowercased() == folded }) ?? Self.synonyms[folded] {
            self = value
            return
        }
        let near = nearestName(to: text, among: Self.allCases.map(\.rawValue))
        throw InvalidValue(
            "is not allowed",
            remedy: near.map { "Did you mean \($0)? Allowed: \(Self.kind.expectation)." })
    }

    public var settingText: String { rawValue }
}
