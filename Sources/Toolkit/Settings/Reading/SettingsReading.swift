// SPDX-License-Identifier: Apache-2.0

import Base

/// One reading of settings: gathers values, and problems instead of stopping at the first.
struct SettingsReading {
    /// A setting where it was looked for.
    struct Site {
        let setting: any AnySetting
        /// How messages name it: `crowdstrike.batch_size`, `flows.iocs.batch_size`.
        let label: String
        /// What to do when it is missing, a sentence.
        let remedy: String
        /// Where a missing one belongs; `nil` without a file.
        let location: SourceLocation?
        /// Whether its variables are looked at.
        let readsEnvironment: Bool
    }

    let environment: Environment
    /// Every variable that some declaration names, in capitals: `X_FILE` may be a setting of its own.
    let declaredVariables: Set<String>
    private(set) var problems: [SettingsProblem] = []
    private var reported: Set<SettingsProblem> = []
    /// Failures that may turn out not to matter, because their switch is off.
    private var undecided: [(site: Site, problem: SettingsProblem)] = []

    init(environment: Environment, declaredVariables: Set<String>) {
        self.environment = environment
        self.declaredVariables = declaredVariables
    }

    mutating func report(_ problem: SettingsProblem) {
        if reported.insert(problem).inserted { problems.append(problem) }
    }

    mutating func report(
        _ severity: SettingsProblem.Severity, key: String? = nil, variable: String? = nil, at location: SourceLocation?,
        _ what: String, _ remedy: String
    ) {
        report(
            SettingsProblem(
                severity: severity, key: key, variable: variable, location: location, what: what, remedy: remedy))
    }

    var hasErrors: Bool { problems.contains { $0.severity == .error } }

    /// The environment's value: a variable, then `NAME_FILE`. An empty variable stands for the default.
    mutating func environmentCandidate(_ site: Site) -> Candidate? {
        guard site.readsEnvironment else { return nil }
        var isEmpty: Candidate?
        var found: Candidate?
        for variable in site.setting.variables {
            guard let (name, value) = environment.find(variable) else { continue }
            let candidate = Candidate(raw: .text(value), origin: .variable(name))
            if candidate.raw.isEmpty {
                isEmpty = isEmpty ?? candidate
            } else if let found {
                reportConflict(site, found, candidate)
            } else {
                found = candidate
            }
        }
        for variable in site.setting.variables where !declaredVariables.contains(variable + "_FILE") {
            guard let (name, path) = environment.find(variable + "_FILE"), !path.trimmed.isEmpty else { continue }
            if found != nil {
                report(
                    .warning, key: site.label, variable: name, at: nil, "\(variable) is set too and wins.",
                    "Remove one of the two.")
                return found
            }
            do {
                let value = try SettingFile.value(of: path)
                return Candidate(
                    raw: .text(value), origin: .file(path, via: name), isSensitive: true,
                    reread: { () throws(UnreadableSource) in try SettingFile.value(of: path) })
            } catch {
                report(.error, key: site.label, variable: name, at: nil, error.what, error.remedy)
                return Candidate(raw: .text(""), origin: .file(path, via: name))
            }
        }
        return found ?? isEmpty
    }

    /// Two names of one setting with different values: the first wins, and nobody should have to guess that.
    mutating func reportConflict(_ site: Site, _ winner: Candidate, _ other: Candidate) {
        guard case .text(let first) = winner.raw, case .text(let second) = other.raw, first.trimmed != second.trimmed
        else { return }
        func name(_ candidate: Candidate) -> String {
            if case .variable(let name) = candidate.origin { return name }
            return candidate.location?.description ?? "another place"
        }
        var variable: String?
        if case .variable(let name) = other.origin { variable = name }
        report(
            .warning, key: site.label, variable: variable, at: other.location,
            "\(name(winner)) says something else and wins over \(name(other)).", "Remove one of the two.")
    }

    mutating func nodeCandidate(_ site: Site, _ node: YAMLNode, _ reader: NodeReader) -> Candidate {
        do { return try reader.candidate(node) } catch {
            report(.error, key: site.label, at: node.location, error.what, error.remedy)
            return Candidate(raw: .text(""), origin: .document(node.location))
        }
    }

