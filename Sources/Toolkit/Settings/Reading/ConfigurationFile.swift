// SPDX-License-Identifier: Apache-2.0

extension SettingsCatalogue {
    /// Reads `sallyport.yaml`: command line, environment, `NAME_FILE`, the file, defaults.
    ///
    /// A setting's variable (`CROWDSTRIKE_CLIENT_SECRET`) applies while it can only mean one flow or connection; with
    /// several it is left alone, with a warning: `${env:…}` in the file says which one is meant.
    public func file(_ path: String, input: SettingsInput) throws(SettingsError) -> Configuration {
        let bytes: [UInt8]
        do { bytes = try SettingFile.bytes(of: path) } catch {
            throw SettingsError(problems: [
                SettingsProblem(
                    severity: .error, key: nil, variable: nil, location: nil, what: error.what, remedy: error.remedy)
            ])
        }
        return try read(yaml: bytes, named: path, input: input)
    }

    /// The same from bytes. `${file:…}` paths that are relative begin at the folder of `name`.
    public func read(yaml: [UInt8], named name: String, input: SettingsInput) throws(SettingsError) -> Configuration {
        let document = YAMLReader.read(yaml, file: name)
        var file = ConfigurationFile(catalogue: self, name: name, input: input)
        for problem in document.problems { file.reading.report(problem) }
        // A file that is not even YAML has nothing more to tell.
        let isReadable = document.root != nil || document.problems.isEmpty
        let configuration = isReadable ? file.configuration(document.root) : nil
        guard let configuration, !file.reading.hasErrors else { throw SettingsError(problems: file.reading.problems) }
        return configuration
    }
}

/// The reading of one `sallyport.yaml`.
struct ConfigurationFile {
    /// A named section of `connections` or `flows`.
    struct Section {
        let name: String
        let location: SourceLocation
        let node: YAMLNode
    }

    /// A flow whose connector is known.
    struct Flow {
        let section: Section
        let connector: ConnectorSettings
        /// Kind → connection.
        var connections: [String: Section] = [:]
    }

    let catalogue: SettingsCatalogue
    let name: String
    let input: SettingsInput
    let reader: NodeReader
    var reading: SettingsReading
    private var knownOverrides: Set<String> = []

    init(catalogue: SettingsCatalogue, name: String, input: SettingsInput) {
        self.catalogue = catalogue
        self.name = name
        self.input = input
        let environment = Environment(input.environment)
        let folder = name.lastIndex(of: "/").map { String(name[..<$0]) } ?? "."
        reader = NodeReader(environment: environment, referenceFolder: folder.isEmpty ? "/" : folder)
        let all = catalogue.connectors.flatMap(\.settings) + catalogue.globals
        reading = SettingsReading(environment: environment, declaredVariables: Set(all.flatMap(\.allVariables)))
    }

    mutating func configuration(_ root: YAMLNode?) -> Configuration? {
        let start = SourceLocation(file: name, line: 1, column: 1)
        guard let root, let members = root.members else {
            reading.report(
                .error, at: root?.location ?? start, "The file has no sections.",
                "Begin with “connections:” and “flows:”; `sallyport settings --sample` prints an example.")
            return nil
        }
        reading.checkNames(of: members, among: topNames, in: "", severity: .error)
        let process = process(root)
        let connections = sections(root["connections"], "connections")
        let flows = flows(sections(root["flows"], "flows"), connections)
        if root["flows"]?.isNull ?? true || root["flows"]?.members?.isEmpty == true {
            reading.report(.error, key: "flows", at: start, "There is no flow.", "Add one under “flows:”.")
        }
        checkConnections(connections, flows)
        let configured = flows.map { configuration(of: $0, flows, process) }
        for override in input.overrides where !knownOverrides.contains(override.key) {
            reading.report(unknownOverride: override.key, known: knownOverrides.sorted())
        }
        let used = catalogue.globals + flows.flatMap(\.connector.settings)
        reading.checkVariables(known: catalogue.otherVariables, settings: used)
        warnOfAmbiguity(flows)
        guard !reading.hasErrors else { return nil }
        return Configuration(
            process: ResolvedSettings(process), flows: configured.compactMap(\.self), warnings: reading.problems,
            file: name)
    }

    private var topNames: [String] {
        var names = ["connections", "flows"]
        for case .global(let section, _) in catalogue.globals.map(\.place) where !names.contains(section) {
            names.append(section)
        }
        return names
    }

