// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import JSON

/// The three collections that rules live in, each with a kind of source lists.
public enum RuleKind: String, Sendable, Hashable, CaseIterable {
    case ioc
    case sigma
    case yara

    var sources: String {
        switch self {
        case .ioc: "IOCSource"
        case .sigma: "SigmaSource"
        case .yara: "YaraSource"
        }
    }

    var rules: String {
        switch self {
        case .ioc: "IOCRule"
        case .sigma: "SigmaRule"
        case .yara: "YaraFile"
        }
    }
}

/// A named list of rules of one kind.
public struct RuleSource: Sendable, Hashable {
    public let id: String
    public let name: String
}

extension HarfangLabClient {
    /// What a list that we create says of itself: the originals' words.
    public static let sourceDescription =
        "Cyber Threat Intelligence knowledge imported from OpenCTI, and any changes must be made only to it."

    /// The first list of that exact name; `nil` when there is none.
    public func source(_ kind: RuleKind, named name: String) async throws(HarfangLabError) -> RuleSource? {
        let page = try await page(
            "\(Self.threatIntelligence)/\(kind.sources)", query: [("name__exact", name)],
            operation: "list_\(kind.sources)")
        // An older console may not know the parameter and give all lists.
        let found = page.results.first { $0["name"]?.string == name } ?? page.results.first
        guard let id = found?["id"]?.text, found?["name"]?.string ?? name == name else { return nil }
        return RuleSource(id: id, name: name)
    }

    /// The list of that name, made where there is none.
    public func obtainSource(_ kind: RuleKind, named name: String) async throws(HarfangLabError) -> RuleSource {
        if let known = try await source(kind, named: name) { return known }
        let operation = "create_\(kind.sources)"
        let made = try await send(
            .post, "\(Self.threatIntelligence)/\(kind.sources)/",
            body: ["name": .string(name), "description": .string(Self.sourceDescription), "enabled": true],
            operation: operation)
        guard let id = made?["id"]?.text else { throw .malformed(operation: operation, reason: "the id is missing") }
        return RuleSource(id: id, name: name)
    }
}

extension JSONValue {
    /// Ids are texts, and numbers in some collections.
    var text: String? { string ?? int.map { "\($0)" } }
}
