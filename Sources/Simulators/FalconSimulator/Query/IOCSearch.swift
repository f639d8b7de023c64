// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// One page of a search (Falcon API, 3): what was asked, and how the service pages.
struct IOCSearch {
    static let maxLimit = 2000
    static let maxWindow = 10_000

    let filter: FQL?
    let filterText: String
    let limit: Int
    let offset: Int
    let after: Cursor?
    let sort: (property: String, isDescending: Bool)?

    /// Where a page ended: the last row, and its sort key. Base64 of a JSON array, opaque to clients.
    struct Cursor: Equatable {
        let key: String
        let row: Int
    }

    struct Page {
        /// Row numbers to show; those deleted are left out unless the filter names them.
        var rows: [Int] = []
        /// Matches, deleted ones counted, whatever the filter says of them.
        var total = 0
        var offset = 0
        var after: String?
    }

    /// Rows of the whole page in order, with their keys, from `first` on.
    func page(of table: IOCTable, now: Int64, total known: Int?) -> Page {
        let matcher = FQLMatcher(filter, table, now: now)
        var page = Page()
        var hits: [(key: String, row: Int)] = []
        if sort == nil, matcher.wantedValues == nil {
            let start = after.map { $0.row + 1 } ?? 0
            var skipped = 0
            var number = start
            while number < table.rows.count, hits.count < limit {
                if matcher.matches(number, in: table) {
                    if skipped < offset { skipped += 1 } else { hits.append(("", number)) }
                }
                number += 1
            }
            page.total = known ?? (0..<table.rows.count).count { matcher.matches($0, in: table) }
        } else {
            var all = candidates(matcher, table).filter { matcher.matches($0, in: table) }.map { row in
                (key: sort.map { key($0.property, row, table, now) } ?? "", row: row)
            }
            let isDescending = sort?.isDescending ?? false
            func precedes(_ left: (key: String, row: Int), _ right: (key: String, row: Int)) -> Bool {
                left.key != right.key ? (left.key < right.key) != isDescending : left.row < right.row
            }
            all.sort(by: precedes)
            page.total = all.count
            let rest =
                after.map { cursor in all.drop { !precedes((cursor.key, cursor.row), $0) } } ?? all.dropFirst(offset)
            hits = Array(rest.prefix(limit))
        }
        page.offset = offset + hits.count
        // The last page carries a cursor too, and so does the empty one behind it.
        page.after = hits.last.map { Self.encode(Cursor(key: $0.key, row: $0.row)) } ?? after.map { Self.encode($0) }
        page.rows = hits.map(\.row).filter { matcher.namesDeleted || !table.rows[$0].isDeleted }
        return page
    }

    /// Every match, for `filter` in updates and deletes: live ones only.
    static func liveMatches(_ filter: FQL, in table: IOCTable, now: Int64) -> [Int] {
        let matcher = FQLMatcher(filter, table, now: now)
        return (0..<table.rows.count).filter { !table.rows[$0].isDeleted && matcher.matches($0, in: table) }
    }

    private func candidates(_ matcher: FQLMatcher, _ table: IOCTable) -> [Int] {
        guard let values = matcher.wantedValues else { return Array(0..<table.rows.count) }
        return Set(values.flatMap { table.rows(ofValue: $0) }).sorted()
    }

    // Keys sort as text: numbers padded, unset first.
    private func key(_ property: String, _ row: Int, _ table: IOCTable, _ now: Int64) -> String {
        switch IOCProperty.values(property, of: row, in: table, now: now).first {
        case .number(let number)?:
            let digits = String(UInt64(bitPattern: number) ^ 1 << 63)
            return String(repeating: "0", count: 20 - digits.count) + digits
        case .text(let text)?: return text.lowercased()
        case nil: return ""
        }
    }
}

extension IOCSearch {
    init(_ query: (String) -> String?) throws(Refusal) {
        filterText = query("filter") ?? ""
        filter = filterText.isEmpty ? nil : try FQL(parsing: filterText)
        limit = try Self.number("limit", query, default: 100)
        guard (1...Self.maxLimit).contains(limit) else {
            throw Refusal("invalid limit: \(limit), must be between 1 and \(Self.maxLimit)")
        }
        offset = try Self.number("offset", query, default: 0)
        if let text = query("after"), !text.isEmpty {
            guard query("offset") == nil else { throw Refusal("offset and after are mutually exclusive") }
            guard let cursor = Self.decode(text) else { throw Refusal("invalid after token") }
            after = cursor
        } else {
            after = nil
        }
        guard offset + limit <= Self.maxWindow else { throw Refusal("limit + offset must be less than 10000") }
        guard let text = query("sort"), !text.isEmpty else {
            sort = nil
            return
        }
        var property = text
        var isDescending = false
        for (suffix, descends) in [(".asc", false), (".desc", true), ("|asc", false), ("|desc", true)]
        where text.hasSuffix(suffix) {
            property = String(text.dropLast(suffix.count))
            isDescending = descends
        }
        guard IOCProperty.sortable.contains(property) else { throw Refusal("invalid sort: '\(text)'") }
        sort = (property, isDescending)
    }

    private static func number(_ name: String, _ query: (String) -> String?, default: Int) throws(Refusal) -> Int {
        guard let text = query(name), !text.isEmpty else { return `default` }
        guard let number = Int(text), number >= 0 else { throw Refusal("invalid \(name): '\(text)'") }
        return number
    }

    static func encode(_ cursor: Cursor) -> String {
        let value: JSONValue = [.string(cursor.key), .int(cursor.row)]
        return "Wz" + Hex.encode(value.bytes)
    }

    static func decode(_ text: String) -> Cursor? {
        guard text.hasPrefix("Wz"), let bytes = Hex.decode(text.dropFirst(2)),
            let value = try? JSONValue(parsing: bytes),
            let key = value[0]?.string, let row = value[1]?.int
        else { return nil }
        return Cursor(key: key, row: Int(row))
    }
}
