// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// A collection of rules and its source lists, by the console's rules.
struct RuleTable: Sendable {
    let collection: RuleCollection
    private(set) var sources: [JSONObject] = []
    /// In the order of their creation; a deleted one leaves a gap.
    private var rows: [JSONObject?] = []
    private var byID: [String: Int] = [:]
    /// Rules by what may be there once: type, value and list of an IOC; name and list of the others.
    private var byName: [String: [Int]] = [:]
    private(set) var count = 0
    private var serial: UInt64 = 0

    init(_ collection: RuleCollection) { self.collection = collection }

    /// A refusal in the shape of Django REST.
    struct Refusal: Error {
        var status = 400
        var body: JSONValue
    }

    var all: [JSONObject] { rows.compactMap { $0 } }

    mutating func newID() -> String {
        serial += 1
        let salt: UInt64 = collection == .ioc ? 0x1000 : collection == .sigma ? 0x2000 : 0x3000
        return Digest128(high: 0x9e00_0000_0000_4000 | salt, low: 0x8000_0000_0000_0000 | serial).uuidDescription
    }

    // MARK: Sources

    mutating func addSource(_ body: JSONValue) throws(Refusal) -> JSONObject {
        guard let name = body["name"]?.string, !name.isEmpty else {
            throw Refusal(body: ["name": ["This field is required."]])
        }
        guard !sources.contains(where: { $0["name"]?.string == name }) else {
            throw Refusal(body: ["name": ["source with this name already exists."]])
        }
        var source: JSONObject = [
            "id": .string(body["id"]?.string ?? newID()), "name": .string(name),
            "description": body["description"] ?? "", "enabled": body["enabled"] ?? true,
        ]
        source["rule_count"] = 0
        sources.append(source)
        return source
    }

    func hasSource(_ id: String) -> Bool { sources.contains { $0["id"]?.string == id } }

    // MARK: Rules

    private func name(of row: JSONObject, _ foldsHashes: Bool) -> String {
        let source = row["source_id"]?.string ?? ""
        guard collection == .ioc else { return source + "\u{0}" + (row["name"]?.string ?? "") }
        let type = row["type"]?.string ?? ""
        let value = row["value"]?.string ?? ""
        return source + "\u{0}" + type + "\u{0}" + (foldsHashes && type == "hash" ? value.lowercased() : value)
    }

    func row(_ id: String) -> JSONObject? { byID[id].flatMap { rows[$0] } }

    /// - Parameter isSeed: taken as it is, its id and bookkeeping kept.
    mutating func insert(
        _ body: JSONValue, now: String, foldsHashes: Bool, isSeed: Bool = false
    ) throws(Refusal) -> JSONObject {
        var row = try draft(body, foldsHashes, isSeed)
        if collection == .sigma, !isSeed, let id = Self.sigmaID(row["content"]?.string ?? ""),
            rows.contains(where: { $0.flatMap { Self.sigmaID($0["content"]?.string ?? "") } == id })
        {
            throw Refusal(body: ["id": ["Sigma rule with this Id already exists."]])
        }
        let key = name(of: row, foldsHashes)
        if collection == .ioc, !isSeed, byName[key]?.isEmpty == false {
            throw Refusal(body: ["__all__": ["['Ioc rule with this Type, Value and Source already exists.']"]])
        }
        let id = isSeed ? body["id"]?.string ?? newID() : newID()
        row["id"] = .string(id)
        if row["creation_date"] == nil { row["creation_date"] = .string(now) }
        if row["last_update"] == nil { row["last_update"] = .string(now) }
        byID[id] = rows.count
        byName[key, default: []].append(rows.count)
        rows.append(row)
        count += 1
        return row
    }

    mutating func update(_ id: String, _ body: JSONValue, now: String, foldsHashes: Bool) throws(Refusal) -> JSONObject?
    {
        guard let index = byID[id], let stored = rows[index] else { return nil }
        var merged = stored
        for (key, value) in body.object ?? [:] where key != "id" { merged[key] = value }
        var row = try draft(.object(merged), foldsHashes, true)
        let (old, new) = (name(of: stored, foldsHashes), name(of: row, foldsHashes))
        if old != new {
            if collection == .ioc, byName[new]?.isEmpty == false {
                throw Refusal(body: ["__all__": ["['Ioc rule with this Type, Value and Source already exists.']"]])
            }
            byName[old]?.removeAll { $0 == index }
            if byName[old]?.isEmpty == true { byName[old] = nil }
            byName[new, default: []].append(index)
        }
        row["last_update"] = .string(now)
        rows[index] = row
        return row
    }

    mutating func remove(_ id: String) -> Bool {
        guard let index = byID.removeValue(forKey: id), let row = rows[index] else { return false }
        for folds in [true, false] {
            let key = name(of: row, folds)
            byName[key]?.removeAll { $0 == index }
            if byName[key]?.isEmpty == true { byName[key] = nil }
        }
        rows[index] = nil
        count -= 1
        return true
    }

