// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import JSON

/// The API that alerts replaced; CrowdStrike has decommissioned it on 30 September 2025, and it answers 404, 405 or 410 where
/// it is gone. Summaries by id: ``FalconClient/detectionSummaries(_:row:)``. Source: Falcon API surface, 6.
extension FalconClient {
    public static let maxDetections = 1000
    /// `offset + limit` of a search reaches no further.
    public static let maxDetectionOffset: Int64 = 9999

    /// Ids such as `ldt:<aid>:<n>`, one page a call.
    ///
    /// `GET /detects/queries/detects/v1?filter&sort&limit&offset`
    ///
    /// - Parameter filter: FQL as the caller wrote it.
    public func queryDetections(
        _ filter: String, sort: String? = nil, limit: Int = maxDetections, offset: Int64 = 0
    ) async throws(FalconError) -> FalconIDPage {
        var query = [(name: "filter", value: filter), (name: "limit", value: String(limit))]
        if let sort { query.append((name: "sort", value: sort)) }
        if offset > 0 { query.append((name: "offset", value: String(offset))) }
        let call = FalconCall(
            .get, "/detects/queries/detects/v1", query: query, operation: "falcon.detect_query", scope: .detectsRead)
        return try await idPage(call, from: offset)
    }

    /// `PATCH /detects/entities/detects/v2` `{"ids": […], "status", "comment", "show_in_ui": true}`, at most ``maxDetections``
    public func updateDetections(
        _ ids: [String], status: String?, comment: String?
    ) async throws(FalconError) -> FalconAnswer {
        try Self.check(ids, atMost: Self.maxDetections)
        var body: JSONObject = ["ids": .array(ids.map { .string($0) }), "show_in_ui": true]
        if let status { body["status"] = .string(status) }
        if let comment { body["comment"] = .string(comment) }
        return try await answer(
            FalconCall(
                .patch, "/detects/entities/detects/v2", body: JSONValue.object(body).bytes,
                operation: "falcon.detect_update", scope: .detectsWrite, isIdempotent: comment == nil))
    }
}

extension FalconError {
    /// The HTTP status it stands for; 0 where there was no answer.
    public var status: Int {
        switch self {
        case .badRequest: 400
        case .unauthorized: 401
        case .credentialsRefused(let status, _): status
        case .missingScope: 403
        case .notFound: 404
        case .conflict: 409
        case .rateLimited: 429
        case .tooLarge(let status, _), .unavailable(let status, _): status
        case .quotaExceeded: 400
        default: 0
        }
    }

    /// Whether an API is there no more.
    public var isGone: Bool { [404, 405, 410].contains(status) }
}
