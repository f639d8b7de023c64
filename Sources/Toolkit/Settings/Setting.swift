// SPDX-License-Identifier: Apache-2.0

/// One declared setting. Reading, variables, redaction, `check`, the JSON Schema, the sample file and the reference all
/// come from this declaration.
///
///     static let secret = Setting<Secret>("crowdstrike.client_secret", "OAuth2 secret of the API client.")
///         .at(.connection("falcon", "client_secret"))
///     static let batch = Setting<Int>("crowdstrike.batch_size", default: 200, "IOCs in one call.").within(1...2000)
///
/// Without a default it is required, unless its type is optional (`Setting<String?>`).
public struct Setting<Value: SettingValue>: AnySetting {
    public let key: String
    public let doc: String
    public private(set) var defaultValue: Value?
    public private(set) var place: SettingPlace
    public private(set) var aliasKeys: [String] = []
    public private(set) var otherVariables: [String] = []
    public private(set) var ownVariable: String?
    public private(set) var example: String?
    public private(set) var rangeText: RangeText?
    public private(set) var ignoredBecause: String?
    public private(set) var relevantKey: String?
    private var checks: [@Sendable (Value) -> InvalidValue?] = []

    /// - Parameter key: `section.name`, as in the originals' `config.yml`. The variable is `SECTION_NAME`; in
    ///   `sallyport.yaml` it is `name` of a flow unless ``at(_:)`` says otherwise.
    /// - Parameter doc: one or two sentences, Markdown.
    public init(_ key: String, default value: Value? = nil, _ doc: String) {
        precondition(key.contains("."), "the setting “\(key)” needs a section: section.name")
        self.key = key
        self.doc = doc
        defaultValue = value ?? Value.absent
        place = .flow(String(key.split(separator: ".", maxSplits: 1)[1]))
    }

    /// Where it stands in `sallyport.yaml`.
    public func at(_ place: SettingPlace) -> Setting { with { $0.place = place } }

    /// Further keys under which it is found (with their variables), after its own. For renamed sections.
    public func or(_ keys: String...) -> Setting { with { $0.aliasKeys += keys } }

    /// A variable other than the one its key gives.
    public func variable(_ name: String) -> Setting { with { $0.ownVariable = name } }

    /// Further variables that are read after its own.
    public func orVariables(_ names: String...) -> Setting { with { $0.otherVariables += names } }

    /// A value for the sample file.
    public func example(_ text: String) -> Setting { with { $0.example = text } }

    /// Another default, for a connector whose original differs. Stays the same setting.
    public func defaulting(to value: Value) -> Setting { with { $0.defaultValue = value } }

    /// Read only while that one is true; else a wrong value is only a warning.
    public func relevant(when other: Setting<Bool>) -> Setting { with { $0.relevantKey = other.key } }

    /// Accepted for compatibility and without effect, with the reason.
    public func ignored(because reason: String) -> Setting { with { $0.ignoredBecause = reason } }

    /// A further condition: `nil`, or what completes a sentence that begins with the value.
    public func checking(_ check: @escaping @Sendable (Value) -> InvalidValue?) -> Setting {
        with { $0.checks.append(check) }
    }

    private func with(_ change: (inout Setting) -> Void) -> Setting {
        var copy = self
        change(&copy)
        return copy
    }

    private func limited(_ range: RangeText, _ contains: @escaping @Sendable (Value) -> Bool) -> Setting {
        with {
            $0.rangeText = range
            $0.checks.append { value in
                if contains(value) { return nil }
                return InvalidValue("is out of range", remedy: "Give \(Value.kind.expectation), \(range.text).")
            }
        }
    }
}

extension Setting where Value: Comparable {
    public func within(_ range: ClosedRange<Value>) -> Setting {
        limited(RangeText(range.lowerBound.settingText, range.upperBound.settingText)) { range.contains($0) }
    }

    public func atLeast(_ bound: Value) -> Setting {
        limited(RangeText(bound.settingText, nil)) { $0 >= bound }
    }
}

extension Setting {
    public func within<Wrapped: Comparable>(_ range: ClosedRange<Wrapped>) -> Setting where Value == Wrapped? {
        limited(RangeText(range.lowerBound.settingText, range.upperBound.settingText)) { value in
            value.map { range.contains($0) } ?? true
        }
    }
}

extension Setting {
    public var variables: [String] {
        [ownVariable ?? Self.variable(forKey: key)] + aliasKeys.map(Self.variable(forKey:)) + otherVariables
    }
    public var kind: SettingKind { Value.kind }
    public var isSecret: Bool { Value.isSecret }
    public var isRequired: Bool { defaultValue == nil && ignoredBecause == nil }
    public var defaultText: String? {
        guard let text = defaultValue?.settingText, !text.isEmpty else { return nil }
        return text
    }

    public func settle(_ raw: RawSetting?) throws(InvalidValue) -> SettledValue? {
        guard let raw, ignoredBecause == nil else {
            return defaultValue.map { SettledValue(SettingBox(value: $0), text: $0.settingText) }
        }
        let value = try Value(reading: raw)
        for check in checks { if let complaint = check(value) { throw complaint } }
        return SettledValue(SettingBox(value: value), text: value.settingText)
    }

    /// `crowdstrike.client_id` → `CROWDSTRIKE_CLIENT_ID`.
    private static func variable(forKey key: String) -> String {
        String(key.uppercased().map { $0 == "." || $0 == "-" ? "_" : $0 })
    }
}

/// A value with its type, inside a list of any settings.
struct SettingBox<Value: SettingValue>: Sendable {
    let value: Value
}
