// SPDX-License-Identifier: Apache-2.0

public import Falcon
public import JSON

/// One response action, declared: names, arguments and the scopes it needs.
///
/// Source: Sekoia.io module, 5.2; the module's own `action_*.json`.
public struct FalconAction: Sendable {
    /// `isolate_endpoints`
    public let slug: String
    /// What Sekoia's platform starts it by: `isolate_hosts`.
    public let dockerParameter: String
    /// `Isolate hosts`
    public let name: String
    /// One sentence.
    public let summary: String
    /// JSON Schema (draft 7) of its arguments.
    public let schema: JSONValue
    public let scopes: [FalconScope]
    /// Whether it changes anything at the tenant.
    public let isWrite: Bool
    /// Arguments of ours that the original does not have.
    public var additions: [String] = []

    /// Its arguments in the order of the schema.
    public var arguments: [Argument] {
        let required = Set((schema["required"]?.array ?? []).compactMap(\.string))
        return (schema["properties"]?.object ?? [:]).map { name, property in
            Argument(name: name, schema: property, isRequired: required.contains(name))
        }
    }

    /// One member of the arguments.
    public struct Argument: Sendable {
        public let name: String
        public let schema: JSONValue
        public let isRequired: Bool
        public var type: String { schema["type"]?.string ?? "object" }
        /// A list of texts, which flags can give one by one.
        public var isTextList: Bool { type == "array" && schema["items"]?["type"]?.string == "string" }
        public var choices: [String] { (schema["enum"]?.array ?? []).compactMap(\.string) }
        public var doc: String { schema["description"]?.string ?? "" }
    }

    /// Every action, in the order of the module's documentation.
    public static let all: [FalconAction] = alerts + hosts + policies + indicators

    /// By slug or docker parameter.
    public static func named(_ name: String) -> FalconAction? {
        all.first { $0.slug == name || $0.dockerParameter == name }
    }
}

/// Pieces of schemas.
enum ArgumentSchema {
    static func object(_ properties: JSONObject, required: [String]) -> JSONValue {
        [
            "$schema": "http://json-schema.org/draft-07/schema#", "title": "Arguments", "type": "object",
            "properties": .object(properties), "required": .array(required.map { .string($0) }),
        ]
    }

    /// A list of ids that may be longer than one call takes.
    static func ids(_ what: String, perRequest limit: Int) -> JSONValue {
        [
            "type": "array", "items": ["type": "string", "minLength": 1], "minItems": 1, "description": .string(what),
            "x-falcon-max-per-request": .int(limit),
        ]
    }

    static func onlyIDs(_ what: String, perRequest limit: Int) -> JSONValue {
        object(["ids": ids(what, perRequest: limit)], required: ["ids"])
    }

    static func text(_ description: String? = nil, isFilled: Bool = false) -> JSONValue {
        var schema: JSONObject = ["type": "string"]
        if isFilled { schema["minLength"] = 1 }
        if let description { schema["description"] = .string(description) }
        return .object(schema)
    }

    static func choice(_ values: [String]) -> JSONValue {
        ["type": "string", "enum": .array(values.map { .string($0) })]
    }
}
