// SPDX-License-Identifier: Apache-2.0

import JSON
import Settings

extension Command {
    /// `sallyport settings [CONNECTOR]`
    static let settings = Command(
        name: "settings", summary: "Show every setting: variable, type, default and meaning.",
        discussion: """
            What a configuration really says, and where each value comes from, `sallyport check` shows.
            """,
        examples: [
            .init(line: "sallyport settings opencti-crowdstrike", meaning: "One connector:"),
            .init(line: "sallyport settings --sample > sallyport.yaml", meaning: "A file to begin with:"),
            .init(
                line: "sallyport settings opencti-crowdstrike --sample-env > .env",
                meaning: "The same for drop-in use:"),
            .init(line: "sallyport settings --schema > sallyport.schema.json", meaning: "For an editor:"),
        ],
        options: [SettingsCommand.format] + SettingsCommand.documents, positionals: [SettingsCommand.connector],
        run: { arguments in
            Console.write(try SettingsCommand.answer(arguments, width: Console.width))
            return .ok
        })
}

enum SettingsCommand {
    static let connector = Positional(
        name: "CONNECTOR", doc: "Only what this connector takes; without it, everything.", arity: .optional)
    static let format = Option(
        name: "format", value: "FORM", doc: "How to show them.", choices: ["table", "markdown", "json"])
    static let sample = Option(name: "sample", doc: "Print a sallyport.yaml to begin with.")
    static let environment = Option(
        name: "sample-env", doc: "Print the connector's variables as a .env to begin with.")
    static let schema = Option(name: "schema", doc: "Print a JSON Schema of sallyport.yaml, for editors.")
    static let documents = [sample, environment, schema]

    static func answer(_ arguments: ParsedArguments, width: Int) throws(UsageError) -> String {
        var chosen: ConnectorSettings?
        if let name = arguments[connector].first {
            chosen = try Catalogue.connector(named: name, path: arguments.path)
        }
        let wanted = documents.filter { arguments.isSet($0) }
        guard wanted.count <= 1 else {
            throw UsageError(
                "--\(wanted[0].name) and --\(wanted[1].name) exclude each other.", remedy: "Give one of them.",
                path: arguments.path)
        }
        let catalogue = Catalogue.settings
        let connectors = chosen.map { [$0] } ?? catalogue.connectors
        switch wanted.first?.name {
        case sample.name: return catalogue.sampleFile(for: connectors)
        case environment.name: return connectors.map { catalogue.sampleEnvironment(for: $0) }.joined(separator: "\n")
        case schema.name: return catalogue.jsonSchema.text + "\n"
        default: break
        }
        let shown = SettingsCatalogue(connectors: connectors, globals: chosen == nil ? catalogue.globals : [])
        switch arguments.isSet(CommandLineProgram.json) ? "json" : arguments[format] {
        case "json": return shown.listing.text + "\n"
        case "markdown":
            return shown.referencePages.dropFirst(chosen == nil ? 0 : 1).map(\.text).joined(separator: "\n")
        default: return SettingsTable(width: min(width, 110)).text(of: shown)
        }
    }
}

/// Settings for a terminal: the name and its default on a line, the meaning below.
struct SettingsTable {
    let column: TextColumn

    init(width: Int) { column = TextColumn(width: max(40, width)) }

    func text(of catalogue: SettingsCatalogue) -> String {
        var text = ""
        for connector in catalogue.connectors {
            text += "\(connector.name): \(connector.title)\n" + column.wrapped(connector.summary, indent: 2)
            if !connector.aliases.isEmpty {
                text += column.wrapped("Also called \(connector.aliases.joined(separator: ", ")).", indent: 2)
            }
            let working = connector.settings.filter { $0.ignoredBecause == nil }
            for kind in connector.connectionKinds {
                let own = working.filter { if case .connection(kind, _) = $0.place { true } else { false } }
                append("Connection \(kind)", own, to: &text)
            }
            append("Flow", working.filter { if case .connection = $0.place { false } else { true } }, to: &text)
            let ignored = connector.settings.filter { $0.ignoredBecause != nil }
            if !ignored.isEmpty {
                text += "\nAccepted without effect\n"
                text += column.wrapped(ignored.compactMap(\.variables.first).joined(separator: ", "), indent: 2)
            }
            text += "\n"
        }
        append("The process", catalogue.globals, to: &text, leads: false)
        return text
    }

    private func append(_ title: String, _ settings: [any AnySetting], to text: inout String, leads: Bool = true) {
        guard !settings.isEmpty else { return }
        text += "\(leads ? "\n" : "")\(title)\n"
        for setting in settings {
            let standard = setting.isRequired ? "required" : setting.defaultText.map { "default \($0)" } ?? "optional"
            let name = "  \(setting.variables.first ?? setting.key)  \(setting.kind.name)"
            let fits = name.count + standard.count + 2 <= column.width
            text += fits ? "\(name), \(standard)\n" : "\(name)\n" + column.wrapped(standard, indent: 6)
            let place: String? =
                switch setting.place {
                case .connection(_, let key), .flow(let key): key
                case .global(let section, let key): "\(section).\(key)"
                case .dropIn: nil
                }
            let meaning = place.map { "\($0): \(setting.meaning)" } ?? setting.meaning
            text += column.wrapped(meaning, indent: 6)
        }
    }
}
