// SPDX-License-Identifier: Apache-2.0

public import HTTPClient
public import JSON
import Vectors

/// Falcon's contract as data: which requests exist, and whether one keeps to it.
public struct FalconContract: Sendable {
    private let operations: [JSONValue]

    public static let shared = Result { try FalconContract() }

    public init() throws {
        let file = try JSONValue(parsing: Array(Vectors.data("falcon-api.json")))
        operations = file["operations"]?.array ?? []
    }

    /// Everything in which a request differs from the contract; empty when it keeps to it.
    public func problems(_ recorded: ScriptedTransport.Recorded) -> [String] {
        guard let url = URLParts(recorded.request.url) else { return ["no URL: \(recorded.request.url)"] }
        let method = recorded.request.method.rawValue
        guard
            let operation = operations.first(where: {
                $0["path"]?.string == url.path && $0["method"]?.string == method
            })
        else { return ["no operation \(method) \(url.path)"] }
        var problems = queryProblems(url.query, operation)
        let schema = operation["strict_body_schema"] ?? operation["body_schema"] ?? .null
        let contentType = recorded.request.headers["Content-Type"]
        if schema.isNull {
            if !recorded.body.isEmpty { problems.append("a body where none belongs") }
        } else if schema["x-content-type"]?.string == "application/x-www-form-urlencoded"
            || operation["form"]?.array != nil
        {
            if contentType != "application/x-www-form-urlencoded" {
                problems.append("content type \(contentType ?? "–")")
            }
            let form = JSONObject(
                URLParts.items(recorded.text).map { (key: $0.name, value: JSONValue.string($0.value)) })
            problems += Schema(root: schema).problems(.object(form))
        } else {
            if contentType != "application/json" { problems.append("content type \(contentType ?? "–")") }
            guard let body = try? JSONValue(parsing: recorded.body) else { return problems + ["the body is no JSON"] }
            problems += Schema(root: schema).problems(body)
        }
        return problems
    }

    /// Everything in which a JSON body differs from what the operation takes.
    public func problems(inBody body: JSONValue, of method: String, _ path: String) -> [String] {
        let operation = operations.first { $0["path"]?.string == path && $0["method"]?.string == method }
        guard let schema = operation?["strict_body_schema"] ?? operation?["body_schema"] else {
            return ["no body belongs to \(method) \(path)"]
        }
        return Schema(root: schema).problems(body)
    }

    private func queryProblems(_ query: [(name: String, value: String)], _ operation: JSONValue) -> [String] {
        let parameters = operation["query"]?.array ?? []
        var problems: [String] = []
        for item in query {
            guard let parameter = parameters.first(where: { $0["name"]?.string == item.name }) else {
                problems.append("unknown query parameter \(item.name)")
                continue
            }
            let type = parameter["type"]?.string
            if type == "integer", Int(item.value) == nil {
                problems.append("\(item.name) is no integer: \(item.value)")
            }
            if type == "boolean", item.value != "true", item.value != "false" {
                problems.append("\(item.name) is no boolean: \(item.value)")
            }
            if type != "array", query.filter({ $0.name == item.name }).count > 1 {
                problems.append("\(item.name) occurs twice")
            }
            if let values = parameter["enum"]?.array?.compactMap(\.string), !values.isEmpty {
                let bare = item.value.split(whereSeparator: { $0 == "|" }).first.map(String.init) ?? item.value
                let sorted =
                    bare.hasSuffix(".desc") || bare.hasSuffix(".asc")
                    ? String(bare[..<(bare.lastIndex(of: ".") ?? bare.endIndex)]) : bare
                if !values.contains(sorted), !values.contains(item.value) {
                    problems.append("\(item.name) must not be \(item.value)")
                }
            }
        }
        for parameter in parameters where parameter["required"]?.bool == true {
            let name = parameter["name"]?.string ?? ""
            if !query.contains(where: { $0.name == name }) { problems.append("query parameter \(name) is missing") }
        }
        return problems
    }
}

/// A URL taken apart independently of the code under test.
public struct URLParts {
    public let origin: String
    public let path: String
    public let query: [(name: String, value: String)]

    public init?(_ url: String) {
        guard let scheme = url.firstRange(of: "://") else { return nil }
        let rest = url[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        origin = String(url[..<scheme.upperBound] + authority)
        let pathAndQuery = rest.dropFirst(authority.count)
        path = String(pathAndQuery.prefix { $0 != "?" })
        query = Self.items(String(pathAndQuery.dropFirst(path.count + 1)))
    }

    public static func items(_ text: String) -> [(name: String, value: String)] {
        text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (name: decoded(parts[0]), value: parts.count > 1 ? decoded(parts[1]) : "")
        }
    }

    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2 {
                bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// As much of JSON Schema as the contract uses, and stricter in one thing: members it does not name are refused.
public struct Schema {
    let root: JSONValue

    public init(root: JSONValue) { self.root = root }

    public func problems(_ value: JSONValue) -> [String] { problems(value, root, at: "$") }

    private func problems(_ value: JSONValue, _ schema: JSONValue, at path: String) -> [String] {
        var schema = schema
        while let reference = schema["$ref"]?.string {
            guard reference.hasPrefix("#/$defs/"), let target = root["$defs"]?[String(reference.dropFirst(8))] else {
                return ["\(path): unknown reference \(reference)"]
            }
            schema = target
        }
        var problems: [String] = []
        if let allowed = types(schema["type"]), !allowed.contains(where: { matches(value, $0) }) {
            return ["\(path): is no \(allowed.joined(separator: " or "))"]
        }
        if let values = schema["enum"]?.array, !values.contains(value) {
            problems.append("\(path): \(value.text) not allowed")
        }
        if let const = schema["const"], const != value { problems.append("\(path): must be \(const.text)") }
        if let choices = schema["anyOf"]?.array,
            !choices.contains(where: { self.problems(value, $0, at: path).isEmpty })
        {
            problems.append("\(path): fits no alternative")
        }
        if let text = value.string {
            if let pattern = schema["pattern"]?.string, (try? Regex(pattern).firstMatch(in: text)) ?? nil == nil {
                problems.append("\(path): does not match \(pattern)")
            }
            if let limit = schema["maxLength"]?.int, text.count > limit { problems.append("\(path): too long") }
            if let limit = schema["minLength"]?.int, text.count < limit { problems.append("\(path): too short") }
        }
        if let array = value.array {
            if let limit = schema["minItems"]?.int, array.count < limit { problems.append("\(path): too few items") }
            if let limit = schema["maxItems"]?.int, array.count > limit { problems.append("\(path): too many items") }
            if let items = schema["items"] {
                for (index, item) in array.enumerated() {
                    problems += self.problems(item, items, at: "\(path)[\(index)]")
                }
            }
        }
        if let object = value.object {
            for name in schema["required"]?.array?.compactMap(\.string) ?? [] where object[name] == nil {
                problems.append("\(path): \(name) is missing")
            }
            if let properties = schema["properties"]?.object {
                for (name, member) in object {
                    guard let property = properties[name] else {
                        problems.append("\(path): unknown member \(name)")
                        continue
                    }
                    problems += self.problems(member, property, at: "\(path).\(name)")
                }
            }
        }
        return problems
    }

    private func types(_ type: JSONValue?) -> [String]? {
        type?.string.map { [$0] } ?? type?.array?.compactMap(\.string)
    }

    private func matches(_ value: JSONValue, _ type: String) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("string", .string), ("array", .array), ("object", .object),
            ("number", .number):
            true
        case ("integer", .number): value.int != nil
        default: false
        }
    }
}
