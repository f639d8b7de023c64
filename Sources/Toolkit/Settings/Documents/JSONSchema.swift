// SPDX-License-Identifier: Apache-2.0

public import JSON

// A JSON Schema (draft 2020-12) of `sallyport.yaml`, for editors that complete and check while one types.
//
// Required settings are only named in the description, because a variable may give them. Spellings of a choice that the
// reader forgives (another case, synonyms) are marked as wrong.
extension SettingsCatalogue {
    public var jsonSchema: JSONValue {
        var definitions = JSONObject()
        definitions["reference"] = [
            "description": "A variable or the content of a file.", "type": "string",
            "pattern": "\\$\\{(env|file):[^}]+\\}",
        ]
        var kinds: [String: JSONObject] = [:]
        for setting in connectors.flatMap(\.settings) {
            guard case .connection(let kind, let key) = setting.place, kinds[kind]?[key] == nil else { continue }
            kinds[kind, default: JSONObject()][key] = Self.schema(of: setting)
        }
        for (kind, properties) in kinds.sorted(by: { $0.key < $1.key }) {
            var properties = properties
            properties["kind"] = ["description": "What kind of connection it is.", "const": .string(kind)]
            definitions["connection-\(kind)"] = Self.object(properties)
        }
        for connector in connectors {
            var properties = JSONObject()
            properties["connector"] = Self.names(of: [connector])
            for kind in connector.connectionKinds {
                properties[kind] = ["description": .string("Name of a connection of kind \(kind)."), "type": "string"]
            }
            for setting in connector.settings {
                if case .flow(let key) = setting.place { properties[key] = Self.schema(of: setting) }
            }
            definitions["flow-\(connector.name)"] = Self.object(properties, description: connector.title)
        }

        var properties = JSONObject()
        let connections = kinds.keys.sorted()
        var named = JSONObject()
        for kind in connections { named[kind] = Self.reference("connection-\(kind)") }
        properties["connections"] = [
            "description": "Addresses and credentials, by name.", "type": ["object", "null"],
            "propertyNames": Self.name,
            "properties": .object(named),
            "additionalProperties": ["anyOf": .array(connections.map { Self.reference("connection-\($0)") })],
        ]
        let conditions = connectors.map { connector -> JSONValue in
            [
                "if": ["properties": ["connector": Self.names(of: [connector])], "required": ["connector"]],
                "then": Self.reference("flow-\(connector.name)"),
            ]
        }
        properties["flows"] = [
            "description": "What runs, by name.", "type": "object", "minProperties": 1, "propertyNames": Self.name,
            "additionalProperties": [
                "type": "object", "required": ["connector"], "properties": ["connector": Self.names(of: connectors)],
                "allOf": .array(conditions),
            ],
        ]
        var sections: [(name: String, keys: JSONObject)] = []
        for setting in globals {
            guard case .global(let section, let key) = setting.place else { continue }
            let index = sections.firstIndex { $0.name == section } ?? sections.endIndex
            if index == sections.endIndex { sections.append((section, JSONObject())) }
            sections[index].keys[key] = Self.schema(of: setting)
        }
        for section in sections { properties[section.name] = Self.object(section.keys, isNullable: true) }
        return [
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "sallyport.yaml", "type": "object",
            "properties": .object(properties), "required": ["flows"], "additionalProperties": false,
            "$defs": .object(definitions),
        ]
    }

    private static let name: JSONValue = ["pattern": "^[A-Za-z0-9_-]{1,64}$"]

    private static func reference(_ name: String) -> JSONValue { ["$ref": .string("#/$defs/\(name)")] }

    private static func names(of connectors: [ConnectorSettings]) -> JSONValue {
        [
            "description": "The connector to run.",
            "enum": .array(connectors.flatMap { [$0.name] + $0.aliases }.map { .string($0) }),
        ]
    }

    private static func object(_ properties: JSONObject, description: String? = nil, isNullable: Bool = false)
        -> JSONValue
    {
        var object = JSONObject()
        if let description { object["description"] = .string(description) }
        object["type"] = isNullable ? ["object", "null"] : "object"
        object["properties"] = .object(properties)
        object["additionalProperties"] = false
        return .object(object)
    }

    private static func schema(of setting: any AnySetting) -> JSONValue {
        var schema = JSONObject()
        schema["description"] = .string(setting.doc + (setting.isRequired ? " Required." : ""))
        var forms = forms(setting.kind.shape, setting.rangeText)
        forms.append(["type": "null"])
        schema["anyOf"] = .array(forms + [reference("reference")])
        if let text = setting.defaultText { schema["default"] = value(text, setting.kind.shape) }
        if let example = setting.example { schema["examples"] = [.string(example)] }
        if setting.isSecret { schema["writeOnly"] = true }
        return .object(schema)
    }

    private static func forms(_ shape: SettingKind.Shape, _ range: RangeText?) -> [JSONValue] {
        switch shape {
        case .text: return [["type": ["string", "number", "boolean"]]]
        case .boolean:
            return [
                ["type": "boolean"], ["enum": [0, 1]],
                ["type": "string", "pattern": "^(?i:true|false|yes|no|on|off|t|f|y|n|1|0)$"],
            ]
        case .integer, .number:
            var number = JSONObject()
            number["type"] = shape == .integer ? "integer" : "number"
            func bound(_ text: String) -> JSONValue {
                Int64(text).map { .int($0) } ?? Double(text).map { .double($0) } ?? .string(text)
            }
            if let lower = range?.lower { number["minimum"] = bound(lower) }
            if let upper = range?.upper { number["maximum"] = bound(upper) }
            let digits = shape == .integer ? "^[+-]?[0-9]+$" : "^[+-]?[0-9.]+([eE][+-]?[0-9]+)?$"
            return [.object(number), ["type": "string", "pattern": .string(digits)]]
        case .choice(let choices): return [["enum": .array(choices.map { .string($0.name) })]]
        case .list(let element):
            return [
                ["type": "array", "items": ["anyOf": .array(forms(element, nil) + [reference("reference")])]],
                ["type": ["string", "number"]],
            ]
        }
    }

    private static func value(_ text: String, _ shape: SettingKind.Shape) -> JSONValue {
        switch shape {
        case .boolean: .bool(text == "true")
        case .integer: Int64(text).map { .int($0) } ?? .string(text)
        case .number: Double(text).map { .double($0) } ?? .string(text)
        default: .string(text)
        }
    }
}
