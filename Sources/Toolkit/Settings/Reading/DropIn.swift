// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// The files that an original reads beside its program.
public struct DropInFiles: Sendable, Hashable {
    /// `config.yml`.
    public let config: String?
    /// `.env`, read only where there is no `config.yml`.
    public let dotEnv: String?

    public init(config: String? = nil, dotEnv: String? = nil) {
        self.config = config
        self.dotEnv = dotEnv
    }

    /// Looks where the originals look, seen from their main folder or from its `src`: `config.yml` in the folder, in
    /// `src`, above; `.env` in the folder, above.
    public static func find(in folder: String) -> DropInFiles {
        func first(_ paths: [String]) -> String? {
            paths.lazy.map { folder == "." ? $0 : folder + "/" + $0 }.first { SettingFile.exists($0) }
        }
        return DropInFiles(
            config: first(["config.yml", "src/config.yml", "../config.yml"]), dotEnv: first([".env", "../.env"]))
    }
}

extension SettingsCatalogue {
    /// Reads the settings of one connector as its original does: command line, environment, `NAME_FILE`, `config.yml` or
    /// else `.env`, defaults.
    ///
    /// Unknown keys and variables are warnings here, since the originals allow them.
    public func dropIn(
        _ connector: ConnectorSettings, files: DropInFiles = DropInFiles(), input: SettingsInput
    ) throws(SettingsError) -> Configuration {
        let settings = dropInSettings(of: connector)
        var input = input
        try connector.adapter?(&input)
        let environment = Environment(input.environment)
        var reading = SettingsReading(
            environment: environment, declaredVariables: Set(settings.flatMap(\.allVariables)))
        for warning in input.warnings { reading.report(warning) }
        let root = files.config.flatMap { reading.document($0, severity: .error) }
        let dotEnv = files.config == nil ? files.dotEnv.flatMap { reading.dotEnv($0) } : nil

        let sites = settings.map { setting in
            SettingsReading.Site(
                setting: setting, label: setting.key, remedy: Self.dropInRemedy(setting), location: nil,
                readsEnvironment: true)
        }
        reading.checkOverrides(input.overrides, settings)
        if let members = root?.members { reading.checkDropInNames(members, settings) }
        reading.checkVariables(known: otherVariables, settings: settings)

        let reader = NodeReader(environment: environment, referenceFolder: nil)
        var entries: [ResolvedSettings.Entry] = []
        for site in sites {
            let candidate =
                reading.override(site, input.overrides) ?? reading.environmentCandidate(site)
                ?? root.flatMap { reading.configCandidate(site, $0, reader) }
                ?? dotEnv.flatMap { Self.dotEnvCandidate(site, $0) }
            if let entry = reading.settle(site, candidate) { entries.append(entry) }
        }
        entries += reading.decide(entries)
        guard !reading.hasErrors else { throw SettingsError(problems: reading.problems) }

        let resolved = ResolvedSettings(entries)
        reading.check(connector, resolved, sites)
        guard !reading.hasErrors else { throw SettingsError(problems: reading.problems) }
        let kinds = connector.connectionKinds
        let flow = FlowConfiguration(
            name: connector.name, connector: connector, settings: resolved,
            connections: Dictionary(uniqueKeysWithValues: kinds.map { ($0, $0) }))
        return Configuration(
            process: resolved, flows: [flow], warnings: reading.problems,
            file: files.config ?? dotEnv.map { _ in ".env" })
    }

    private static func dropInRemedy(_ setting: any AnySetting) -> String {
        let variable = setting.variables.first ?? setting.key
        let file = setting.isSecret ? " (or \(variable)_FILE with the path of a file)" : ""
        return "Set \(variable)\(file), or \(setting.key) in config.yml."
    }