    private mutating func process(_ root: YAMLNode) -> [ResolvedSettings.Entry] {
        var keys: [String: [String]] = [:]
        for case .global(let section, let key) in catalogue.globals.map(\.place) {
            keys[section, default: []].append(key)
        }
        for (section, known) in keys.sorted(by: { $0.key < $1.key }) {
            guard let node = root[section], !node.isNull else { continue }
            if let members = node.members {
                reading.checkNames(of: members, among: known, in: section, severity: .error)
            } else {
                reportNoSection(section, node)
            }
        }
        let sites = catalogue.globals.compactMap { setting -> (SettingsReading.Site, YAMLNode?)? in
            guard case .global(let section, let key) = setting.place else { return nil }
            let site = SettingsReading.Site(
                setting: setting, label: "\(section).\(key)", remedy: "Add “\(key)” to “\(section)”.",
                location: root[section]?.location, readsEnvironment: true)
            return (site, root[section]?[key])
        }
        let entries = sites.compactMap { entry($0, $1) }
        return entries + reading.decide(entries)
    }

    /// The named sections of `connections` or `flows`.
    private mutating func sections(_ node: YAMLNode?, _ label: String) -> [Section] {
        guard let node, !node.isNull else { return [] }
        guard let members = node.members else {
            reportNoSection(label, node)
            return []
        }
        return members.compactMap { member in
            let isName =
                member.key.utf8.count <= 64 && !member.key.isEmpty
                && member.key.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                        true
                    default: false
                    }
                }
            guard isName else {
                reading.report(
                    .error, key: label, at: member.location, "\(shown(member.key)) is no name.",
                    "Use at most 64 letters, digits, - and _.")
                return nil
            }
            guard member.value.members != nil else {
                reportNoSection("\(label).\(member.key)", member.value)
                return nil
            }
            return Section(name: member.key, location: member.location, node: member.value)
        }
    }

    private mutating func flows(_ sections: [Section], _ connections: [Section]) -> [Flow] {
        sections.compactMap { section in
            let label = "flows.\(section.name)"
            guard let node = section.node["connector"], case .scalar(let text, isNull: false) = node.content else {
                reading.report(
                    .error, key: label + ".connector", at: section.location, "It is required.",
                    "Name one of \(catalogue.connectors.map(\.name).joined(separator: ", ")).")
                return nil
            }
            guard let connector = catalogue.connector(named: text.trimmed) else {
                let near = nearestName(to: text, among: catalogue.connectorNames)
                reading.report(
                    .error, key: label + ".connector", at: node.location, "There is no connector \(shown(text)).",
                    near.map { "Did you mean “\($0)”?" }
                        ?? "Name one of \(catalogue.connectors.map(\.name).joined(separator: ", ")).")
                return nil
            }
            var flow = Flow(section: section, connector: connector)
            for kind in connector.connectionKinds {
                flow.connections[kind] = connection(kind, of: section, connections)
            }
            return flow
        }
    }

    /// The connection of a kind that a flow names; without a name, the one called like the kind.
    private mutating func connection(_ kind: String, of flow: Section, _ connections: [Section]) -> Section? {
        let label = "flows.\(flow.name).\(kind)"
        let names = connections.map(\.name)
        guard let node = flow.node[kind], !node.isNull else {
            if let own = connections.first(where: { $0.name == kind }) { return own }
            reading.report(
                .error, key: label, at: flow.location, "It is required.",
                names.isEmpty
                    ? "Add a connection under “connections:” and its name here."
                    : "Name one of \(names.joined(separator: ", ")).")
            return nil
        }
        guard case .scalar(let text, _) = node.content else {
            reading.report(
                .error, key: label, at: node.location,
                "Here is \(node.kindName) where the name of a connection is expected.",
                "Move it to “connections:” and put its name here.")
            return nil
        }
        if let connection = connections.first(where: { $0.name == text.trimmed }) { return connection }
        let near = nearestName(to: text, among: names)
        reading.report(
            .error, key: label, at: node.location, "There is no connection \(shown(text)).",
            near.map { "Did you mean “\($0)”?" } ?? "Add it under “connections:”.")
        return nil
    }

    mutating func reportNoSection(_ label: String, _ node: YAMLNode) {
        reading.report(
            .error, key: label, at: node.location, "Here is \(node.kindName) where a section is expected.",
            "Write its keys below it, indented.")
    }

    /// The entry of a setting that may stand at `node`.
    mutating func entry(_ site: SettingsReading.Site, _ node: YAMLNode?) -> ResolvedSettings.Entry? {
        knownOverrides.insert(site.label)
        knownOverrides.insert(site.setting.key)
        let override = input.overrides.last { $0.key == site.label || $0.key == site.setting.key }
        let candidate =
            override.map { Candidate(raw: .text($0.text), origin: .commandLine) }
            ?? reading.environmentCandidate(site) ?? node.map { reading.nodeCandidate(site, $0, reader) }
        return reading.settle(site, candidate)
    }
}
