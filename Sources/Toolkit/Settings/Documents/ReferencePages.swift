// SPDX-License-Identifier: Apache-2.0

// The pages of `docs/reference/` that describe settings.
extension SettingsCatalogue {
    /// File name and Markdown text of every page: `settings.md` and one `settings-<connector>.md` for each connector.
    public var referencePages: [(name: String, text: String)] {
        [("settings.md", indexPage)] + connectors.map { ("settings-\($0.name).md", page(of: $0)) }
    }

    private var indexPage: String {
        var text = """
            # Settings

            \(Self.generated)

            There are two ways to configure Sallyport.

            **Drop-in**: `sallyport run CONNECTOR` takes the environment and the `config.yml` (or else `.env`) of the program \
            that the connector replaces. The pages of the connectors list them:


            """
        for connector in connectors {
            text += "- [\(connector.name)](settings-\(connector.name).md): \(connector.title)\n"
        }
        text += """

            **`sallyport.yaml`** describes several flows. `connections` own addresses and credentials and are shared by the \
            flows that name them; `flows` name a connector, its connections and its own settings:

            ```yaml
            connections:
              opencti:
                url: https://opencti.example
                token: ${file:/run/secrets/opencti}
            flows:
              my-flow:
                connector: \(connectors.first?.name ?? "…")
                opencti: opencti
            ```

            The kind of a connection is its name, its `kind:`, or what the flows use it for. `sallyport settings --sample` \
            prints a complete file, `sallyport settings --schema` a JSON Schema for editors.

            ## Where a value comes from

            The first of these that has one:

            1. the command line: `--set KEY=VALUE`, with a key of these pages or a path such as `flows.my-flow.batch_size`;
            2. the variable of the setting, in any case; in `sallyport.yaml` use only while it can mean one flow or connection;
            3. the file that `<VARIABLE>_FILE` names, without the line end; it is read again when a server refuses the secret;
            4. `sallyport.yaml`, or in drop-in use `config.yml`, or `.env` where there is no `config.yml`;
            5. the default.

            An empty value, `null` and `ChangeMe` mean the default. In `sallyport.yaml`, `${env:NAME}` and `${file:/path}` stand \
            for a variable and for the content of a file, also inside a longer text; `$${` is a literal `${`.

            Unknown keys are errors in `sallyport.yaml` and warnings in the files and variables of the originals. All problems \
            are reported at once; a secret is never shown.

            ## Types

            | type | what it takes |
            | --- | --- |

            """
        for kind in kinds { text += "| \(kind.name) | \(cell(kind.expectation)) |\n" }
        text += "\n## The process\n\nIn `sallyport.yaml` these are sections of their own.\n\n"
        text += table(globals)
        return text
    }

    private func page(of connector: ConnectorSettings) -> String {
        var text = """
            # \(connector.title): settings

            \(Self.generated)

            \(connector.summary)

            Connector: `\(connector.name)`\(connector.aliases.isEmpty ? "" : ", also called " + connector.aliases.map { "`\($0)`" }.joined(separator: ", ")).
            Where values come from and what the types take: [settings](settings.md).

            """
        let working = connector.settings.filter { $0.ignoredBecause == nil }
        for kind in connector.connectionKinds {
            let own = working.filter { if case .connection(kind, _) = $0.place { true } else { false } }
            text += "\n## Connection `\(kind)`\n\n" + table(own)
        }
        let own = working.filter { if case .connection = $0.place { false } else { true } }
        if !own.isEmpty { text += "\n## Flow\n\n" + table(own) }
        let ignored = connector.settings.filter { $0.ignoredBecause != nil }
        if !ignored.isEmpty {
            text += "\n## Accepted without effect\n\n| variable | why |\n| --- | --- |\n"
            for setting in ignored {
                text +=
                    "| \(setting.variables.map { "`\($0)`" }.joined(separator: ", ")) | \(cell(setting.ignoredBecause ?? "")) |\n"
            }
        }
        return text
    }

    private static let generated = "Generated from the declarations of the program; do not edit."

    private func table(_ settings: [any AnySetting]) -> String {
        var text =
            "| key | variable | in `sallyport.yaml` | type | default | meaning |\n| --- | --- | --- | --- | --- | --- |\n"
        for setting in settings {
            let place =
                switch setting.place {
                case .connection(_, let key), .flow(let key): "`\(key)`"
                case .global(let section, let key): "`\(section).\(key)`"
                case .dropIn: "–"
                }
            let standard = setting.isRequired ? "**required**" : setting.defaultText.map { "`\($0)`" } ?? "–"
            text += "| `\(setting.key)` | \(setting.variables.map { "`\($0)`" }.joined(separator: ", ")) | \(place) "
            text += "| \(setting.kind.name) | \(standard) | \(cell(setting.meaning)) |\n"
        }
        return text
    }

    /// The types in use, each once, choices left out: they are listed where they are.
    private var kinds: [SettingKind] {
        var kinds: [SettingKind] = []
        for kind in (connectors.flatMap(\.settings) + globals).map(\.kind) where !kinds.contains(kind) {
            if case .choice = kind.shape { continue }
            kinds.append(kind)
        }
        return kinds.sorted { $0.name < $1.name }
    }

    private func cell(_ text: String) -> String { text.replacing("|", with: "\\|").replacing("\n", with: " ") }
}