    private static func dotEnvCandidate(_ site: SettingsReading.Site, _ dotEnv: DotEnv) -> Candidate? {
        for variable in site.setting.variables {
            guard let (_, entry) = dotEnv.find(variable) else { continue }
            return Candidate(
                raw: .text(entry.value), origin: .document(entry.location), isSensitive: entry.hasReference)
        }
        return nil
    }
}

extension SettingsReading {
    /// The root of a YAML file; `nil` after a problem or when it is empty.
    fileprivate mutating func document(_ path: String, severity: SettingsProblem.Severity) -> YAMLNode? {
        let bytes: [UInt8]
        do { bytes = try SettingFile.bytes(of: path) } catch {
            report(.error, at: nil, error.what, error.remedy)
            return nil
        }
        let document = YAMLReader.read(bytes, file: path)
        for problem in document.problems { report(problem) }
        guard let root = document.root, !root.isNull else { return nil }
        guard root.members != nil else {
            report(
                .error, at: root.location, "The file begins with \(root.kindName).",
                "Begin it with sections: “opencti:”.")
            return nil
        }
        return root
    }

    fileprivate mutating func dotEnv(_ path: String) -> DotEnv? {
        do {
            let dotEnv = DotEnv(parsing: try SettingFile.bytes(of: path), file: path, outside: environment)
            for problem in dotEnv.problems { report(problem) }
            return dotEnv
        } catch {
            report(.error, at: nil, error.what, error.remedy)
            return nil
        }
    }

    /// `section: { key: value }` under the setting's own key, then under its older ones.
    fileprivate mutating func configCandidate(_ site: Site, _ root: YAMLNode, _ reader: NodeReader) -> Candidate? {
        var found: Candidate?
        for key in [site.setting.key] + site.setting.aliasKeys {
            let parts = key.split(separator: ".", maxSplits: 1).map(String.init)
            guard let node = root.member(likely: parts[0])?.member(likely: parts[1]) else { continue }
            let candidate = nodeCandidate(site, node, reader)
            if let found { reportConflict(site, found, candidate) } else { found = candidate }
        }
        return found
    }

    fileprivate mutating func checkDropInNames(_ members: [YAMLNode.Member], _ settings: [any AnySetting]) {
        var keys: [String: [String]] = [:]
        for key in settings.flatMap({ [$0.key] + $0.aliasKeys }) {
            let parts = key.split(separator: ".", maxSplits: 1).map(String.init)
            keys[parts[0], default: []].append(parts[1])
        }
        func unknown(_ members: [YAMLNode.Member], _ known: [String]) -> [YAMLNode.Member] {
            members.filter { member in !known.contains { foldedName($0) == foldedName(member.key) } }
        }
        checkNames(of: unknown(members, Array(keys.keys)), among: keys.keys.sorted(), in: "", severity: .warning)
        for member in members {
            guard let known = keys[foldedName(member.key)] else { continue }
            if let inner = member.value.members {
                checkNames(of: unknown(inner, known), among: known, in: member.key, severity: .warning)
            } else if !member.value.isNull {
                report(
                    .error, key: member.key, at: member.value.location,
                    "Here is \(member.value.kindName) where a section is expected.",
                    "Write its keys below it, indented.")
            }
        }
    }

    fileprivate mutating func checkOverrides(_ overrides: [SettingsInput.Override], _ settings: [any AnySetting]) {
        let known = settings.flatMap { [$0.key] + $0.aliasKeys }
        let variables = Set(settings.flatMap(\.allVariables))
        for override in overrides where !known.contains(override.key) && !variables.contains(override.key.uppercased())
        {
            report(unknownOverride: override.key, known: known)
        }
    }

    /// What the command line says of a setting, by key or variable; the last one wins.
    fileprivate func override(_ site: Site, _ overrides: [SettingsInput.Override]) -> Candidate? {
        let names = [site.setting.key] + site.setting.aliasKeys
        return overrides.last {
            names.contains($0.key) || site.setting.allVariables.contains($0.key.uppercased())
        }.map { Candidate(raw: .text($0.text), origin: .commandLine) }
    }
}
