// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

/// A Sigma rule or a YARA file: a name and a text.
public struct ContentRule: Sendable, Hashable {
    public let id: String
    /// At most 100 characters; the console trims it.
    public var name: String
    /// The console writes YAML in its own way: compare structurally, never as text.
    public var content: String
    public var maturity: String
    public var isEnabled: Bool
    /// `attack.t1059.001`, in any case; empty where there are none.
    public let techniqueTags: [String]
    /// Of a YARA file: the rules in it.
    public let ruleNames: [String]
    /// Of a Sigma rule: why it did not compile; empty when it did.
    public let errors: [String]
    public let created: String?
    public let updated: String?

    init?(_ value: JSONValue) {
        guard let id = value["id"]?.text, let name = value["name"]?.string else { return nil }
        self.id = id
        self.name = name
        content = value["content"]?.string ?? ""
        maturity = value["hl_status"]?.string ?? RuleMaturity.stable.rawValue
        isEnabled = value["enabled"]?.bool ?? true
        techniqueTags = value["rule_technique_tags"]?.array?.compactMap(\.string) ?? []
        ruleNames = value["rule_names"]?.array?.compactMap(\.string) ?? []
        errors = value["errors"]?.texts ?? []
        created = value["creation_date"]?.string
        updated = value["last_update"]?.string
    }

    /// What a create or an update sends.
    public static func body(
        source: String, name: String, content: String, maturity: String, isEnabled: Bool
    ) -> JSONValue {
        [
            "source_id": .string(source), "name": .string(name), "content": .string(content),
            "hl_status": .string(maturity), "enabled": .bool(isEnabled),
        ]
    }

    /// The same rule switched off, all other fields as stored.
    public func disabled(source: String) -> JSONValue {
        Self.body(source: source, name: name, content: content, maturity: maturity, isEnabled: false)
    }
}

extension HarfangLabClient {
    private func path(_ kind: RuleKind) -> String { "\(Self.threatIntelligence)/\(kind.rules)" }

    /// The first rule of that exact name in a list.
    public func contentRule(
        _ kind: RuleKind, source: String, named name: String
    ) async throws(HarfangLabError) -> ContentRule? {
        let page = try await page(
            path(kind), query: [("source_id", source), ("name__exact", name)], operation: "find_\(kind.rules)")
        return page.results.lazy.compactMap { ContentRule($0) }.first
    }

    /// A Sigma rule of any list by its title, as alerts name it.
    public func sigmaRules(titled title: String) async throws(HarfangLabError) -> [ContentRule] {
        try await page(path(.sigma), query: [("rule_name__exact", title)], operation: "find_SigmaRule")
            .results.compactMap { ContentRule($0) }
    }

    /// A YARA file of any list by its exact name.
    public func yaraFiles(named name: String) async throws(HarfangLabError) -> [ContentRule] {
        try await page(path(.yara), query: [("name__exact", name)], operation: "find_YaraFile")
            .results.compactMap { ContentRule($0) }
    }

    /// YARA files in which the text occurs anywhere.
    public func searchYARAFiles(_ text: String) async throws(HarfangLabError) -> [ContentRule] {
        try await all(path(.yara), query: [("search", text)], operation: "search_YaraFile")
            .compactMap { ContentRule($0) }
    }

    /// - Returns: the new rule's id.
    /// - Throws: ``HarfangLabError/contentRefused(code:_:)`` where a 2xx carries a refusal.
    public func createContentRule(_ kind: RuleKind, _ body: JSONValue) async throws(HarfangLabError) -> String {
        let operation = "create_\(kind.rules)"
        let made = try await send(.post, path(kind) + "/", body: body, operation: operation)
        if let statuses = made?["status"]?.array {
            guard let first = statuses.first else {
                throw .contentRefused(code: "empty_status", "the console parsed nothing")
            }
            // An absent status counts as false.
            if let refused = statuses.first(where: { $0["status"]?.bool != true }) {
                throw .contentRefused(
                    code: refused["code"]?.string ?? "refused", String((refused["content"]?.string ?? "").prefix(300)))
            }
            if let id = first["id"]?.text { return id }
        }
        guard let id = made?["id"]?.text else { throw .malformed(operation: operation, reason: "the id is missing") }
        return id
    }

    public func updateContentRule(_ kind: RuleKind, _ id: String, _ body: JSONValue) async throws(HarfangLabError) {
        let answer = try await send(
            .patch, "\(path(kind))/\(PercentEncoding.component(id))", body: body, operation: "update_\(kind.rules)",
            isIdempotent: true)
        if let refused = answer?["status"]?.array?.first(where: { $0["status"]?.bool == false }) {
            throw .contentRefused(
                code: refused["code"]?.string ?? "refused", String((refused["content"]?.string ?? "").prefix(300)))
        }
    }

    public func deleteContentRule(_ kind: RuleKind, _ id: String) async throws(HarfangLabError) {
        _ = try await send(
            .delete, "\(path(kind))/\(PercentEncoding.component(id))", operation: "delete_\(kind.rules)")
    }

    /// The rule as it stands, for what the compiler says of it; `nil` when it is gone.
    public func contentRule(_ kind: RuleKind, id: String) async throws(HarfangLabError) -> ContentRule? {
        do throws(HarfangLabError) {
            return try await send(
                .get, "\(path(kind))/\(PercentEncoding.component(id))", operation: "get_\(kind.rules)"
            ).flatMap { ContentRule($0) }
        } catch {
            if case .notFound = error { return nil }
            throw error
        }
    }
}

extension JSONValue {
    /// A text or a list of texts; empty ones do not count.
    fileprivate var texts: [String] {
        (string.map { [$0] } ?? array?.compactMap(\.string) ?? []).filter { !$0.isEmpty }
    }
}
