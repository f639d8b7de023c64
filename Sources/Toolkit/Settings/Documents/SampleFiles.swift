// SPDX-License-Identifier: Apache-2.0

// Files to begin with: every setting with its meaning, the optional ones commented out.
extension SettingsCatalogue {
    /// A `sallyport.yaml` with one flow for each of the connectors.
    public func sampleFile(for connectors: [ConnectorSettings]) -> String {
        var text = """
            # sallyport.yaml: what Sallyport runs. `sallyport check` tells what is wrong with it.
            # ${env:NAME} stands for a variable, ${file:/path} for the content of a file.

            # Connections own addresses and credentials; flows share them.
            connections:

            """
        var kinds: [String] = []
        for kind in connectors.flatMap(\.connectionKinds) where !kinds.contains(kind) { kinds.append(kind) }
        for kind in kinds {
            text += "  \(kind):\n"
            var keys: Set<String> = []
            for setting in connectors.flatMap(\.settings) {
                guard case .connection(kind, let key) = setting.place, keys.insert(key).inserted else { continue }
                text += lines(setting, key, indent: 4)
            }
        }
        text += "\n# A flow moves data from one connection to another.\nflows:\n"
        for connector in connectors {
            text += "  # \(connector.title)\n  \(connector.name):\n    connector: \(connector.name)\n"
            for kind in connector.connectionKinds { text += "    \(kind): \(kind)\n" }
            for setting in connector.settings where setting.ignoredBecause == nil {
                if case .flow(let key) = setting.place { text += lines(setting, key, indent: 4) }
            }
        }
        var last = ""
        for setting in globals {
            guard case .global(let section, let key) = setting.place else { continue }
            if section != last { text += "\n\(section):\n" }
            last = section
            text += lines(setting, key, indent: 2)
        }
        return text
    }

    /// The variables of a connector as a `.env` file, for drop-in use.
    public func sampleEnvironment(for connector: ConnectorSettings) -> String {
        var text = "# Variables of `sallyport run \(connector.name)`.\n"
        for setting in dropInSettings(of: connector) where setting.ignoredBecause == nil {
            let name = setting.variables.first ?? setting.key
            let value = setting.example ?? setting.defaultText ?? (setting.isRequired ? "ChangeMe" : "")
            text += "\n" + comment(setting, indent: 0)
            text += setting.isRequired ? "\(name)=\(value)\n" : "#\(name)=\(value)\n"
        }
        return text
    }

    private func lines(_ setting: any AnySetting, _ key: String, indent: Int) -> String {
        let margin = String(repeating: " ", count: indent)
        let variable = setting.variables.first ?? key
        let value =
            setting.isSecret
            ? "${env:\(variable)}" : setting.example ?? setting.defaultText ?? (setting.isRequired ? "ChangeMe" : "")
        let line = setting.isRequired ? "\(key): \(quoted(value))" : "#\(key): \(quoted(value))"
        return comment(setting, indent: indent) + margin + (value.isEmpty ? String(line.dropLast()) : line) + "\n"
    }

    private func comment(_ setting: any AnySetting, indent: Int) -> String {
        var text = setting.doc
        if case .choice(let choices) = setting.kind.shape {
            text += " One of \(choices.map(\.name).joined(separator: ", "))."
        }
        if let range = setting.rangeText { text += " \(range.text.prefix(1).uppercased())\(range.text.dropFirst())." }
        let margin = String(repeating: " ", count: indent)
        var lines = ""
        var line = ""
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            if !line.isEmpty, indent + 2 + line.count + 1 + word.count > 100 {
                lines += "\(margin)# \(line)\n"
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + "\(margin)# \(line)\n"
    }

    /// Plain where YAML reads it as it is, else quoted.
    private func quoted(_ value: String) -> String {
        let isPlain = value.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "_-./:,${}=".utf8.contains(byte)
            }
        }
        if isPlain, !value.hasSuffix(":"), !value.contains(": "), !value.hasPrefix("-"), !value.hasPrefix(",") {
            return value
        }
        return "\"" + value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
