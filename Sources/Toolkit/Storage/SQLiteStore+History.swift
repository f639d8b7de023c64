// SPDX-License-Identifier: Apache-2.0

import Base

extension SQLiteStore {
    /// Records of any of the sources *or* keys; without either, all. Scans backwards, 0.25 s per million rows: a person
    /// asks, not the hot path.
    public func history(_ query: HistoryQuery) throws(StorageError) -> [HistoryRecord] {
        let sources = Set(query.sources)
        let keys = Set(query.keys)
        let wantsAll = sources.isEmpty && keys.isEmpty
        var records: [HistoryRecord] = []
        guard query.limit > 0 else { return records }
        let scan = try database.statement(
            """
            SELECT at, flow, source, key, position, outcome, reason, remote_id FROM history
            WHERE ?1 IS NULL OR flow = ?1 ORDER BY id DESC
            """)
        if let flow = query.flow { scan.bind(1, flow) } else { scan.bindNull(1) }
        try scan.whileRow { row throws(StorageError) in
            let source = try row.digest(2)
            let key = row.isNull(3) ? nil : try row.digest(3)
            if wantsAll || sources.contains(source) || key.map(keys.contains) == true {
                records.append(History.read(row, source: source, key: key))
            }
            return records.count < query.limit
        }
        return records
    }
}

struct History {
    /// Texts are cut to this many characters, so that a bound on rows is a bound on bytes.
    static let maxText = 500

    private let database: SQLiteDatabase

    init(_ database: SQLiteDatabase) { self.database = database }

    func append(_ records: [HistoryRecord]) throws(StorageError) {
        guard !records.isEmpty else { return }
        let insert = try database.statement(
            """
            INSERT INTO history (at, flow, source, key, position, outcome, reason, remote_id)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """)
        for record in records {
            insert.bind(1, record.at)
            insert.bind(2, record.flow)
            insert.bind(3, record.source)
            if let key = record.key { insert.bind(4, key) } else { insert.bindNull(4) }
            insert.bind(5, Self.cut(record.position))
            insert.bind(6, Self.cut(record.outcome))
            insert.bind(7, Self.cut(record.reason))
            RemoteID.bind(Self.cut(record.remoteID), to: insert, at: 8)
            try insert.run()
        }
    }

    static func cut(_ text: String) -> String {
        // Counting bytes is free, characters are not: only a long text is looked at.
        text.utf8.count <= maxText ? text : String(text.prefix(maxText))
    }

    static func read(_ row: SQLiteStatement, source: Digest128, key: Digest128?) -> HistoryRecord {
        HistoryRecord(
            at: row.instant(0), flow: row.integer(1), source: source, key: key, position: row.text(4),
            outcome: row.text(5), reason: row.text(6), remoteID: RemoteID.read(row, 7))
    }
}
