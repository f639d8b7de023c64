// SPDX-License-Identifier: Apache-2.0

public import JSON

extension SettingsCatalogue {
    /// Every setting for programs:
    /// `{"connectors":[{"name","aliases","title","summary","settings":[…]}],"process":[…]}`, each setting with `key`,
    /// `variables`, `place`, `type`, `required`, `secret`, `default`, `choices`, `range`, `example`, `doc`, `ignored`.
    public var listing: JSONValue {
        [
            "connectors": .array(
                connectors.map { connector in
                    [
                        "name": .string(connector.name), "aliases": .array(connector.aliases.map { .string($0) }),
                        "title": .string(connector.title), "summary": .string(connector.summary),
                        "settings": .array(connector.settings.map(Self.entry)),
                    ]
                }), "process": .array(globals.map(Self.entry)),
        ]
    }

    private static func entry(_ setting: any AnySetting) -> JSONValue {
        var entry = JSONObject()
        entry["key"] = .string(setting.key)
        entry["variables"] = .array(setting.variables.map { .string($0) })
        entry["place"] =
            switch setting.place {
            case .connection(let kind, let key): ["connection": .string(kind), "key": .string(key)]
            case .flow(let key): ["flow": true, "key": .string(key)]
            case .global(let section, let key): ["section": .string(section), "key": .string(key)]
            case .dropIn: nil
            }
        entry["type"] = .string(setting.kind.name)
        entry["required"] = .bool(setting.isRequired)
        entry["secret"] = .bool(setting.isSecret)
        if let text = setting.defaultText { entry["default"] = .string(text) }
        if case .choice(let choices) = setting.kind.shape {
            entry["choices"] = .array(choices.map { ["name": .string($0.name), "doc": .string($0.doc)] })
        }
        if let range = setting.rangeText { entry["range"] = .string(range.text) }
        if let example = setting.example { entry["example"] = .string(example) }
        entry["doc"] = .string(setting.doc)
        if let reason = setting.ignoredBecause { entry["ignored"] = .string(reason) }
        return .object(entry)
    }
}

extension ResolvedSettings {
    /// The values in force for programs: `[{"key","value","origin"}]`, secrets as `[redacted]`.
    public var listing: JSONValue {
        .array(
            entries.map { entry in
                ["key": .string(entry.setting.key), "value": .string(entry.text), "origin": .string("\(entry.origin)")]
            })
    }
}

extension SettingsProblem {
    /// `{"severity","key","variable","file","line","column","what","remedy"}`, absent members left out.
    public var json: JSONValue {
        var object = JSONObject()
        object["severity"] = .string(severity.rawValue)
        if let key { object["key"] = .string(key) }
        if let variable { object["variable"] = .string(variable) }
        if let location {
            object["file"] = .string(location.file)
            object["line"] = .int(location.line)
            object["column"] = .int(location.column)
        }
        object["what"] = .string(what)
        object["remedy"] = .string(remedy)
        return .object(object)
    }
}
