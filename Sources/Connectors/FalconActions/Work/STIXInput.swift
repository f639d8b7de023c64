// SPDX-License-Identifier: Apache-2.0

import JSON
import STIX

/// What `push_iocs_*` is given: a list of STIX objects, a bundle, or one object a line.
enum STIXInput {
    /// Inline objects, else the file.
    ///
    /// - Throws: ``ActionError/input(name:reason:)``.
    static func objects(
        _ arguments: Arguments, readFile: @Sendable (String) async throws -> [UInt8]
    ) async throws -> [JSONValue] {
        if let inline = arguments.object["stix_objects"]?.array { return inline }
        let path = arguments.text("stix_objects_path") ?? ""
        return try objects(in: try await readFile(path), named: path)
    }

    static func objects(in bytes: [UInt8], named name: String) throws(ActionError) -> [JSONValue] {
        if let value = try? JSONValue(parsing: bytes) {
            switch value {
            case .null: return []
            case .array(let objects): return objects
            case .object(let object):
                if object["type"]?.string == "bundle" { return object["objects"]?.array ?? [] }
                return [value]
            default: throw .input(name: name, reason: "it holds no STIX objects")
            }
        }
        var objects: [JSONValue] = []
        for line in bytes.split(separator: UInt8(ascii: "\n")) where !line.allSatisfy({ $0 <= 0x20 }) {
            guard let value = try? JSONValue(parsing: line), value.object != nil else {
                throw .input(name: name, reason: "it is neither JSON nor one JSON object a line")
            }
            objects.append(value)
        }
        return objects
    }

    struct Values {
        var found: [(PushedType, String)] = []
        var skipped: [(value: String, reason: String)] = []
    }

    /// Every `=` of a pattern on something that Falcon knows, whatever joins them; each value once.
    static func values(of pattern: String, _ action: PushedAction) throws(PatternError) -> Values {
        var values = Values()
        for comparison in comparisons(of: try Pattern(parsing: pattern).root) {
            guard comparison.operator == .equal, !comparison.isNegated, comparison.literals.count == 1,
                case .string(let text) = comparison.literals[0]
            else {
                values.skipped.append(("", "\(comparison.path) is not compared with = and a text"))
                continue
            }
            guard let type = type(of: comparison.path), action.types.contains(type) else {
                values.skipped.append((text, "\(comparison.path) has no counterpart for \(action.rawValue)"))
                continue
            }
            guard let value = type.canonical(text) else {
                values.skipped.append((text, "it is no \(type.rawValue)"))
                continue
            }
            if !values.found.contains(where: { $0 == (type, value) }) { values.found.append((type, value)) }
        }
        return values
    }

    private static func type(of path: ObjectPath) -> PushedType? {
        switch (path.objectType, path.steps) {
        case ("file", [.key("hashes"), .key("MD5")]): .md5
        case ("file", [.key("hashes"), .key("SHA-256")]): .sha256
        case ("ipv4-addr", [.key("value")]): .ipv4
        case ("ipv6-addr", [.key("value")]): .ipv6
        case ("domain-name", [.key("value")]): .domain
        default: nil
        }
    }

    private static func comparisons(of expression: ObservationExpression) -> [Comparison] {
        switch expression {
        case .observation(let comparison, _): comparisons(of: comparison)
        case .group(let inner), .qualified(let inner, _): comparisons(of: inner)
        case .and(let parts), .or(let parts), .followedBy(let parts): parts.flatMap { comparisons(of: $0) }
        }
    }

    private static func comparisons(of expression: ComparisonExpression) -> [Comparison] {
        switch expression {
        case .comparison(let comparison): [comparison]
        case .and(let parts), .or(let parts): parts.flatMap { comparisons(of: $0) }
        }
    }
}
