// SPDX-License-Identifier: Apache-2.0

import JSON

/// Reads of indicators. Source: OpenCTI protocol, 8.1.
extension Platform {
    func indicator(_ id: String) -> JSONValue {
        guard let element = database.live(id) else { return .null }
        return Self.indicator(element) ?? .null
    }

    func indicators(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        let filter = try IndicatorFilter(call.arguments["filters"], search: call.text("search"))
        let limit = min(max(1, Int(call.arguments["first"]?.int ?? 200)), 5_000)
        let start = call.text("after").flatMap { Int($0) }.map { $0 + 1 } ?? 0
        var edges: [JSONValue] = []
        var hasMore = false
        var total = 0
        for (number, element) in database.elements.enumerated() where !element.isDeleted {
            guard filter.mayMatch(element), let node = Self.indicator(element), filter.matches(node) else {
                continue
            }
            total += 1
            guard number >= start else { continue }
            guard edges.count < limit else {
                hasMore = true
                break
            }
            edges.append(["cursor": .string("\(number)"), "node": node])
        }
        return [
            "edges": .array(edges),
            "pageInfo": [
                "startCursor": edges.first?["cursor"] ?? "", "endCursor": edges.last?["cursor"] ?? "",
                "hasNextPage": .bool(hasMore), "hasPreviousPage": .bool(start > 0), "globalCount": .int(total),
            ],
        ]
    }

    /// GraphQL's form of a STIX indicator; `nil` for other objects.
    private static func indicator(_ element: Element) -> JSONValue? {
        guard let stix = try? JSONValue(parsing: element.object), stix["type"]?.string == "indicator" else {
            return nil
        }
        let octi = stix["extensions"]?[Platform.octi]
        let mitre = stix["extensions"]?["extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b"]
        var node: JSONObject = [
            "id": .string(element.id), "standard_id": .string(element.stixID), "entity_type": "Indicator",
            "__typename": "Indicator", "revoked": stix["revoked"] ?? false,
            "created_at": octi?["created_at"] ?? .null, "updated_at": octi?["updated_at"] ?? .null,
            "x_opencti_score": octi?["score"] ?? .null, "x_opencti_detection": octi?["detection"] ?? .null,
            "x_opencti_main_observable_type": octi?["main_observable_type"] ?? .null,
            "x_opencti_observable_values": octi?["observable_values"] ?? .null,
            "x_mitre_platforms": mitre?["platforms"] ?? .null, "spec_version": "2.1",
            "objectLabel": .array((stix["labels"]?.array ?? []).map { ["id": $0, "value": $0] }),
            "objectMarking": [], "killChainPhases": stix["kill_chain_phases"] ?? [],
            "externalReferences": ["edges": []],
            "observables": [
                "edges": .array(Self.observables(octi).map { ["node": $0] }),
                "pageInfo": ["endCursor": "", "hasNextPage": false],
            ],
        ]
        for key in [
            "name", "description", "pattern", "pattern_type", "pattern_version", "valid_from", "valid_until",
            "confidence",
            "created", "modified", "lang", "indicator_types",
        ] { node[key] = stix[key] ?? .null }
        return .object(node)
    }
}

extension Platform {
    /// The observables that an object names in a member of its own, `observables`, which no platform sends: whoever adds
    /// an event says so what the indicator is based on.
    private static func observables(_ octi: JSONValue?) -> [JSONValue] {
        (octi?["observables"]?.array ?? []).filter { $0["entity_type"]?.string != nil }
    }
}

/// `FilterGroup` over the keys that connectors use, and the full-text search.
struct IndicatorFilter {
    private let group: JSONValue?
    private let words: [UInt8]

    init(_ filters: JSONValue?, search: String?) throws(GraphQLFault) {
        group = filters.flatMap { $0.isNull ? nil : $0 }
        // A phrase in quotes; the engine ignores case.
        words = Words.searchable((search ?? "").filter { $0 != "\"" })
        try Self.check(group)
    }

    private static let keys: Set<String> = [
        "id", "standard_id", "entity_type", "revoked", "pattern_type", "pattern", "name", "x_opencti_score",
        "x_opencti_detection", "x_opencti_main_observable_type",
    ]

    private static func check(_ group: JSONValue?) throws(GraphQLFault) {
        guard let group else { return }
        guard group["mode"]?.string != nil, let filters = group["filters"]?.array,
            let groups = group["filterGroups"]?.array
        else { throw .badInput("Variable \"$filters\" got invalid value \(group.text).") }
        for filter in filters {
            for key in keysOf(filter) where !keys.contains(key) {
                throw GraphQLFault(
                    code: "UNSUPPORTED_ERROR", message: "incorrect filter keys not existing in any schema definition",
                    status: 500)
            }
        }
        for inner in groups { try check(inner) }
    }

    private static func keysOf(_ filter: JSONValue) -> [String] {
        filter["key"]?.string.map { [$0] } ?? filter["key"]?.array?.compactMap(\.string) ?? []
    }

    /// Whether the searched words stand in an element's own.
    func mayMatch(_ element: Element) -> Bool { words.isEmpty || Words.contains(words, in: element.words) }

    func matches(_ node: JSONValue) -> Bool {
        group.map { Self.matches($0, node) } ?? true
    }

    private static func matches(_ group: JSONValue, _ node: JSONValue) -> Bool {
        let results =
            (group["filters"]?.array ?? []).map { matches(filter: $0, node) }
            + (group["filterGroups"]?.array ?? []).map { matches($0, node) }
        return group["mode"]?.string == "or" ? results.isEmpty || results.contains(true) : !results.contains(false)
    }

    private static func matches(filter: JSONValue, _ node: JSONValue) -> Bool {
        let values = (filter["values"]?.array ?? []).map { text($0) }
        let isAny = filter["mode"]?.string != "and"
        return keysOf(filter).contains { key in
            let held = node[key].map { text($0) } ?? ""
            let results: [Bool] = values.map { value in
                switch filter["operator"]?.string ?? "eq" {
                case "eq": held == value
                case "not_eq": held != value
                case "contains": held.contains(value)
                case "starts_with": held.hasPrefix(value)
                case "gt": (Double(held) ?? 0) > (Double(value) ?? 0)
                case "gte": (Double(held) ?? 0) >= (Double(value) ?? 0)
                case "lt": (Double(held) ?? 0) < (Double(value) ?? 0)
                case "lte": (Double(held) ?? 0) <= (Double(value) ?? 0)
                case "nil": held.isEmpty
                case "not_nil": !held.isEmpty
                default: false
                }
            }
            return isAny && filter["operator"]?.string != "not_eq" ? results.contains(true) : !results.contains(false)
        }
    }

    private static func text(_ value: JSONValue) -> String { value.isNull ? "" : value.string ?? value.text }
}
