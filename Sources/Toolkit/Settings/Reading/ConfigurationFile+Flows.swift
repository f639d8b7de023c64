// SPDX-License-Identifier: Apache-2.0

// Connections and flows of a `sallyport.yaml`, setting by setting.
extension ConfigurationFile {
    /// Checks the keys of every connection against its kind, whether a flow uses it or not.
    mutating func checkConnections(_ connections: [Section], _ flows: [Flow]) {
        var keys: [String: [String]] = [:]
        for case .connection(let kind, let key) in catalogue.connectors.flatMap(\.settings).map(\.place)
        where keys[kind]?.contains(key) != true {
            keys[kind, default: []].append(key)
        }
        for connection in connections {
            let label = "connections.\(connection.name)"
            let users = flows.flatMap { flow in
                flow.connections.filter { $0.value.name == connection.name }.map {
                    (flow: flow.section.name, kind: $0.key)
                }
            }
            guard let kind = kind(of: connection, users.map(\.kind), known: keys.keys.sorted()) else { continue }
            for user in users where user.kind != kind {
                reading.report(
                    .error, key: "flows.\(user.flow).\(user.kind)", at: connection.location,
                    "The connection “\(connection.name)” is of kind \(kind), not \(user.kind).",
                    "Name a connection of kind \(user.kind).")
            }
            if users.isEmpty {
                reading.report(
                    .warning, key: label, at: connection.location, "No flow uses this connection.",
                    "Remove it, or name it in a flow.")
            }
            reading.checkNames(
                of: connection.node.members ?? [], among: ["kind"] + (keys[kind] ?? []), in: label, severity: .error)
        }
    }

    /// What `kind:` says, else what its name says, else what the flows take it for.
    private mutating func kind(of connection: Section, _ users: [String], known: [String]) -> String? {
        let label = "connections.\(connection.name).kind"
        if let node = connection.node["kind"], case .scalar(let text, isNull: false) = node.content {
            if known.contains(text.trimmed) { return text.trimmed }
            let near = nearestName(to: text, among: known)
            reading.report(
                .error, key: label, at: node.location, "There is no kind \(shown(text)).",
                near.map { "Did you mean “\($0)”?" } ?? "Give one of \(known.joined(separator: ", ")).")
            return nil
        }
        if known.contains(connection.name) { return connection.name }
        if let user = users.first { return user }
        reading.report(
            .error, key: label, at: connection.location, "Nothing says what kind of connection this is.",
            "Add “kind:” with one of \(known.joined(separator: ", ")).")
        return nil
    }

    mutating func configuration(
        of flow: Flow, _ flows: [Flow], _ process: [ResolvedSettings.Entry]
    ) -> FlowConfiguration? {
        let connector = flow.connector
        let label = "flows.\(flow.section.name)"
        var flowKeys = ["connector"] + connector.connectionKinds
        for case .flow(let key) in connector.settings.map(\.place) { flowKeys.append(key) }
        reading.checkNames(of: flow.section.node.members ?? [], among: flowKeys, in: label, severity: .error)

        let errorsBefore = reading.problems.count { $0.severity == .error }
        var entries: [ResolvedSettings.Entry] = []
        var sites: [SettingsReading.Site] = []
        for setting in connector.settings {
            let reads = readsEnvironment(setting, flows)
            let site: SettingsReading.Site
            let node: YAMLNode?
            switch setting.place {
            case .connection(let kind, let key):
                // A flow without that connection has been reported.
                guard let connection = flow.connections[kind] else { continue }
                node = connection.node[key]
                site = self.site(setting, "connections.\(connection.name)", key, connection.location, reads)
            case .flow(let key):
                node = flow.section.node[key]
                site = self.site(setting, label, key, flow.section.location, reads)
            case .dropIn:
                node = nil
                site = self.site(setting, label, setting.key, flow.section.location, reads)
            case .global: continue
            }
            sites.append(site)
            if let entry = entry(site, node) { entries.append(entry) }
        }
        entries += reading.decide(entries)
        let isWhole = flow.connections.count == connector.connectionKinds.count
        guard isWhole, reading.problems.count(where: { $0.severity == .error }) == errorsBefore else { return nil }
        let resolved = ResolvedSettings(entries + process)
        if process.count == catalogue.globals.count { reading.check(connector, resolved, sites) }
        return FlowConfiguration(
            name: flow.section.name, connector: connector, settings: resolved,
            connections: flow.connections.mapValues(\.name))
    }

    private func site(
        _ setting: any AnySetting, _ section: String, _ key: String, _ location: SourceLocation, _ reads: Bool
    ) -> SettingsReading.Site {
        let variable = reads ? setting.variables.first.map { ", or set \($0)" } ?? "" : ""
        return SettingsReading.Site(
            setting: setting, label: "\(section).\(key)", remedy: "Add “\(key)” to \(section)\(variable).",
            location: location, readsEnvironment: reads)
    }

    /// Whether a variable of this setting can only mean one flow or connection.
    private func readsEnvironment(_ setting: any AnySetting, _ flows: [Flow]) -> Bool {
        if case .global = setting.place { return true }
        if case .connection(let kind, _) = setting.place {
            return Set(flows.compactMap { $0.connections[kind]?.name }).count <= 1
        }
        return flows.count { $0.connector.settings.contains { $0.key == setting.key } } <= 1
    }

    /// Warns of variables that could mean several flows or connections and therefore mean none.
    mutating func warnOfAmbiguity(_ flows: [Flow]) {
        for setting in flows.flatMap(\.connector.settings) where !readsEnvironment(setting, flows) {
            for variable in setting.variables {
                let found = reading.environment.find(variable) ?? reading.environment.find(variable + "_FILE")
                guard let found, !found.value.isEmpty else { continue }
                reading.report(
                    .warning, variable: found.name, at: nil,
                    "Several flows or connections could mean this variable, so it is not used.",
                    "Refer to it in \(name) where it belongs: ${env:\(found.name)}.")
            }
        }
    }
}
