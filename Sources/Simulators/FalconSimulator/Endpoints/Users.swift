// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// People: of the console, and of the directories that Identity Protection watches (Falcon API, 12).
extension Entities {
    func answerUsers(_ operation: FalconOperation, _ call: EntityCall) -> ServerResponse? {
        switch operation {
        case .userQuery:
            do throws(Refusal) {
                let ids = try call.selected(users.rows).compactMap { $0["uuid"]?.string }
                // This one repeats the offset of the question.
                return call.page(ids, most: 500, echoes: true)
            } catch { return call.refuse(400, error.message) }
        case .userDetails: return call.entities(call.ids(), limit: 5000) { users[$0] }
        case .graphQL: return graph(call)
        default: return nil
        }
    }

    /// The one query that is asked, with its cursor; any other is refused as GraphQL does.
    private func graph(_ call: EntityCall) -> ServerResponse {
        guard let query = call.body?["query"]?.string else { return call.refuse(400, "query is required") }
        guard query.contains("entities"), query.contains("USER") else {
            return .json(JSONValue.object(["data": nil, "errors": [["message": "unknown query"]]]).bytes)
        }
        let count = Self.number(after: "first:", in: query) ?? 50
        guard (1...1000).contains(count) else {
            return .json(JSONValue.object(["errors": [["message": "first must be between 1 and 1000"]]]).bytes)
        }
        let start = Self.text(after: "after:", in: query).flatMap { Int($0.dropFirst("cursor-".count)) } ?? 0
        let all = identities.rows.sorted {
            ($0["primaryDisplayName"]?.string ?? "") < ($1["primaryDisplayName"]?.string ?? "")
        }
        let page = all.dropFirst(start).prefix(count)
        let end = start + page.count
        let hasNext = end < all.count
        let answer: JSONValue = [
            "data": [
                "entities": [
                    "pageInfo": [
                        "hasNextPage": .bool(hasNext), "endCursor": hasNext ? .string("cursor-\(end)") : nil,
                    ],
                    "nodes": .array(page.map { .object($0) }),
                ]
            ],
            "extensions": [:],
        ]
        return .json(answer.bytes)
    }

    private static func number(after name: String, in query: String) -> Int? {
        guard let range = query.firstRange(of: name) else { return nil }
        return Int(query[range.upperBound...].drop { $0 == " " }.prefix { $0.isNumber })
    }

    private static func text(after name: String, in query: String) -> String? {
        guard let range = query.firstRange(of: name) else { return nil }
        let rest = query[range.upperBound...].drop { $0 == " " }
        return rest.first == "\"" ? String(rest.dropFirst().prefix { $0 != "\"" }) : nil
    }
}
