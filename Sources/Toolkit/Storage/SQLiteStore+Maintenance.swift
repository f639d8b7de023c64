// SPDX-License-Identifier: Apache-2.0

public import Base
import CSQLite

extension SQLiteStore {
    /// Removes at most 200,000 rows a call, in small transactions between which others get their turn.
    public func maintain(now: Instant) async throws(StorageError) {
        try forgetOld(now: now)
        let last = try lastHistoryToRemove(now: now)
        var rounds = 0
        while rounds < 20, try removeHistory(upTo: last, atMost: 10_000) {
            rounds += 1
            await Task.yield()
        }
        try connected().foldLog()
    }

    private func forgetOld(now: Instant) throws(StorageError) {
        let database = try writable()
        try database.transaction { () throws(StorageError) in
            let attempts = try database.statement("DELETE FROM attempt WHERE at < ?1")
            attempts.bind(1, now.advanced(by: .zero - options.attemptAge))
            try attempts.run()
            let acts = try database.statement("DELETE FROM act WHERE finished < ?1")
            acts.bind(1, now.advanced(by: .zero - options.actAge))
            try acts.run()
        }
    }

    /// Ids have no holes, since rows go from the oldest end only: their range is their count.
    private func lastHistoryToRemove(now: Instant) throws(StorageError) -> Int64 {
        let database = try database
        let newest = try database.integer("SELECT max(id) FROM history")
        // The first row that is young enough: what comes before it is too old, or about as old.
        let young = try database.statement("SELECT id FROM history WHERE at >= ?1 ORDER BY id LIMIT 1")
        young.bind(1, now.advanced(by: .zero - options.historyAge))
        let firstYoung = try young.first { $0.integer(0) } ?? newest + 1
        return max(firstYoung - 1, newest - Int64(options.historyRows))
    }

    /// - Returns: whether there may be more.
    private func removeHistory(upTo last: Int64, atMost count: Int64) throws(StorageError) -> Bool {
        let database = try writable()
        let oldest = try database.integer("SELECT min(id) FROM history")
        guard oldest > 0, oldest <= last else { return false }
        try database.transaction { () throws(StorageError) in
            let remove = try database.statement("DELETE FROM history WHERE id <= ?1")
            remove.bind(1, min(last, oldest + count - 1))
            try remove.run()
        }
        return oldest + count <= last
    }

    /// Reads every page (about 5 s per million keys) and compares the ledger's pointers with its rows. For `sallyport check` and
    /// after a restore; an owner that does it lets its flows wait.
    ///
    /// - Throws: ``StorageError/corrupt(path:reason:)`` with the first finding.
    public func checkIntegrity() throws(StorageError) {
        let database = try database
        let check = IntegrityCheck(database: database, options: options)
        _ = try check.quickCheck(try check.tablesBySize(), within: nil)
        try database.snapshot { () throws(StorageError) in
            for (query, finding) in Self.contradictions {
                guard let row = try database.text(query) else { continue }
                throw .corrupt(path: path, reason: "\(finding) (entry \(row))")
            }
        }
    }

    private static let contradictions = [
        (
            "SELECT entry FROM owner WHERE NOT EXISTS (SELECT 1 FROM entry WHERE id = owner.entry) LIMIT 1",
            "an owner has no entry"
        ),
        (
            """
            SELECT id FROM entry WHERE 1 != (SELECT count(*) FROM pointer
                WHERE digest = entry.key AND kind = 1 AND scope = entry.target AND entry = entry.id) LIMIT 1
            """,
            "an entry is not found by its key"
        ),
        (
            """
            SELECT entry FROM owner WHERE 1 != (SELECT count(*) FROM pointer
                WHERE digest = owner.source AND kind = 2 AND scope = owner.flow AND entry = owner.entry) LIMIT 1
            """,
            "an owner is not found by its source"
        ),
        (
            """
            SELECT (SELECT count(*) FROM pointer) WHERE (SELECT count(*) FROM pointer)
                != (SELECT count(*) FROM entry) + (SELECT count(*) FROM owner)
            """,
            "there are more pointers than rows"
        ),
    ]

    /// Random, made with the file: tells installations apart.
    public func instanceID() throws(StorageError) -> Digest128 {
        let read = try database.statement("SELECT value FROM meta WHERE name = 'instance'")
        guard let id = try read.first({ row throws(StorageError) in try row.digest(0) }) else {
            throw .corrupt(path: path, reason: "it has no instance id")
        }
        return id
    }

    public func facts() throws(StorageError) -> [String: String] {
        let connection = try connected()
        let database = connection.database
        var facts = [
            "path": path, "mode": mode.rawValue, "integrity": connection.integrity,
            "sqlite": String(cString: sqlite3_libversion()), "instance": try instanceID().description,
            "file_bytes": String(SQLiteStore.Connection.size(ofFile: path)),
            "log_bytes": String(SQLiteStore.Connection.size(ofFile: path + "-wal")),
        ]
        for pragma in [
            "user_version", "journal_mode", "synchronous", "page_size", "page_count", "freelist_count", "cache_size",
            "temp_store", "mmap_size", "wal_autocheckpoint",
        ] {
            facts[pragma] = try database.text("PRAGMA \(pragma)") ?? "0"
        }
        let usage = try DeadLetters(database).usage()
        facts["dead_letters"] = String(usage.rows)
        facts["dead_letter_bytes"] = String(usage.bytes)
        facts["dead_letters_evicted"] = try database.text("SELECT value FROM meta WHERE name = 'dead_letters_evicted'")
        facts["history_rows"] = try database.text("SELECT ifnull(max(id) - min(id) + 1, 0) FROM history")
        return facts
    }
}

extension SQLiteStore {
    /// Writes a consistent copy to another file, also while the service runs.
    ///
    /// - Parameter path: a file that does not exist yet.
    public func copy(to path: String) throws(StorageError) {
        let quoted = path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
        try connected().database.execute("VACUUM INTO '\(quoted)'")
    }
}
