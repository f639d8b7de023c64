// SPDX-License-Identifier: Apache-2.0

import HTTPClient
public import JSON

extension HarfangLabClient {
    /// Agents, a page: `id, hostname, domainname, ostype, osproducttype, ipaddress, firstseen, lastseen, status,
    /// groups[{name}], policy{name}`.
    public func agents(
        hostname: String? = nil, threat: Int64? = nil, limit: Int = 100
    ) async throws(HarfangLabError) -> HarfangLabPage {
        var query: [(name: String, value: String)] = [("limit", "\(limit)"), ("ordering", "firstseen")]
        if let hostname { query.append(("hostname", hostname)) }
        if let threat { query.append(("threat_id", "\(threat)")) }
        return try await page("/api/data/endpoint/Agent/", query: query, operation: "list_Agent")
    }

    /// `nil` when there is none with that id.
    public func agent(_ id: String) async throws(HarfangLabError) -> JSONValue? {
        do throws(HarfangLabError) {
            return try await send(
                .get, "/api/data/endpoint/Agent/\(PercentEncoding.component(id))/", operation: "get_Agent")
        } catch {
            if case .notFound = error { return nil }
            throw error
        }
    }

    /// Local Windows users that a threat concerns.
    public func users(ofThreat id: Int64) async throws(HarfangLabError) -> [JSONValue] {
        try await all(
            "/api/data/host_properties/local_users/windows/", query: [("threat_id", "\(id)")],
            operation: "list_local_users")
    }
}
