// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

/// Indicators as JSON, for callers that hand on what they were given and what comes back. Source: Falcon API surface, 4.2.
extension FalconClient {
    /// How a write of indicators is meant.
    public struct IOCWriteOptions: Sendable, Hashable {
        /// For the tenant's audit log.
        public var comment: String?
        /// Whether past sightings raise detections; `nil` leaves it to the server (false).
        public var retrodetects: Bool?
        /// `false` refuses the whole batch for a warning about one item; `nil` leaves it to the server (false).
        public var ignoresWarnings: Bool?

        public init(comment: String? = nil, retrodetects: Bool? = nil, ignoresWarnings: Bool? = nil) {
            self.comment = comment
            self.retrodetects = retrodetects
            self.ignoresWarnings = ignoresWarnings
        }
    }

    /// `POST /iocs/entities/indicators/v1` → 201. Not idempotent; one item that is not acceptable refuses all (400).
    public func createIndicators(
        _ indicators: [JSONValue], _ options: IOCWriteOptions
    ) async throws(FalconError) -> FalconAnswer {
        try await write(.post, indicators, options, operation: "falcon.indicator_create", isIdempotent: false)
    }

    /// `PATCH /iocs/entities/indicators/v1` → 200. What is left out keeps its value.
    public func updateIndicators(
        _ indicators: [JSONValue], _ options: IOCWriteOptions
    ) async throws(FalconError) -> FalconAnswer {
        try await write(.patch, indicators, options, operation: "falcon.indicator_update", isIdempotent: true)
    }

    /// `GET /iocs/entities/indicators/v1?ids=…`, ids as ``chunks(of:)`` splits them
    public func indicators(_ ids: [String]) async throws(FalconError) -> FalconAnswer {
        try await byID(.get, ids, comment: nil, operation: "falcon.indicator_get", scope: .iocRead)
    }

    /// `DELETE /iocs/entities/indicators/v1?ids=…&comment=…` → the ids that are gone
    public func deleteIndicators(_ ids: [String], comment: String? = nil) async throws(FalconError) -> FalconAnswer {
        try await byID(.delete, ids, comment: comment, operation: "falcon.indicator_delete", scope: .iocWrite)
    }

    /// `GET /iocs/entities/actions/v1?ids=…`
    public func indicatorActions(_ ids: [String]) async throws(FalconError) -> FalconAnswer {
        try Self.check(ids, atMost: 500)
        return try await answer(
            FalconCall(
                .get, "/iocs/entities/actions/v1", query: Self.idsQuery(ids), operation: "falcon.action_get",
                scope: .iocRead))
    }

    /// Ids of indicators by a filter as the caller wrote it.
    ///
    /// `GET /iocs/queries/indicators/v1?filter&sort&limit&offset|after`
    ///
    /// - Parameters:
    ///   - limit: `nil` leaves it to the server.
    ///   - offset: whole numbers only; excludes `after`.
    public func queryIndicators(
        _ filter: String?, sort: String? = nil, limit: Int? = nil, offset: Int64? = nil, after: String? = nil
    ) async throws(FalconError) -> FalconPage<String> {
        var query: [(name: String, value: String)] = []
        if let filter, !filter.isEmpty { query.append((name: "filter", value: filter)) }
        if let sort, !sort.isEmpty { query.append((name: "sort", value: sort)) }
        if let limit { query.append((name: "limit", value: String(limit))) }
        if let offset { query.append((name: "offset", value: String(offset))) }
        if let after { query.append((name: "after", value: after)) }
        let call = FalconCall(
            .get, "/iocs/queries/indicators/v1", query: query, operation: "falcon.indicator_search", scope: .iocRead)
        let envelope = try await list(call) { $0.string }
        return FalconPage(rows: envelope.rows, after: envelope.after, total: envelope.total)
    }

    /// Orders a report of indicators → ids of report jobs.
    ///
    /// `POST /iocs/entities/indicators-reports/v1` `{"report_format", "search": {"filter", "query", "sort"}}`; the model
    /// wants all three.
    public func orderIndicatorReport(
        format: String, filter: String, query: String, sort: String
    ) async throws(FalconError) -> FalconAnswer {
        let search: JSONValue = ["filter": .string(filter), "query": .string(query), "sort": .string(sort)]
        let body: JSONValue = ["report_format": .string(format), "search": search]
        return try await answer(
            FalconCall(
                .post, "/iocs/entities/indicators-reports/v1", body: body.bytes, operation: "falcon.indicator_report",
                scope: .iocRead))
    }

    private func write(
        _ method: HTTPMethod, _ indicators: [JSONValue], _ options: IOCWriteOptions, operation: String,
        isIdempotent: Bool
    ) async throws(FalconError) -> FalconAnswer {
        guard !indicators.isEmpty else { return FalconAnswer() }
        guard indicators.count <= Self.maxBatch else {
            throw .configuration("A batch holds \(indicators.count) indicators; Falcon takes \(Self.maxBatch) at most.")
        }
        var query: [(name: String, value: String)] = []
        if let flag = options.retrodetects { query.append((name: "retrodetects", value: String(flag))) }
        if let flag = options.ignoresWarnings { query.append((name: "ignore_warnings", value: String(flag))) }
        var body: JSONObject = ["indicators": .array(indicators)]
        if let comment = options.comment { body["comment"] = .string(comment) }
        return try await answer(
            FalconCall(
                method, "/iocs/entities/indicators/v1", query: query, body: JSONValue.object(body).bytes,
                operation: operation, scope: .iocWrite, isIdempotent: isIdempotent))
    }

    private func byID(
        _ method: HTTPMethod, _ ids: [String], comment: String?, operation: String, scope: FalconScope
    ) async throws(FalconError) -> FalconAnswer {
        try Self.check(ids, atMost: Self.chunks(of: ids).count == 1 ? ids.count : 0)
        var query = Self.idsQuery(ids)
        let short = String((comment ?? "").prefix(150))
        if !short.isEmpty { query.append((name: "comment", value: short)) }
        return try await answer(
            FalconCall(method, "/iocs/entities/indicators/v1", query: query, operation: operation, scope: scope))
    }
}