    /// Rules that a query names, in the order of their creation.
    func find(_ query: (String) -> String?) -> [JSONObject] {
        let source = query("source_id")
        if let source, collection == .ioc, let type = query("type"), let value = query("value__exact") {
            return exactly([source, type, value].joined(separator: "\u{0}")) { $0["value"]?.string == value }
        }
        if let source, collection != .ioc, let name = query("name__exact") {
            return exactly(source + "\u{0}" + name) { _ in true }
        }
        let exact = [
            ("source_id", "source_id"), ("type", "type"), ("value__exact", "value"), ("value", "value"),
            ("name__exact", "name"), ("rule_name__exact", "rule_name"),
        ].compactMap { name, field in query(name).map { (field, $0) } }
        let words = query("search")?.lowercased()
        return rows.lazy.compactMap { $0 }.filter { row in
            exact.allSatisfy { row[$0.0]?.string == $0.1 }
                && (words.map { JSONValue.object(row).text.lowercased().contains(Self.escaped($0)) } ?? true)
        }
    }

    private func exactly(_ key: String, where holds: (JSONObject) -> Bool) -> [JSONObject] {
        // Hashes are stored under their lower case, and compared with theirs here.
        let folded = collection == .ioc ? key.lowercased() : key
        let indices = Set((byName[key] ?? []) + (byName[folded] ?? []))
        return indices.sorted().compactMap { rows[$0] }.filter(holds)
    }

    // A text within a JSON text: quotes and backslashes stand escaped there.
    private static func escaped(_ text: String) -> String { String(JSONValue.string(text).text.dropFirst().dropLast()) }

    // MARK: What the console accepts

    private static let iocTypes: Set<String> = [
        "hash", "filename", "filepath", "ip_src", "ip_dst", "ip_both", "domain_name", "url",
    ]

    private func draft(_ body: JSONValue, _ foldsHashes: Bool, _ isStored: Bool) throws(Refusal) -> JSONObject {
        guard var row = body.object else { throw Refusal(body: ["non_field_errors": ["Invalid data."]]) }
        let required = collection == .ioc ? ["source_id", "type", "value"] : ["source_id", "name", "content"]
        for field in required {
            guard let value = row[field], !value.isNull else {
                throw Refusal(body: [field: ["This field is required."]])
            }
            guard let text = value.string, !text.isEmpty else {
                throw Refusal(body: [field: ["Not a valid string."]])
            }
        }
        guard hasSource(row["source_id"]?.string ?? "") else {
            throw Refusal(body: ["source_id": ["Invalid pk - object does not exist."]])
        }
        if let status = row["hl_status"], !["stable", "testing", "experimental"].contains(status.string ?? "") {
            throw Refusal(body: ["hl_status": ["is not a valid choice."]])
        }
        if let enabled = row["enabled"], enabled.bool == nil {
            throw Refusal(body: ["enabled": ["Must be a valid boolean."]])
        }
        if collection == .ioc {
            guard Self.iocTypes.contains(row["type"]?.string ?? "") else {
                throw Refusal(body: ["type": ["\"\(row["type"]?.string ?? "")\" is not a valid choice."]])
            }
            if let comment = row["comment"], !comment.isNull, comment.string == nil {
                throw Refusal(body: ["comment": ["Not a valid string."]])
            }
            if foldsHashes, row["type"]?.string == "hash", let value = row["value"]?.string {
                row["value"] = .string(value.lowercased())
            }
        } else if let name = row["name"]?.string {
            let trimmed = name.split(whereSeparator: \.isWhitespace).isEmpty ? "" : Self.trimmed(name)
            guard trimmed.count <= 100 else {
                throw Refusal(body: ["name": ["Ensure this field has no more than 100 characters."]])
            }
            row["name"] = .string(trimmed)
            if collection == .sigma { row["rule_name"] = .string(Self.sigmaField("title", row["content"]) ?? trimmed) }
            if collection == .yara { row["rule_names"] = .array(Self.yaraNames(row["content"]?.string ?? "")) }
            if row["rule_technique_tags"] == nil { row["rule_technique_tags"] = [] }
        }
        if row["enabled"] == nil { row["enabled"] = true }
        if row["hl_status"] == nil { row["hl_status"] = "stable" }
        return row
    }

    /// Why the console would not take a content; it says so in a 2xx.
    func contentProblem(_ body: JSONValue) -> (code: String, message: String)? {
        let content = body["content"]?.string ?? ""
        switch collection {
        case .ioc: return nil
        case .sigma:
            guard content.contains("detection:"), content.contains("title:") else {
                return ("invalid_sigma_content", "Missing detection section")
            }
        case .yara:
            guard !Self.yaraNames(content).isEmpty, content.contains("condition") else {
                return ("invalid_yara_content", "line 1: syntax error")
            }
        }
        return nil
    }

    private static func trimmed(_ text: String) -> String {
        var text = text[...]
        while text.first?.isWhitespace ?? false { text.removeFirst() }
        while text.last?.isWhitespace ?? false { text.removeLast() }
        return String(text)
    }

    private static func sigmaID(_ content: String) -> String? { sigmaField("id", .string(content)) }

    private static func sigmaField(_ field: String, _ content: JSONValue?) -> String? {
        guard let line = content?.string?.split(separator: "\n").first(where: { $0.hasPrefix(field + ":") }) else {
            return nil
        }
        return trimmed(String(line.dropFirst(field.count + 1)))
    }

    private static func yaraNames(_ content: String) -> [JSONValue] {
        let words = content.split(whereSeparator: { $0.isWhitespace || $0 == "{" || $0 == ":" })
        return zip(words, words.dropFirst()).filter { $0.0 == "rule" }.map { .string(String($0.1)) }
    }
}
