// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

/// People who may sign in to the Falcon console. Source: Falcon API surface, 12.
extension FalconClient {
    public static let maxUserPage = 500
    public static let maxUsers = 100

    /// UUIDs, one page a call.
    ///
    /// `GET /user-management/queries/users/v1?limit&offset&sort`, scope “User management: Read”
    ///
    /// - Parameter sort: `created_at|desc`, with a bar.
    public func queryUsers(
        sort: String? = nil, limit: Int = maxUserPage, offset: Int64? = nil
    ) async throws(FalconError) -> FalconIDPage {
        var query = [(name: "limit", value: String(limit))]
        if let sort { query.append((name: "sort", value: sort)) }
        if let offset { query.append((name: "offset", value: String(offset))) }
        let call = FalconCall(
            .get, "/user-management/queries/users/v1", query: query, operation: "falcon.user_query", scope: .usersRead)
        return try await idPage(call, from: offset ?? 0)
    }

    /// Users by UUID, read by the caller.
    ///
    /// `POST /user-management/entities/users/GET/v1` `{"ids": […]}`, at most ``maxUsers``
    public func users<Row: Sendable>(
        _ ids: [String], row: @Sendable (JSONElement) -> Row?
    ) async throws(FalconError) -> FalconRows<Row> {
        try Self.check(ids, atMost: Self.maxUsers)
        let call = FalconCall(
            .post, "/user-management/entities/users/GET/v1", body: Self.idsBody(ids), operation: "falcon.user_get",
            scope: .usersRead, isIdempotent: true)
        let envelope = try await send(call, row: row)
        return FalconRows(rows: envelope.rows, errors: envelope.errors)
    }
}
