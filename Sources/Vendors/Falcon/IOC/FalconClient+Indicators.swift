// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import JSON

/// Custom indicators: search, read and write. Source: Falcon API surface, 4;
/// `CrowdStrike/falconpy: src/falconpy/_endpoint/_ioc.py`.
extension FalconClient {
    /// Rows of one search page at most.
    public static let maxPage = 2000
    /// Items of one create or update at most; 200 is the common and default size.
    public static let maxBatch = 2000
    /// Longer queries are refused or answered with HTML. Source: `CrowdStrike/psfalcon: private/Private.ps1`.
    static let maxQuery = 18_500

    /// Ids of indicators, one page a call.
    ///
    /// `GET /iocs/queries/indicators/v1?filter&limit&sort&after`
    ///
    /// - Parameters:
    ///   - limit: ids a page, at most ``maxPage``.
    ///   - after: cursor of the last page. `offset` ends at 10 000 results, so it is never sent.
    ///   - sort: `modified_on.desc`, `value|asc`, …
    public func searchIOCs(
        _ filter: FQL?, limit: Int = maxPage, after: String? = nil, sort: String? = nil, fromParent: Bool? = nil
    ) async throws(FalconError) -> FalconPage<String> {
        let query = try page(filter, limit, after, sort, fromParent)
        let call = FalconCall(
            .get, "/iocs/queries/indicators/v1", query: query, operation: "falcon.indicator_search", scope: .iocRead)
        let envelope = try await list(call) { $0.string }
        return FalconPage(rows: envelope.rows, after: envelope.after, total: envelope.total)
    }

    /// Indicators themselves, one page a call: identity only, for building an index of a million.
    ///
    /// `GET /iocs/combined/indicator/v1?filter&limit&sort&after`
    public func combinedRows(
        _ filter: FQL?, limit: Int = maxPage, after: String? = nil, sort: String? = nil, fromParent: Bool? = nil
    ) async throws(FalconError) -> FalconPage<IOCRow> {
        let envelope = try await list(try combined(filter, limit, after, sort, fromParent), row: IOCRow.init)
        return FalconPage(rows: envelope.rows, after: envelope.after, total: envelope.total)
    }

    /// The same with all fields.
    public func combinedIOCs(
        _ filter: FQL?, limit: Int = maxPage, after: String? = nil, sort: String? = nil, fromParent: Bool? = nil
    ) async throws(FalconError) -> FalconPage<IOC> {
        let envelope = try await list(try combined(filter, limit, after, sort, fromParent), row: IOC.init)
        return FalconPage(rows: envelope.rows, after: envelope.after, total: envelope.total)
    }

    /// Walks all pages of a search until a page is empty or `body` returns false.
    ///
    /// - Parameter page: one of the searches above with the cursor filled in.
    /// - Throws: ``FalconError/malformed(operation:reason:traceID:)`` when the server's cursor does not move.
    public func forEachPage<Row: Sendable>(
        of page: (String?) async throws(FalconError) -> FalconPage<Row>, do body: ([Row]) async throws -> Bool
    ) async throws {
        var after: String?
        while true {
            let current = try await page(after)
            guard !current.rows.isEmpty, try await body(current.rows), let next = current.after else { return }
            guard next != after else {
                throw FalconError.malformed(
                    operation: "falcon.indicator_search", reason: "its cursor does not move", traceID: nil)
            }
            after = next
        }
    }

    /// Whole indicators by id. Unknown ids are simply missing.
    ///
    /// `GET /iocs/entities/indicators/v1?ids=…&ids=…`; more than ``chunks(of:)`` allows are refused.
    public func iocs(_ ids: [String]) async throws(FalconError) -> [IOC] {
        guard !ids.isEmpty else { return [] }
        let call = FalconCall(
            .get, "/iocs/entities/indicators/v1", query: try idItems(ids), operation: "falcon.indicator_get",
            scope: .iocRead)
        do throws(FalconError) {
            let envelope = try await send(call, row: IOC.init)
            // 404 for some of the ids is what "missing" looks like; anything else is a failure.
            if let other = envelope.errors.first(where: { $0.code != 404 }) {
                throw .badRequest([other], traceID: envelope.traceID)
            }
            return envelope.rows
        } catch {
            if case .notFound = error { return [] }
            throw error
        }
    }

    /// Creates indicators: up to ``maxBatch``, refused as a whole with 400 when one of them is not acceptable.
    ///
    /// `POST /iocs/entities/indicators/v1?retrodetects&ignore_warnings` → 201
    ///
    /// Not idempotent: after an unknown outcome the values have to be looked up.
    /// - Parameters:
    ///   - retrodetects: whether past sightings raise detections.
    ///   - ignoreWarnings: false refuses the whole batch for a warning about one item.
    public func createIOCs(
        _ batch: IOCBatch, retrodetects: Bool = false, ignoreWarnings: Bool = true
    ) async throws(FalconError) -> IOCReply {
        try await write(
            .post, batch, retrodetects, ignoreWarnings, operation: "falcon.indicator_create", isIdempotent: false)
    }

