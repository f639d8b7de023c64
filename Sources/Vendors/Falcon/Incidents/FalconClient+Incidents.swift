// SPDX-License-Identifier: Apache-2.0

import HTTPClient

/// Cases, and the incidents API that CrowdStrike has announced to remove in March 2026: where it is gone, it answers 404,
/// 405 or 410. Source: Falcon API surface, 6 and 12.
extension FalconClient {
    public static let maxIncidents = 500

    /// `POST /cases/entities/cases/v2` `{"ids": […]}`; a POST that reads.
    public func cases(_ ids: [String]) async throws(FalconError) -> FalconAnswer {
        try await entities(ids, "/cases/entities/cases/v2", operation: "falcon.case_get", scope: .casesRead)
    }

    /// `POST /incidents/entities/incidents/GET/v1` `{"ids": […]}`
    public func incidents(_ ids: [String]) async throws(FalconError) -> FalconAnswer {
        try await entities(
            ids, "/incidents/entities/incidents/GET/v1", operation: "falcon.incident_get", scope: .incidentsRead)
    }

    /// `POST /incidents/entities/behaviors/GET/v1` `{"ids": […]}`
    public func behaviors(_ ids: [String]) async throws(FalconError) -> FalconAnswer {
        try await entities(
            ids, "/incidents/entities/behaviors/GET/v1", operation: "falcon.behavior_get", scope: .incidentsRead)
    }

    private func entities(
        _ ids: [String], _ path: String, operation: String, scope: FalconScope
    ) async throws(FalconError) -> FalconAnswer {
        try Self.check(ids, atMost: Self.maxIncidents)
        return try await answer(
            FalconCall(
                .post, path, body: Self.idsBody(ids), operation: operation, scope: scope, isIdempotent: true))
    }
}
