// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

/// A page of directory users from Identity Protection.
public struct IdentityPage<Row: Sendable>: Sendable {
    public let rows: [Row]
    /// Where the next page begins; `nil` after the last.
    public let endCursor: String?
    /// What GraphQL complains of with status 200. With any, the rows may not be all.
    public let problems: [String]

    /// Whether all it complains of is a missing permission or licence.
    public var isRefused: Bool {
        !problems.isEmpty
            && problems.allSatisfy { problem in
                let text = problem.lowercased()
                return ["permission", "licen", "not authorized", "unauthorized", "forbidden", "access denied", "scope"]
                    .contains { text.contains($0) }
            }
    }
}

/// Users of the directories that Identity Protection watches. Source: Falcon API surface, 12; Sekoia.io module, 3.4.
extension FalconClient {
    /// Users in the order of their names, 50 a page.
    ///
    /// `POST /identity-protection/combined/graphql/v1` `{"query": …}`, scopes “Identity Protection Entities: Read” and
    /// “Identity Protection GraphQL: Write”
    ///
    /// - Parameter cursor: of the last page. It becomes part of the query, so it is escaped.
    public func identityUsers<Row: Sendable>(
        after cursor: String? = nil, row: @Sendable (JSONElement) -> Row?
    ) async throws(FalconError) -> IdentityPage<Row> {
        let body: JSONValue = ["query": .string(Self.identityQuery(after: cursor))]
        let call = FalconCall(
            .post, "/identity-protection/combined/graphql/v1", body: body.bytes, operation: "falcon.identity_graphql",
            scope: .identityGraphQL, isIdempotent: true)
        return try await read(call) { root in
            var rows: [Row] = []
            let entities = root["data"]?["entities"]
            entities?["nodes"]?.forEachElement { if let read = row($0) { rows.append(read) } }
            var problems: [String] = []
            root["errors"]?.forEachElement { error in
                problems.append(String((error["message"]?.string ?? error.string ?? "no reason given").prefix(300)))
            }
            guard entities?.kind == .object || !problems.isEmpty else { return nil }
            let page = entities?["pageInfo"]
            let end = page?["endCursor"]?.string.flatMap { $0.isEmpty || $0 == cursor ? nil : $0 }
            return IdentityPage(
                rows: rows, endCursor: page?["hasNextPage"]?.bool == true ? end : nil, problems: problems)
        }
    }

    static func identityQuery(after cursor: String?) -> String {
        let after = cursor.map { " after:\(JSONValue.string($0).text)" } ?? ""
        return """
            query { entities(types:[USER] sortKey:PRIMARY_DISPLAY_NAME sortOrder:ASCENDING first:50\(after)) \
            { pageInfo { hasNextPage endCursor } nodes { entityId type primaryDisplayName secondaryDisplayName \
            creationTime riskScore riskScoreSeverity accounts { dataSource ... on ActiveDirectoryAccountDescriptor \
            { domain samAccountName objectSid objectGuid enabled } } ... on UserEntity { emailAddresses } roles { type } } } }
            """
    }
}
