// SPDX-License-Identifier: Apache-2.0

/// What a valid configuration says, whatever form it had.
public struct Configuration: Sendable {
    /// The settings of the process: ``SettingsCatalogue/globals``.
    public let process: ResolvedSettings
    /// In the order of the file; exactly one in drop-in use, named like its connector.
    public let flows: [FlowConfiguration]
    /// To be shown at start and by `check`.
    public let warnings: [SettingsProblem]
    /// The file it came from; `nil` for the environment alone.
    public let file: String?
}

/// One flow with valid settings.
public struct FlowConfiguration: Sendable {
    public let name: String
    public let connector: ConnectorSettings
    /// The connector's settings and those of the process.
    public let settings: ResolvedSettings
    /// Kind → name of the connection: flows with the same name share one client, one token, one request budget.
    public let connections: [String: String]
}

extension SettingsReading {
    /// Reports members of a section that nobody declares.
    mutating func checkNames(
        of members: [YAMLNode.Member], among known: [String], in section: String,
        severity: SettingsProblem.Severity
    ) {
        for member in members where !known.contains(member.key) {
            let near = nearestName(to: member.key, among: known)
            let label = section.isEmpty ? member.key : "\(section).\(member.key)"
            let fallback =
                severity == .warning ? "It has no effect; remove it." : "Remove it. Known: \(Self.list(known))."
            report(
                severity, key: label, at: member.location, "This key is not known.",
                near.map { "Did you mean “\($0)”?" } ?? fallback)
        }
    }

    /// Reports variables that look like ours and are not.
    mutating func checkVariables(known: Set<String>, settings: [any AnySetting]) {
        var prefixes: Set<String> = ["SALLYPORT_"]
        for key in settings.flatMap({ [$0.key] + $0.aliasKeys }) {
            prefixes.insert(key.prefix { $0 != "." }.uppercased() + "_")
        }
        let declared = known.union(declaredVariables)
        for name in environment.unknown(prefixes: prefixes, known: declared) {
            let near = nearestName(to: name, among: declared.sorted())
            report(
                .warning, variable: name, at: nil, "This variable is not known.",
                near.map { "Did you mean \($0)?" } ?? "It has no effect; remove it.")
        }
    }

    mutating func report(unknownOverride key: String, known: some Sequence<String>) {
        let near = nearestName(to: key, among: known)
        report(
            .error, key: key, at: nil, "The command line sets a key that is not known.",
            near.map { "Did you mean \($0)?" } ?? "`sallyport settings` lists the keys.")
    }

    /// Evaluates the rules of a connector over valid settings.
    mutating func check(_ connector: ConnectorSettings, _ settings: ResolvedSettings, _ sites: [Site]) {
        for rule in connector.rules {
            guard let complaint = rule(settings) else { continue }
            let entry = settings.entry(for: complaint.key)
            let site = sites.first { $0.setting.key == complaint.key }
            var variable: String?
            var location: SourceLocation?
            switch entry?.origin {
            case .variable(let name), .file(_, let name): variable = name
            case .document(let place): location = place
            default: variable = site?.readsEnvironment == true ? site?.setting.variables.first : nil
            }
            report(
                .error, key: site?.label ?? complaint.key, variable: variable, at: location, complaint.what,
                complaint.remedy)
        }
    }

    private static func list(_ names: [String]) -> String { names.joined(separator: ", ") }
}

extension AnySetting {
    /// Every variable it may be read from, in capitals.
    var allVariables: [String] { variables.map { $0.uppercased() } }
}
