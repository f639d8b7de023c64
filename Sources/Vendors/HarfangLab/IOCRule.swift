// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

/// What a rule does: `stable` alerts, `testing` is watched first.
public enum RuleMaturity: String, Sendable, Hashable, CaseIterable {
    case stable
    case testing
}

/// A rule on one value: `hash`, `filename`, `filepath`, `ip_src`, `ip_dst`, `ip_both`, `domain_name`, `url`.
public struct IOCRule: Sendable, Hashable {
    public let id: String
    public var type: String
    public var value: String
    public var description: String
    /// As stored: a text, or null.
    public var comment: JSONValue
    /// `stable`, `testing`, `experimental`.
    public var maturity: String
    public var isEnabled: Bool
    public let created: String?
    public let updated: String?

    init?(_ value: JSONValue) {
        guard let id = value["id"]?.text, let type = value["type"]?.string, let ioc = value["value"]?.string else {
            return nil
        }
        self.id = id
        self.type = type
        self.value = ioc
        description = value["description"]?.string ?? ""
        comment = value["comment"] ?? .null
        maturity = value["hl_status"]?.string ?? RuleMaturity.stable.rawValue
        isEnabled = value["enabled"]?.bool ?? true
        created = value["creation_date"]?.string
        updated = value["last_update"]?.string
    }

    /// What a create or an update sends. Every field each time, as the originals do.
    public static func body(
        source: String, type: String, value: String, description: String, maturity: String, isEnabled: Bool,
        comment: JSONValue
    ) -> JSONValue {
        [
            "source_id": .string(source), "type": .string(type), "value": .string(value),
            "description": .string(description), "hl_status": .string(maturity), "enabled": .bool(isEnabled),
            "comment": comment,
        ]
    }

    /// The same rule switched off, all other fields as stored.
    public func disabled(source: String) -> JSONValue {
        Self.body(
            source: source, type: type, value: value, description: description, maturity: maturity, isEnabled: false,
            comment: comment)
    }
}

extension HarfangLabClient {
    private var iocRules: String { "\(Self.threatIntelligence)/IOCRule" }

    /// The rule on exactly this value in a list; the console tells cases of a hash apart here, and not when it creates.
    public func iocRule(
        source: String, type: String, value: String
    ) async throws(HarfangLabError) -> IOCRule? {
        let page = try await page(
            iocRules, query: [("source_id", source), ("type", type), ("value__exact", value)],
            operation: "find_IOCRule")
        return page.results.lazy.compactMap { IOCRule($0) }.first
    }

    /// Rules on a value in any list, for alerts that name no list.
    public func iocRules(value: String) async throws(HarfangLabError) -> [IOCRule] {
        try await page(iocRules, query: [("value__exact", value)], operation: "find_IOCRule")
            .results.compactMap { IOCRule($0) }
    }

    /// Free-text search over all fields of a list's rules, all pages.
    public func searchIOCRules(source: String, _ text: String) async throws(HarfangLabError) -> [IOCRule] {
        try await all(iocRules, query: [("source_id", source), ("search", text)], operation: "search_IOCRule")
            .compactMap { IOCRule($0) }
    }

    /// Every rule of a list, page by page, for reconciling; `body` returns whether to go on.
    public func forEachIOCRule(
        source: String, _ body: ([IOCRule]) async throws -> Bool
    ) async throws {
        var page = try await page(
            iocRules, query: [("source_id", source), ("limit", "100"), ("ordering", "creation_date")],
            operation: "list_IOCRule")
        while try await body(page.results.compactMap { IOCRule($0) }), let next = page.next {
            page = try await self.page(next, operation: "list_IOCRule")
        }
    }

    /// - Returns: the new rule's id.
    /// - Throws: ``HarfangLabError/alreadyExists(_:)`` for a value that the list holds in another case.
    public func createIOCRule(_ body: JSONValue) async throws(HarfangLabError) -> String {
        let made = try await send(.post, iocRules + "/", body: body, operation: "create_IOCRule")
        guard let id = made?["id"]?.text else {
            throw .malformed(operation: "create_IOCRule", reason: "the id is missing")
        }
        return id
    }

    public func updateIOCRule(_ id: String, _ body: JSONValue) async throws(HarfangLabError) {
        _ = try await send(
            .patch, "\(iocRules)/\(PercentEncoding.component(id))", body: body, operation: "update_IOCRule",
            isIdempotent: true)
    }

    public func deleteIOCRule(_ id: String) async throws(HarfangLabError) {
        _ = try await send(.delete, "\(iocRules)/\(PercentEncoding.component(id))", operation: "delete_IOCRule")
    }
}
