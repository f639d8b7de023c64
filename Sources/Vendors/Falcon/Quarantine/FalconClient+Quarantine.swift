// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

/// Files that the sensor has quarantined. Source: Falcon API surface, 8; `CrowdStrike/psfalcon: public/quarantine.ps1`.
extension FalconClient {
    public enum QuarantineAction: String, Sendable, CaseIterable { case release, unrelease, delete }

    public static let maxQuarantinePage = 5000
    public static let maxQuarantineUpdates = 500
    public static let maxQuarantineDetails = 1000

    /// Ids, one page a call.
    ///
    /// `GET /quarantine/queries/quarantined-files/v1?filter&sort&limit&offset`, scope “Quarantined Files: Read”; the offset is
    /// a text.
    ///
    /// - Parameters:
    ///   - filter: FQL as the caller wrote it: `date_created:>='2026-01-01T00:00:00Z'`.
    ///   - sort: `date_created|asc`
    ///   - limit: at most ``maxQuarantinePage``.
    public func queryQuarantine(
        _ filter: String, sort: String? = nil, limit: Int = maxQuarantinePage, offset: Int64 = 0
    ) async throws(FalconError) -> FalconIDPage {
        var query = [(name: "filter", value: filter)]
        if let sort { query.append((name: "sort", value: sort)) }
        query.append((name: "limit", value: String(limit)))
        if offset > 0 { query.append((name: "offset", value: String(offset))) }
        let call = FalconCall(
            .get, "/quarantine/queries/quarantined-files/v1", query: query, operation: "falcon.quarantine_query",
            scope: .quarantineRead)
        return try await idPage(call, from: offset)
    }

    /// Files by id, read by the caller: `{"id", "aid", "sha256", "hostname", "state", "date_created", "paths": […]}`.
    ///
    /// `POST /quarantine/entities/quarantined-files/GET/v1` `{"ids": […]}`, at most ``maxQuarantineDetails``
    public func quarantinedFiles<Row: Sendable>(
        _ ids: [String], row: @Sendable (JSONElement) -> Row?
    ) async throws(FalconError) -> FalconRows<Row> {
        try Self.check(ids, atMost: Self.maxQuarantineDetails)
        let call = FalconCall(
            .post, "/quarantine/entities/quarantined-files/GET/v1", body: Self.idsBody(ids),
            operation: "falcon.quarantine_get", scope: .quarantineRead, isIdempotent: true)
        let envelope = try await send(call, row: row)
        return FalconRows(rows: envelope.rows, errors: envelope.errors)
    }

    /// Releases files to their hosts, takes that back, or deletes them; with a comment.
    ///
    /// `PATCH /quarantine/entities/quarantined-files/v1` `{"ids": […], "action", "comment"}`, at most
    /// ``maxQuarantineUpdates``. The comment is appended each time.
    public func updateQuarantine(
        _ ids: [String], _ action: QuarantineAction, comment: String
    ) async throws(FalconError) -> FalconAnswer {
        try Self.check(ids, atMost: Self.maxQuarantineUpdates)
        let body: JSONValue = [
            "ids": .array(ids.map { .string($0) }), "action": .string(action.rawValue), "comment": .string(comment),
        ]
        return try await answer(
            FalconCall(
                .patch, "/quarantine/entities/quarantined-files/v1", body: body.bytes,
                operation: "falcon.quarantine_update", scope: .quarantineWrite, isIdempotent: false))
    }
}
