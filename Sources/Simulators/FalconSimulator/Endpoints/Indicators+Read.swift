// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON

/// Searches, reads and aggregates (Falcon API, 3, 4.2).
struct IndicatorReads {
    let caller: Caller
    let query: QueryItems

    /// - Parameter totals: what earlier pages of the same filter counted.
    func search(_ table: IOCTable, isCombined: Bool, totals: inout Totals) -> ServerResponse {
        do throws(Refusal) {
            let search = try IOCSearch { query[$0] }
            let known = totals.total(search.filterText, table.version)
            let page = search.page(of: table, now: caller.now, total: known)
            totals.keep(page.total, search.filterText, table.version)
            var envelope = Envelope()
            envelope.paging = .init(
                limit: search.limit, offset: page.offset, total: page.total, after: page.after)
            return envelope.response(caller.trace) { writer in
                for row in page.rows {
                    if isCombined {
                        table.write(row, at: caller.now, into: &writer)
                    } else {
                        writer.string(table.id(of: row))
                    }
                }
            }
        } catch {
            return Envelope.refused(400, [error.message]).response(caller.trace)
        }
    }

    /// Deleted IOCs can be read by id. Unknown ids are named under `errors`; with none known the status is 404.
    func get(_ table: IOCTable) -> ServerResponse {
        let ids = query.all("ids").filter { !$0.isEmpty }
        guard !ids.isEmpty else { return Envelope.refused(400, ["ids is required"]).response(caller.trace) }
        var envelope = Envelope()
        var rows: [Int] = []
        for id in ids {
            if let row = table.row(withID: id) {
                rows.append(row)
            } else {
                envelope.problems.append(.init(code: 404, message: "indicator not found: '\(id)'", id: id))
            }
        }
        if rows.isEmpty { envelope.status = 404 }
        return envelope.response(caller.trace) { writer in
            for row in rows { table.write(row, at: caller.now, into: &writer) }
        }
    }

    /// `terms` and `count` over one field. The body is one object, not a list.
    func aggregate(_ root: JSONElement, _ table: IOCTable) -> ServerResponse {
        do throws(Refusal) {
            guard root.kind == .object else { throw Refusal("the body must be one object") }
            guard let field = root["field"]?.string, FQL.properties.contains(field) else {
                throw Refusal("invalid field")
            }
            guard let type = root["type"]?.string, type == "terms" || type == "count" else {
                throw Refusal("invalid type: terms and count are served")
            }
            let text = query["filter"] ?? root["filter"]?.string ?? ""
            let filter = text.isEmpty ? nil : try FQL(parsing: text)
            let matcher = FQLMatcher(filter, table, now: caller.now)
            var counts: [String: Int] = [:]
            for row in 0..<table.rows.count where matcher.matches(row, in: table) {
                if !matcher.namesDeleted, table.rows[row].isDeleted { continue }
                for value in IOCProperty.values(field, of: row, in: table, now: caller.now) {
                    switch value {
                    case .text(let text): counts[text, default: 0] += 1
                    case .number(let number): counts["\(number)", default: 0] += 1
                    }
                }
            }
            let size = max(1, root["size"]?.int.map { Int($0) } ?? 10)
            let name = root["name"]?.string ?? ""
            return write(counts, type == "count", size, name)
        } catch {
            return Envelope.refused(400, [error.message]).response(caller.trace)
        }
    }

    private func write(_ counts: [String: Int], _ isCount: Bool, _ size: Int, _ name: String) -> ServerResponse {
        let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let shown = isCount ? [("", counts.values.reduce(0, +))] : sorted.prefix(size).map { ($0.key, $0.value) }
        return Envelope().response(caller.trace) { writer in
            writer.beginObject()
            writer.key("name")
            writer.string(name)
            writer.key("buckets")
            writer.beginArray()
            for (label, count) in shown {
                writer.beginObject()
                if !isCount {
                    writer.key("label")
                    writer.string(label)
                }
                writer.key("count")
                writer.int(count)
                writer.endObject()
            }
            writer.endArray()
            writer.key("sum_other_doc_count")
            writer.int(isCount ? 0 : sorted.dropFirst(size).reduce(0) { $0 + $1.value })
            writer.endObject()
        }
    }

    /// The job is never run; its id is all a client gets.
    func report(_ root: JSONElement) -> ServerResponse {
        guard let format = root["report_format"]?.string, ["csv", "json"].contains(format) else {
            return Envelope.refused(400, ["invalid report_format"]).response(caller.trace)
        }
        do throws(Refusal) {
            if let filter = root["search"]?["filter"]?.string, !filter.isEmpty { _ = try FQL(parsing: filter) }
        } catch {
            return Envelope.refused(400, [error.message]).response(caller.trace)
        }
        return Envelope().response(caller.trace) { $0.string(caller.trace) }
    }
}

/// Counting matches reads the whole table, so the counts of the last filters are kept while nothing is written.
struct Totals: Sendable {
    private var version: UInt64 = 0
    private var known: [String: Int] = [:]

    func total(_ filter: String, _ version: UInt64) -> Int? { version == self.version ? known[filter] : nil }

    mutating func keep(_ total: Int, _ filter: String, _ version: UInt64) {
        if version != self.version || known.count > 64 { known = [:] }
        self.version = version
        known[filter] = total
    }
}
