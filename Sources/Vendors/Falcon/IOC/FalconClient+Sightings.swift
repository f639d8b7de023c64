// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import JSON

/// On how many hosts an indicator was seen.
public struct IOCDeviceCount: Sendable, Hashable {
    public let type: String
    public let value: String
    public let count: Int64
    /// There are more than the service counts.
    public let isLimitExceeded: Bool

    init?(_ element: JSONElement) {
        guard let count = element["device_count"]?.int else { return nil }
        self.count = count
        type = element["type"]?.string ?? ""
        value = element["value"]?.string ?? ""
        isLimitExceeded = element["limit_exceeded"]?.bool ?? false
    }
}

/// Where indicators were seen, how they are distributed, and reports about them. Tenants that do not have the newer paths
/// answer 403 or 404 there; the older ones are then asked. Source: Falcon API surface, 4.2.
extension FalconClient {
    /// `GET /iocs/aggregates/indicators/device-count/v1?type&value`
    public func deviceCount(type: String, value: String) async throws(FalconError) -> [IOCDeviceCount] {
        try await sighted(
            "/iocs/aggregates/indicators/device-count/v1", legacy: "/indicators/aggregates/devices-count/v1",
            query: [(name: "type", value: type), (name: "value", value: value)],
            operation: "falcon.indicator_device_count", row: IOCDeviceCount.init
        ).rows
    }

    /// Host ids, at most 100 a page.
    ///
    /// `GET /iocs/queries/indicators/devices/v1?type&value&limit&offset`
    /// - Parameter offset: the text of the last page's cursor.
    public func devicesRanOn(
        type: String, value: String, limit: Int = 100, offset: String? = nil
    ) async throws(FalconError) -> FalconPage<String> {
        try await ranOn("devices", type, value, [], limit, offset, operation: "falcon.indicator_devices")
    }

    /// Process ids on one host.
    ///
    /// `GET /iocs/queries/indicators/processes/v1?type&value&device_id&limit&offset`
    public func processesRanOn(
        type: String, value: String, device: String, limit: Int = 100, offset: String? = nil
    ) async throws(FalconError) -> FalconPage<String> {
        let device = [(name: "device_id", value: device)]
        return try await ranOn("processes", type, value, device, limit, offset, operation: "falcon.indicator_processes")
    }

    /// How indicators are distributed over the values of a field.
    ///
    /// `POST /iocs/aggregates/indicators/v1?filter`, body `{"field": …, "type": "terms", "size": …, "name": …}`
    /// - Returns: counts by value, largest first as the service sorts them.
    public func countIOCs(
        by field: FQL.Property, matching filter: FQL? = nil, size: Int = 20
    ) async throws(FalconError) -> [(label: String, count: Int64)] {
        var query: [(name: String, value: String)] = []
        if let filter { query.append((name: "filter", value: try text(of: filter))) }
        let body: JSONValue = [
            "field": .string(field.name), "type": "terms", "size": .int(size), "name": .string("by_" + field.name),
        ]
        let call = FalconCall(
            .post, "/iocs/aggregates/indicators/v1", query: query, body: body.bytes,
            operation: "falcon.indicator_aggregate", scope: .iocRead, isIdempotent: true)
        let envelope = try await list(call) { aggregate in
            var buckets: [(label: String, count: Int64)] = []
            aggregate["buckets"]?.forEachElement { bucket in
                let label = bucket["label"]?.string ?? bucket["key_as_string"]?.string ?? ""
                buckets.append((label: label, count: bucket["count"]?.int ?? 0))
            }
            return buckets
        }
        return envelope.rows.flatMap { $0 }
    }

    /// Orders a report of indicators.
    ///
    /// `POST /iocs/entities/indicators-reports/v1` → ids of report jobs
    /// - Parameters:
    ///   - format: `csv` or `json`.
    ///   - sort: `modified_on.desc`.
    public func reportIOCs(
        _ filter: FQL?, format: String = "csv", sort: String = "modified_on.desc", fromParent: Bool = false
    ) async throws(FalconError) -> [String] {
        let search: JSONValue = [
            "filter": .string(try filter.map { filter throws(FalconError) in try text(of: filter) } ?? ""), "query": "",
            "sort": .string(sort),
        ]
        let body: JSONValue = [
            "report_format": .string(format), "search": search, "from_parent": .bool(fromParent),
        ]
        let call = FalconCall(
            .post, "/iocs/entities/indicators-reports/v1", body: body.bytes, operation: "falcon.indicator_report",
            scope: .iocRead)
        return try await list(call) { $0.string ?? $0["id"]?.string }.rows
    }

    private func ranOn(
        _ what: String, _ type: String, _ value: String, _ more: [(name: String, value: String)], _ limit: Int,
        _ offset: String?, operation: String
    ) async throws(FalconError) -> FalconPage<String> {
        var query = [(name: "type", value: type), (name: "value", value: value)] + more
        query.append((name: "limit", value: String(max(1, min(limit, 100)))))
        if let offset { query.append((name: "offset", value: offset)) }
        let envelope = try await sighted(
            "/iocs/queries/indicators/\(what)/v1", legacy: "/indicators/queries/\(what)/v1", query: query,
            operation: operation, row: { $0.string })
        return FalconPage(rows: envelope.rows, after: envelope.after, total: envelope.total)
    }

    private func sighted<Row: Sendable>(
        _ path: String, legacy: String, query: [(name: String, value: String)], operation: String,
        row: @Sendable (JSONElement) -> Row?
    ) async throws(FalconError) -> FalconEnvelope<Row> {
        let call = FalconCall(.get, path, query: query, operation: operation, scope: .iocRead)
        do throws(FalconError) {
            return try await list(call, row: row)
        } catch {
            let older = FalconCall(.get, legacy, query: query, operation: operation, scope: .legacyIOCRead)
            switch error {
            case .missingScope, .notFound: break
            default: throw error
            }
            // The newer path's refusal is the one to act on when both refuse.
            do throws(FalconError) { return try await list(older, row: row) } catch let second {
                if case .missingScope = second { throw error }
                throw second
            }
        }
    }
}
