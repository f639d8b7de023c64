// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

/// Cases of both kinds: the message center's, which reach CrowdStrike's people, and those of the Cases API. Source: Falcon API
/// surface, 12; `CrowdStrike/psfalcon: public/message-center.ps1`.
extension FalconClient {
    public static let maxMessageCases = 500

    /// Opens a case at the message center (Falcon Complete tenants).
    ///
    /// `POST /message-center/entities/case/v2` `{"title", "body", "type", "user_uuid", "detections": [{"id", "product",
    /// "url"}], "incidents": []}`; twice makes two.
    public func createMessageCase(_ request: JSONValue) async throws(FalconError) -> FalconAnswer {
        try await answer(
            FalconCall(
                .post, "/message-center/entities/case/v2", body: request.bytes, operation: "falcon.message_case_create",
                scope: .messageCenterWrite, isIdempotent: false))
    }

    /// The newest cases of the message center, read by the caller: `{"id", "title", "created_time", …}`.
    ///
    /// `GET /message-center/queries/cases/v1?sort=case.created_time.desc&limit`, then
    /// `POST /message-center/entities/cases/GET/v1` `{"ids": […]}`
    public func newestMessageCases<Row: Sendable>(
        limit: Int = maxMessageCases, row: @Sendable (JSONElement) -> Row?
    ) async throws(FalconError) -> [Row] {
        let search = FalconCall(
            .get, "/message-center/queries/cases/v1",
            query: [(name: "sort", value: "case.created_time.desc"), (name: "limit", value: String(limit))],
            operation: "falcon.message_case_query", scope: .messageCenterRead)
        let ids = try await list(search) { $0.string }.rows
        guard !ids.isEmpty else { return [] }
        let details = FalconCall(
            .post, "/message-center/entities/cases/GET/v1", body: Self.idsBody(ids),
            operation: "falcon.message_case_get",
            scope: .messageCenterRead, isIdempotent: true)
        return try await list(details, row: row).rows
    }

    /// Opens a case of the Cases API.
    ///
    /// `PUT /cases/entities/cases/v2` `{"name", "description", "severity": 10…80, "severity_info": {"level"}, "status",
    /// "assigned_to_user_uuid", "evidence": {"alerts": [{"id"}], "events": [], "leads": []}, "tags": […]}` → 201; twice makes
    /// two, although it is a PUT.
    public func createCase(_ request: JSONValue) async throws(FalconError) -> FalconAnswer {
        try await answer(
            FalconCall(
                .put, "/cases/entities/cases/v2", body: request.bytes, operation: "falcon.case_create",
                scope: .casesWrite, isIdempotent: false))
    }

    /// Ids of cases of the Cases API.
    ///
    /// `GET /cases/queries/cases/v1?filter&sort&limit`
    public func queryCases(_ filter: FQL, sort: String? = nil, limit: Int = 100) async throws(FalconError) -> [String] {
        var query = [(name: "filter", value: try text(of: filter))]
        if let sort { query.append((name: "sort", value: sort)) }
        query.append((name: "limit", value: String(limit)))
        let call = FalconCall(
            .get, "/cases/queries/cases/v1", query: query, operation: "falcon.case_query", scope: .casesRead)
        return try await list(call) { $0.string }.rows
    }
}
