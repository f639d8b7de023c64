// SPDX-License-Identifier: Apache-2.0

public import Base

/// Where a value came from.
public enum SettingOrigin: Sendable, Hashable, CustomStringConvertible {
    case commandLine
    case variable(String)
    /// A file named by `NAME_FILE` or `${file:…}`.
    case file(String, via: String)
    /// `sallyport.yaml`, `config.yml` or `.env`.
    case document(SourceLocation)
    case builtIn

    public var description: String {
        switch self {
        case .commandLine: "command line"
        case .variable(let name): name
        case .file(let path, let via): "\(path) (\(via))"
        case .document(let location): location.description
        case .builtIn: "default"
        }
    }
}

/// Valid values of declared settings.
///
///     let url = settings[OpenCTISettings.url]
public struct ResolvedSettings: Sendable {
    /// One value as `check` and the console may show it.
    public struct Entry: Sendable {
        public let setting: any AnySetting
        /// `[redacted]` for a secret; empty when unset.
        public let text: String
        public let origin: SettingOrigin
        let box: any Sendable
        /// To notice a change without showing the value.
        let fingerprint: Secret
        let reread: (@Sendable () throws(SettingsError) -> Secret)?
    }

    /// In the order of the declarations.
    public private(set) var entries: [Entry]
    private var indexes: [String: Int] = [:]

    init(_ entries: [Entry]) {
        self.entries = entries
        for (index, entry) in entries.enumerated() { indexes[entry.setting.key] = index }
    }

    /// The value of a setting that the connector declares.
    public subscript<Value>(_ setting: Setting<Value>) -> Value {
        guard let box = entry(for: setting.key)?.box as? SettingBox<Value> else {
            preconditionFailure("\(setting.key) is not declared by this connector, or with another type")
        }
        return box.value
    }

    public func origin(of setting: some AnySetting) -> SettingOrigin {
        entry(for: setting.key)?.origin ?? .builtIn
    }

    /// Whether somebody set it, rather than its default standing.
    public func isSet(_ setting: some AnySetting) -> Bool { origin(of: setting) != .builtIn }

    public func contains(_ setting: some AnySetting) -> Bool { indexes[setting.key] != nil }

    /// A secret that can be read again where it comes from a file, after a 401.
    public func source(of setting: Setting<Secret>) -> SecretSource {
        SecretSource(initial: self[setting], reread: entry(for: setting.key)?.reread)
    }

    /// The same for a secret that need not be there.
    public func source(of setting: Setting<Secret?>) -> SecretSource? {
        self[setting].map { SecretSource(initial: $0, reread: entry(for: setting.key)?.reread) }
    }

    /// The keys whose values differ from those of another reading, for a reload.
    public func changedKeys(since other: ResolvedSettings) -> [String] {
        entries.compactMap { entry in
            other.entry(for: entry.setting.key)?.fingerprint == entry.fingerprint ? nil : entry.setting.key
        }
    }

    func entry(for key: String) -> Entry? { indexes[key].map { entries[$0] } }
}

/// Where a secret comes from: a file is read again, anything else stays as it was.
public struct SecretSource: Sendable {
    /// As it was when the settings were read.
    public let initial: Secret
    let reread: (@Sendable () throws(SettingsError) -> Secret)?

    /// A secret that does not change.
    public init(_ secret: Secret) {
        initial = secret
        reread = nil
    }

    init(initial: Secret, reread: (@Sendable () throws(SettingsError) -> Secret)?) {
        self.initial = initial
        self.reread = reread
    }

    /// Whether reading again can give something new.
    public var canChange: Bool { reread != nil }

    /// The secret of this moment. Reads a small local file.
    public func read() throws(SettingsError) -> Secret { try reread?() ?? initial }
}