    /// Changes indicators by id; fields that are left out keep their value, `tags: []` clears.
    ///
    /// `PATCH /iocs/entities/indicators/v1?retrodetects&ignore_warnings` → 200
    public func updateIOCs(
        _ batch: IOCBatch, retrodetects: Bool = false, ignoreWarnings: Bool = true
    ) async throws(FalconError) -> IOCReply {
        try await write(
            .patch, batch, retrodetects, ignoreWarnings, operation: "falcon.indicator_update", isIdempotent: true)
    }

    /// Deletes by id. What is already gone counts as done.
    ///
    /// `DELETE /iocs/entities/indicators/v1?ids=…&comment=…`; more than ``chunks(of:)`` allows are refused.
    /// - Returns: errors other than 404 of single ids.
    public func deleteIOCs(_ ids: [String], comment: String = "") async throws(FalconError) -> [FalconMessage] {
        guard !ids.isEmpty else { return [] }
        return try await delete(try idItems(ids), comment: comment)
    }

    /// Deletes all that a filter matches. Refused unless the filter is bound to creators: one filter too wide would
    /// empty the tenant.
    ///
    /// `DELETE /iocs/entities/indicators/v1?filter=…&comment=…`
    public func deleteIOCs(matching filter: FQL, comment: String = "") async throws(FalconError) -> [FalconMessage] {
        guard filter.isBoundToCreators else {
            throw .configuration("Deleting by a filter without created_by could empty the tenant; nothing was sent.")
        }
        return try await delete([(name: "filter", value: try text(of: filter))], comment: comment)
    }

    /// Splits ids so that each part fits into one call: 250 at most, fewer where they are long.
    public static func chunks(of ids: [String]) -> [ArraySlice<String>] {
        var chunks: [ArraySlice<String>] = []
        var start = ids.startIndex
        var length = 0
        for index in ids.indices {
            let size = ids[index].utf8.count + "&ids=".utf8.count
            if index > start, length + size > maxQuery - reserve || index - start == maxIDs {
                chunks.append(ids[start..<index])
                start = index
                length = 0
            }
            length += size
        }
        if start < ids.endIndex { chunks.append(ids[start...]) }
        return chunks
    }

    private static let maxIDs = 250
    /// Room for the comment in the query.
    private static let reserve = 500

    private func delete(
        _ items: [(name: String, value: String)], comment: String
    ) async throws(FalconError) -> [FalconMessage] {
        var query = items
        let short = String(comment.prefix(150))
        if !short.isEmpty { query.append((name: "comment", value: short)) }
        let call = FalconCall(
            .delete, "/iocs/entities/indicators/v1", query: query, operation: "falcon.indicator_delete",
            scope: .iocWrite)
        do throws(FalconError) {
            return try await send(call, row: { $0.string }).errors.filter { $0.code != 404 }
        } catch {
            if case .notFound = error { return [] }
            throw error
        }
    }

    private func write(
        _ method: HTTPMethod, _ batch: consuming IOCBatch, _ retrodetects: Bool, _ ignoreWarnings: Bool,
        operation: String, isIdempotent: Bool
    ) async throws(FalconError) -> IOCReply {
        guard !batch.isEmpty else { return IOCReply(rows: [], errors: [], traceID: nil) }
        guard batch.count <= Self.maxBatch else {
            throw .configuration("A batch holds \(batch.count) indicators; Falcon takes \(Self.maxBatch) at most.")
        }
        let call = FalconCall(
            method, "/iocs/entities/indicators/v1",
            query: [
                (name: "retrodetects", value: String(retrodetects)),
                (name: "ignore_warnings", value: String(ignoreWarnings)),
            ],
            body: batch.body(), operation: operation, scope: .iocWrite, isIdempotent: isIdempotent)
        let envelope = try await send(call, row: IOCRow.init)
        return IOCReply(rows: envelope.rows, errors: envelope.errors, traceID: envelope.traceID)
    }

    private func combined(
        _ filter: FQL?, _ limit: Int, _ after: String?, _ sort: String?, _ fromParent: Bool?
    ) throws(FalconError) -> FalconCall {
        FalconCall(
            .get, "/iocs/combined/indicator/v1", query: try page(filter, limit, after, sort, fromParent),
            operation: "falcon.indicator_combined", scope: .iocRead)
    }

    private func page(
        _ filter: FQL?, _ limit: Int, _ after: String?, _ sort: String?, _ fromParent: Bool?
    ) throws(FalconError) -> [(name: String, value: String)] {
        var query: [(name: String, value: String)] = []
        if let filter { query.append((name: "filter", value: try text(of: filter))) }
        query.append((name: "limit", value: String(max(1, min(limit, Self.maxPage)))))
        if let sort { query.append((name: "sort", value: sort)) }
        if let after { query.append((name: "after", value: after)) }
        if let fromParent { query.append((name: "from_parent", value: String(fromParent))) }
        return query
    }

    private func idItems(_ ids: [String]) throws(FalconError) -> [(name: String, value: String)] {
        guard Self.chunks(of: ids).count == 1, !ids.contains(where: \.isEmpty) else {
            throw .configuration("\(ids.count) ids do not fit into one call of Falcon, or one is empty.")
        }
        return ids.map { (name: "ids", value: $0) }
    }

    func text(of filter: FQL) throws(FalconError) -> String {
        do throws(FQL.Refusal) { return try filter.checkedForSending() } catch {
            throw .configuration(error.description)
        }
    }
}
