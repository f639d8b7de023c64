// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

/// One page of a list: `{"count":1,"next":null,"previous":null,"results":[…]}`.
public struct HarfangLabPage: Sendable {
    public let results: [JSONValue]
    /// Path and query of the next page, already encoded; `nil` at the end.
    public let next: String?
    /// How many results the whole list has by now; `nil` where the console does not say.
    public let count: Int64?
    /// Whether there is more beyond the console's ceiling of 10,000 results: ask again with a later start.
    public let isCutAtCeiling: Bool

    /// The console refuses offsets beyond it. Source: HarfangLab ↔ OpenCTI, 1.5.
    public static let ceiling = 10_000
}

extension HarfangLabClient {
    /// A page by the parameters of its list.
    func page(
        _ path: String, query: [(name: String, value: String)], operation: String
    ) async throws(HarfangLabError) -> HarfangLabPage {
        try page(of: try await send(.get, path, query: query, operation: operation), operation)
    }

    /// The page that another one named.
    public func page(_ next: String, operation: String) async throws(HarfangLabError) -> HarfangLabPage {
        try page(of: try await send(.get, target: next, operation: operation), operation)
    }

    /// Every result of a list, up to the ceiling.
    func all(
        _ path: String, query: [(name: String, value: String)], operation: String
    ) async throws(HarfangLabError) -> [JSONValue] {
        var page = try await page(path, query: query, operation: operation)
        var results = page.results
        while let next = page.next, !page.results.isEmpty {
            page = try await self.page(next, operation: operation)
            results += page.results
        }
        return results
    }

    private func page(of answer: JSONValue?, _ operation: String) throws(HarfangLabError) -> HarfangLabPage {
        guard let answer, let results = answer["results"]?.array else {
            throw .malformed(operation: operation, reason: "it is no page of results")
        }
        guard let text = answer["next"]?.string, !text.isEmpty else {
            return HarfangLabPage(
                results: results, next: nil, count: answer["count"]?.int, isCutAtCeiling: false)
        }
        let next = try address.resolve(next: text, of: operation)
        let isBeyond =
            (Self.number("offset", in: next) ?? 0) + (Self.number("limit", in: next) ?? 0)
            > HarfangLabPage.ceiling
        return HarfangLabPage(
            results: results, next: isBeyond ? nil : next, count: answer["count"]?.int, isCutAtCeiling: isBeyond)
    }

    private static func number(_ name: String, in target: String) -> Int? {
        for pair in target.drop(while: { $0 != "?" }).dropFirst().split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0] == name { return Int(parts[1]) }
        }
        return nil
    }
}
