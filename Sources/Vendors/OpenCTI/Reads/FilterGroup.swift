// SPDX-License-Identifier: Apache-2.0

public import JSON

/// A filter as OpenCTI stores and takes it since 5.12. Source: OpenCTI protocol, 8.1.
public struct FilterGroup: Sendable, Hashable {
    public enum Mode: String, Sendable, Hashable { case and, or }

    public struct Filter: Sendable, Hashable {
        /// A text or a list in the wire form; always a list here.
        public var keys: [String]
        public var values: [JSONValue]
        /// `eq` unless said otherwise.
        public var op: String
        public var mode: Mode

        public init(_ keys: [String], values: [JSONValue], op: String = "eq", mode: Mode = .or) {
            self.keys = keys
            self.values = values
            self.op = op
            self.mode = mode
        }

        /// The values that are texts, as most are.
        public var texts: [String] { values.compactMap { $0.string ?? $0.bool.map { $0 ? "true" : "false" } } }
    }

    public var mode: Mode
    public var filters: [Filter]
    public var groups: [FilterGroup]

    public init(mode: Mode = .and, filters: [Filter] = [], groups: [FilterGroup] = []) {
        self.mode = mode
        self.filters = filters
        self.groups = groups
    }

    public var isEmpty: Bool { filters.isEmpty && groups.allSatisfy(\.isEmpty) }

    /// Reads the JSON text in which a live stream keeps its filters; also the form before 5.12, an object of lists of
    /// `{id, value}` by key. `nil` for anything else.
    public init?(parsing text: String) {
        guard let json = try? JSONValue(parsing: text), json.object != nil else { return nil }
        if json["filters"] != nil || json["filterGroups"] != nil {
            guard let group = FilterGroup(json, depth: 0) else { return nil }
            self = group
        } else {
            self.init(
                filters: (json.object ?? [:]).compactMap { key, values in
                    guard let values = values.array else { return nil }
                    return Filter([key], values: values.compactMap { $0["id"] ?? ($0.object == nil ? $0 : nil) })
                })
        }
    }

    private init?(_ json: JSONValue, depth: Int) {
        guard json.object != nil, depth < 16 else { return nil }
        mode = json["mode"]?.string == "or" ? .or : .and
        filters = []
        for filter in json["filters"]?.array ?? [] {
            let keys = filter["key"]?.string.map { [$0] } ?? filter["key"]?.array?.compactMap(\.string) ?? []
            guard !keys.isEmpty else { return nil }
            filters.append(
                Filter(
                    keys, values: filter["values"]?.array ?? [], op: filter["operator"]?.string ?? "eq",
                    mode: filter["mode"]?.string == "and" ? .and : .or))
        }
        groups = []
        for group in json["filterGroups"]?.array ?? [] {
            guard let group = FilterGroup(group, depth: depth + 1) else { return nil }
            groups.append(group)
        }
    }

    /// The wire form.
    public var json: JSONValue {
        [
            "mode": .string(mode.rawValue),
            "filters": .array(
                filters.map { filter in
                    [
                        "key": .array(filter.keys.map(JSONValue.string)), "values": .array(filter.values),
                        "operator": .string(filter.op), "mode": .string(filter.mode.rawValue),
                    ]
                }),
            "filterGroups": .array(groups.map(\.json)),
        ]
    }
}

extension FilterGroup {
    /// The values that every element of the stream has for `key`, when the filter says so without alternatives:
    /// `nil` where it leaves the key open. Enough to warn of a stream that carries more than a connector uses.
    ///
    /// - Parameter key: as OpenCTI names it: `entity_type`, `pattern_type`, `revoked`.
    public func required(_ key: String) -> Set<String>? {
        var found: [Set<String>] = []
        for filter in filters where filter.keys.contains(key) && filter.op == "eq" {
            guard filter.keys.count == 1, filter.mode == .or || filter.values.count == 1 else { continue }
            found.append(Set(filter.texts))
        }
        let nested = groups.filter { !$0.isEmpty }.map { $0.required(key) }
        switch mode {
        case .and:
            found += nested.compactMap { $0 }
            return found.dropFirst().reduce(found.first) { $0?.intersection($1) }
        case .or:
            // Any open alternative leaves the key open.
            guard found.count == filters.count, !nested.contains(nil), !(found.isEmpty && nested.isEmpty)
            else { return nil }
            return (found + nested.compactMap { $0 }).reduce(into: []) { $0.formUnion($1) }
        }
    }
}
