// SPDX-License-Identifier: Apache-2.0

import JSON

/// A filter and an order over JSON objects, for everything that is not an IOC.
///
/// Texts compare without regard to case unless they stand in brackets; dates are texts that sort (Falcon API, 3).
struct EntityFilter: Sendable {
    private let root: FQL?

    /// - Throws: why the service would refuse it.
    init(_ text: String) throws(Refusal) {
        root = text.isEmpty ? nil : try FQL(parsingAnyProperty: text)
    }

    var isEmpty: Bool { root == nil }

    func matches(_ object: JSONObject) -> Bool { root.map { matches($0, object) } ?? true }

    private func matches(_ filter: FQL, _ object: JSONObject) -> Bool {
        switch filter {
        case .and(let parts): parts.allSatisfy { matches($0, object) }
        case .or(let parts): parts.contains { matches($0, object) }
        case .clause(let clause):
            clause.values.contains { wanted in
                values(clause.property, object).contains { compare($0, wanted, clause) }
            } != clause.isNegated
        }
    }

    /// What stands at a dotted path; each element of a list.
    private func values(_ property: String, _ object: JSONObject) -> [JSONValue] {
        var value = JSONValue.object(object)
        for name in property.split(separator: ".") { value = value[String(name)] ?? .null }
        return value.array ?? [value]
    }

    private func compare(_ value: JSONValue, _ wanted: FQL.Value, _ clause: FQL.Clause) -> Bool {
        switch wanted {
        case .null: return value.isNull
        case .bool(let flag): return value.bool == flag
        case .number(let number): return order(value.double, Double(number), clause.comparison)
        case .text(let text):
            guard let own = value.string else { return false }
            if clause.isList { return own == text }
            let (left, right) = (own.lowercased(), text.lowercased())
            switch clause.comparison {
            case .text: return left.contains(right)
            case .wildcard: return Self.matches(left[...], right[...])
            default: return order(left, right, clause.comparison)
            }
        }
    }

    private func order<Value: Comparable>(_ left: Value?, _ right: Value, _ how: FQL.Clause.Comparison) -> Bool {
        guard let left else { return false }
        return switch how {
        case .greater: left > right
        case .greaterOrEqual: left >= right
        case .less: left < right
        case .lessOrEqual: left <= right
        default: left == right
        }
    }

    /// `*` stands for any text.
    private static func matches(_ text: Substring, _ pattern: Substring) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        guard first == "*" else { return text.first == first && matches(text.dropFirst(), pattern.dropFirst()) }
        return text.indices.contains { matches(text[$0...], pattern.dropFirst()) } || matches("", pattern.dropFirst())
    }
}

/// `first_seen.desc`, `created_at|desc`.
struct EntityOrder: Sendable {
    let property: String
    let isDescending: Bool

    init?(_ text: String) {
        let parts = text.split(whereSeparator: { $0 == "." || $0 == "|" })
        guard let property = parts.first else { return nil }
        self.property = String(property)
        isDescending = parts.last == "desc"
    }

    func sorted(_ objects: [JSONObject]) -> [JSONObject] {
        objects.enumerated().sorted { left, right in
            let (first, second) = (left.element[property]?.string ?? "", right.element[property]?.string ?? "")
            return first == second ? left.offset < right.offset : isDescending ? first > second : first < second
        }.map(\.element)
    }
}
