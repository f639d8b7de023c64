// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// Arguments against the schema of an action: as much of JSON Schema as those schemas use. Members that the schema does not
/// name are ignored, as the original does; null is the same as missing.
struct ArgumentCheck {
    let schema: JSONValue

    /// What is wrong, each with the place: `indicators[3].type: …`.
    func problems(_ arguments: JSONObject) -> [String] { problems(.object(arguments), schema, at: "") }

    private func problems(_ value: JSONValue, _ schema: JSONValue, at place: String) -> [String] {
        let name = place.isEmpty ? "the arguments" : place
        if let type = schema["type"]?.string, !matches(value, type) { return ["\(name): is no \(type)"] }
        var problems: [String] = []
        if let allowed = schema["enum"]?.array, !allowed.contains(value) {
            let choices = allowed.compactMap(\.string).joined(separator: ", ")
            problems.append("\(name): “\(value.string ?? value.text)” is not one of \(choices)")
        }
        if let text = value.string {
            if let least = schema["minLength"]?.int, text.unicodeScalars.count < least {
                problems.append("\(name): is empty")
            }
            if schema["format"]?.string == "date-time", Instant(parsing: text) == nil {
                problems.append("\(name): is no date-time such as 2026-01-31T10:00:00Z")
            }
        }
        if let number = value.double, let least = schema["minimum"]?.double, number < least {
            problems.append("\(name): is below \(schema["minimum"]?.text ?? "")")
        }
        if let elements = value.array {
            if let least = schema["minItems"]?.int, elements.count < least { problems.append("\(name): is empty") }
            if let most = schema["maxItems"]?.int, elements.count > most {
                problems.append("\(name): holds \(elements.count), at most \(most) are allowed")
            }
            if let items = schema["items"] {
                for (index, element) in elements.enumerated() {
                    problems += self.problems(element, items, at: "\(place)[\(index)]")
                }
            }
        }
        if let object = value.object { problems += members(object, schema, at: place) }
        return problems
    }

    private func members(_ object: JSONObject, _ schema: JSONValue, at place: String) -> [String] {
        func path(_ name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }
        func isThere(_ name: String) -> Bool { object[name].map { !$0.isNull } ?? false }
        var problems: [String] = []
        for name in (schema["required"]?.array ?? []).compactMap(\.string) where !isThere(name) {
            problems.append("\(path(name)): is missing")
        }
        if let choices = schema["anyOf"]?.array {
            let names = choices.map { ($0["required"]?.array ?? []).compactMap(\.string) }
            if !names.contains(where: { $0.allSatisfy(isThere) }) {
                problems.append("one of \(names.joined().joined(separator: ", ")): is missing")
            }
        }
        for (name, property) in schema["properties"]?.object ?? [:] {
            guard let member = object[name], !member.isNull else { continue }
            problems += self.problems(member, property, at: path(name))
        }
        return problems
    }

    private func matches(_ value: JSONValue, _ type: String) -> Bool {
        switch (type, value) {
        case ("string", .string), ("array", .array), ("object", .object), ("boolean", .bool), ("number", .number): true
        case ("integer", .number): value.int != nil
        default: false
        }
    }
}
