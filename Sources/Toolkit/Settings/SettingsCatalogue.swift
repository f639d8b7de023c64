// SPDX-License-Identifier: Apache-2.0

/// The settings of one connector.
public struct ConnectorSettings: Sendable {
    /// Looks at several settings together; `nil` when they fit.
    public typealias Rule = @Sendable (ResolvedSettings) -> Complaint?

    /// What a ``Rule`` found, told like any other wrong value.
    public struct Complaint: Sendable {
        let key: String
        let what: String
        let remedy: String

        /// - Parameters:
        ///   - setting: the setting to change.
        ///   - what: a sentence: `“allow” has no meaning for addresses.`
        ///   - remedy: a sentence that says what to do.
        public init(_ setting: some AnySetting, _ what: String, remedy: String) {
            key = setting.key
            self.what = what
            self.remedy = remedy
        }
    }

    /// `opencti-crowdstrike`.
    public let name: String
    /// Other names for it: the original's folder and image.
    public let aliases: [String]
    /// `OpenCTI → CrowdStrike Falcon`.
    public let title: String
    /// What it does, a sentence or a paragraph of Markdown.
    public let summary: String
    /// In the order of the documents.
    public let settings: [any AnySetting]
    let rules: [Rule]
    let adapter: Adapter?

    /// Turns what the original's platform gives into the variables of the settings, before they are read in drop-in use.
    public typealias Adapter = @Sendable (inout SettingsInput) throws(SettingsError) -> Void

    public init(
        name: String, aliases: [String] = [], title: String, summary: String, settings: [any AnySetting],
        rules: [Rule] = [], adapter: Adapter? = nil
    ) {
        self.name = name
        self.aliases = aliases
        self.title = title
        self.summary = summary
        self.settings = settings
        self.rules = rules
        self.adapter = adapter
    }

    /// The kinds of connection its settings name, in their order.
    public var connectionKinds: [String] {
        var kinds: [String] = []
        for setting in settings {
            if case .connection(let kind, _) = setting.place, !kinds.contains(kind) { kinds.append(kind) }
        }
        return kinds
    }
}

/// Everything that can be configured: all connectors, and what belongs to the process.
public struct SettingsCatalogue: Sendable {
    public let connectors: [ConnectorSettings]
    /// Settings of the process, with the place ``SettingPlace/global(_:_:)``. A connector that declares one of them
    /// itself, for another default, has its own in drop-in use.
    public let globals: [any AnySetting]
    /// Variables with a known prefix that mean something to other parts of the program.
    let otherVariables: Set<String>

    public init(
        connectors: [ConnectorSettings], globals: [any AnySetting] = ProcessSettings.all,
        otherVariables: Set<String> = ["SALLYPORT_COMMIT", "SALLYPORT_CONFIG"]
    ) {
        self.connectors = connectors
        self.globals = globals
        self.otherVariables = otherVariables
    }

    /// By name or alias, in any case.
    public func connector(named name: String) -> ConnectorSettings? {
        let name = name.lowercased()
        return connectors.first { connector in
            connector.name == name || connector.aliases.contains { $0.lowercased() == name }
        }
    }

    /// All names and aliases, for suggestions.
    public var connectorNames: [String] { connectors.flatMap { [$0.name] + $0.aliases } }

    /// What a connector reads in drop-in use: its own settings and those of the process.
    func dropInSettings(of connector: ConnectorSettings) -> [any AnySetting] {
        let own = Set(connector.settings.map(\.key))
        return connector.settings + globals.filter { !own.contains($0.key) }
    }
}