    /// The entry of a setting, from what the first source holds; `nil` after a problem.
    mutating func settle(_ site: Site, _ candidate: Candidate?) -> ResolvedSettings.Entry? {
        let setting = site.setting
        var raw = candidate?.raw
        if raw?.isEmpty == true { raw = nil }
        // The originals' samples say `ChangeMe`, which their programs treat as unset too.
        let isPlaceholder = if case .text(let text) = raw { text.trimmed.lowercased() == "changeme" } else { false }
        if isPlaceholder { raw = nil }
        if raw != nil, setting.isSecret, let reason = setting.ignoredBecause {
            // Nobody should keep a secret where it serves nothing.
            report(
                .warning, key: site.label, variable: site.readsEnvironment ? setting.variables.first : nil,
                at: candidate?.location, "It has no effect: \(reason).", "Remove it.")
        }
        do {
            guard let settled = try setting.settle(raw) else {
                // A source that could not be read has been reported already.
                if problems.contains(where: { $0.severity == .error && $0.key == site.label }) { return nil }
                let what = isPlaceholder ? "It still holds the sample's placeholder." : "It is required."
                report(
                    .error, key: site.label, variable: site.readsEnvironment ? setting.variables.first : nil,
                    at: candidate?.location ?? site.location, what, site.remedy)
                return nil
            }
            return ResolvedSettings.Entry(
                setting: setting, text: settled.text, origin: raw == nil ? .builtIn : candidate?.origin ?? .builtIn,
                box: settled.box, fingerprint: Secret("\(raw.map { "\($0)" } ?? settled.text)"),
                reread: Self.reread(candidate, site.label))
        } catch {
            let problem = complaint(site, candidate, raw, error)
            if setting.relevantKey != nil { undecided.append((site, problem)) } else { report(problem) }
            return nil
        }
    }

    /// Entries for settings that are wrong but switched off: their defaults, with a warning. The rest is reported.
    mutating func decide(_ entries: [ResolvedSettings.Entry]) -> [ResolvedSettings.Entry] {
        defer { undecided = [] }
        var defaults: [ResolvedSettings.Entry] = []
        for (site, problem) in undecided {
            let isOff = entries.contains { $0.setting.key == site.setting.relevantKey && $0.text == "false" }
            guard isOff, let settled = try? site.setting.settle(nil) else {
                report(problem)
                continue
            }
            report(
                SettingsProblem(
                    severity: .warning, key: problem.key, variable: problem.variable, location: problem.location,
                    what: problem.what, remedy: "It is not used now, so this only is a warning."))
            defaults.append(
                ResolvedSettings.Entry(
                    setting: site.setting, text: settled.text, origin: .builtIn, box: settled.box,
                    fingerprint: Secret(settled.text), reread: nil))
        }
        return defaults
    }

    private func complaint(
        _ site: Site, _ candidate: Candidate?, _ raw: RawSetting?, _ error: InvalidValue
    ) -> SettingsProblem {
        let isHidden = site.setting.isSecret || candidate?.isSensitive == true
        var subject = "The value"
        if error.showsValue, !isHidden, case .text(let text) = raw {
            subject = shown(text.trimmed)
        }
        var variable: String?
        switch candidate?.origin {
        case .variable(let name), .file(_, let name): variable = name
        default: break
        }
        return SettingsProblem(
            severity: .error, key: site.label, variable: variable, location: candidate?.location,
            what: "\(subject) \(isHidden ? error.discreet : error.what).",
            remedy: error.remedy ?? "Give \(site.setting.kind.expectation)\(Self.range(site.setting)).")
    }

    private static func range(_ setting: any AnySetting) -> String {
        setting.rangeText.map { ", \($0.text)" } ?? ""
    }

    private static func reread(
        _ candidate: Candidate?, _ label: String
    ) -> (@Sendable () throws(SettingsError) -> Secret)? {
        guard let candidate, let reread = candidate.reread else { return nil }
        let location = candidate.location
        return { () throws(SettingsError) in
            do throws(UnreadableSource) { return Secret(try reread().trimmed) } catch {
                throw SettingsError(problems: [
                    SettingsProblem(
                        severity: .error, key: label, variable: nil, location: location, what: error.what,
                        remedy: error.remedy)
                ])
            }
        }
    }
}
