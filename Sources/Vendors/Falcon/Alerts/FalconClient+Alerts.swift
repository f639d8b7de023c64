// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

/// What an update does to alerts, in the order of the list. Source: Falcon API surface, 5.
public struct AlertAction: Sendable, Hashable {
    /// `update_status`, `append_comment`, `add_tag`, …
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// Alerts, which replaced detections. Source: Falcon API surface, 5; `CrowdStrike/psfalcon: public/alerts.ps1`.
extension FalconClient {
    public static let maxAlerts = 1000

    /// Composite ids.
    ///
    /// `GET /alerts/queries/alerts/v2?filter&sort&limit&offset`, scope “Alerts: Read”
    ///
    /// - Parameter limit: at most 10,000, together with the offset.
    public func queryAlerts(
        _ filter: FQL, limit: Int = maxAlerts, offset: Int64? = nil, sort: String? = nil
    ) async throws(FalconError) -> FalconIDPage {
        var query = [(name: "filter", value: try text(of: filter)), (name: "limit", value: String(limit))]
        if let sort { query.append((name: "sort", value: sort)) }
        if let offset { query.append((name: "offset", value: String(offset))) }
        let call = FalconCall(
            .get, "/alerts/queries/alerts/v2", query: query, operation: "falcon.alert_query", scope: .alertsRead)
        return try await idPage(call, from: offset ?? 0)
    }

    /// Whole alerts that a filter takes, read by the caller, one page a call.
    ///
    /// `POST /alerts/combined/alerts/v1` `{"filter", "sort", "limit", "after"}`
    ///
    /// - Parameters:
    ///   - filter: FQL as the caller wrote it.
    ///   - limit: at most ``maxAlerts``.
    ///   - after: the cursor of the last page.
    public func combinedAlerts<Row: Sendable>(
        _ filter: String, sort: String = "created_timestamp|asc", limit: Int = maxAlerts, after: String? = nil,
        row: @Sendable (JSONElement) -> Row?
    ) async throws(FalconError) -> FalconPage<Row> {
        var body: JSONObject = ["filter": .string(filter), "sort": .string(sort), "limit": .int(limit)]
        if let after { body["after"] = .string(after) }
        let call = FalconCall(
            .post, "/alerts/combined/alerts/v1", body: JSONValue.object(body).bytes,
            operation: "falcon.alert_combined", scope: .alertsRead, isIdempotent: true)
        let envelope = try await list(call, row: row)
        return FalconPage(rows: envelope.rows, after: envelope.after, total: envelope.total)
    }

    /// Whole alerts; unknown ids are missing or named in the errors.
    ///
    /// `POST /alerts/entities/alerts/v2` `{"composite_ids": […]}`, at most ``maxAlerts``
    public func alerts(_ compositeIDs: [String]) async throws(FalconError) -> FalconAnswer {
        try await answer(try alertCall(compositeIDs))
    }

    /// The same, read by the caller.
    public func alerts<Row: Sendable>(
        _ compositeIDs: [String], row: @Sendable (JSONElement) -> Row?
    ) async throws(FalconError) -> FalconRows<Row> {
        let envelope = try await send(try alertCall(compositeIDs), row: row)
        return FalconRows(rows: envelope.rows, errors: envelope.errors)
    }

    /// Changes alerts. Tags are removed before others are added, whatever the order.
    ///
    /// `PATCH /alerts/entities/alerts/v3` `{"composite_ids": […], "action_parameters": [{"name", "value"}]}`, at most
    /// ``maxAlerts``; the answer counts and names none.
    public func updateAlerts(
        _ compositeIDs: [String], _ actions: [AlertAction]
    ) async throws(FalconError) -> FalconAnswer {
        try Self.check(compositeIDs, atMost: Self.maxAlerts)
        let body: JSONValue = [
            "composite_ids": .array(compositeIDs.map { .string($0) }),
            "action_parameters": .array(actions.map { ["name": .string($0.name), "value": .string($0.value)] }),
        ]
        // A comment that was appended twice stays twice; everything else ends the same.
        let isIdempotent = !actions.contains { $0.name == "append_comment" }
        return try await answer(
            FalconCall(
                .patch, "/alerts/entities/alerts/v3", body: body.bytes, operation: "falcon.alert_update",
                scope: .alertsWrite, isIdempotent: isIdempotent))
    }

    private func alertCall(_ compositeIDs: [String]) throws(FalconError) -> FalconCall {
        try Self.check(compositeIDs, atMost: Self.maxAlerts)
        return FalconCall(
            .post, "/alerts/entities/alerts/v2", body: Self.idsBody(compositeIDs, key: "composite_ids"),
            operation: "falcon.alert_get", scope: .alertsRead, isIdempotent: true)
    }
}
