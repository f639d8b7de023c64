// SPDX-License-Identifier: Apache-2.0

import Base

extension SQLiteStore {
    /// In the order of their ids.
    public func deadLetters(_ query: DeadLetterQuery) throws(StorageError) -> [DeadLetter] {
        let ids = Set(query.ids)
        var letters: [DeadLetter] = []
        guard query.limit > 0 else { return letters }
        // Flows ask for marked letters all the time; the index holds only those.
        let marked = "INDEXED BY dead_letter_retry WHERE retry = 1 AND id > ?1"
        let scan = try database.statement(
            """
            SELECT id, flow, source, fingerprint, code, reason, position, attempts, first_seen, last_seen, retry, input
            FROM dead_letter \(query.retryOnly ? marked : "WHERE id > ?1") AND (?2 IS NULL OR flow = ?2) ORDER BY id
            """)
        scan.bind(1, query.after)
        if let flow = query.flow { scan.bind(2, flow) } else { scan.bindNull(2) }
        try scan.whileRow { row throws(StorageError) in
            if ids.isEmpty || ids.contains(row.integer(0)) { letters.append(try DeadLetters.read(row)) }
            return letters.count < query.limit
        }
        return letters
    }

    public func countDeadLetters(flow: Int64?) throws(StorageError) -> Int {
        guard let flow else { return Int(try DeadLetters(try database).usage().rows) }
        let count = try database.statement("SELECT count(*) FROM dead_letter WHERE flow = ?1")
        count.bind(1, flow)
        return try count.first { Int($0.integer(0)) } ?? 0
    }

    /// - Returns: how many there were.
    public func removeDeadLetters(ids: [Int64]) throws(StorageError) -> Int {
        try changeDeadLetters(ids, "DELETE FROM dead_letter WHERE id = ?1")
    }

    /// - Returns: how many there are.
    public func markDeadLetters(ids: [Int64], retry: Bool) throws(StorageError) -> Int {
        try changeDeadLetters(ids, "UPDATE dead_letter SET retry = \(retry ? 1 : 0) WHERE id = ?1")
    }

    private func changeDeadLetters(_ ids: [Int64], _ query: String) throws(StorageError) -> Int {
        let database = try writable(allowing: [.owner, .tool])
        return try database.transaction { () throws(StorageError) in
            let change = try database.statement(query)
            var count = 0
            for id in ids {
                change.bind(1, id)
                try change.run()
                count += database.changes
            }
            return count
        }
    }
}

struct DeadLetters {
    private let database: SQLiteDatabase

    init(_ database: SQLiteDatabase) { self.database = database }

    static func read(_ row: SQLiteStatement) throws(StorageError) -> DeadLetter {
        var letter = DeadLetter(
            flow: row.integer(1), source: try row.digest(2), fingerprint: try row.digest(3), code: row.text(4),
            reason: row.text(5), position: row.text(6), input: row.bytes(11), attempts: Int(row.integer(7)),
            firstSeen: row.instant(8), lastSeen: row.instant(9))
        letter.id = row.integer(0)
        letter.retryRequested = row.integer(10) != 0
        return letter
    }

    /// Adds letters. One with a known fingerprint counts as a further attempt of the first, which takes over its reason
    /// and input and loses its mark for another try.
    func add(_ letters: [DeadLetter], _ options: SQLiteOptions) throws(StorageError) {
        guard !letters.isEmpty else { return }
        let add = try database.statement(Self.add)
        for letter in letters {
            add.bind(1, letter.flow)
            add.bind(2, letter.source)
            add.bind(3, letter.fingerprint)
            add.bind(4, letter.code)
            add.bind(5, letter.reason)
            add.bind(6, letter.position)
            add.bind(7, letter.attempts)
            add.bind(8, letter.firstSeen)
            add.bind(9, letter.lastSeen)
            add.bind(10, letter.input.count)
            add.bind(11, letter.input)
            try add.run()
        }
        try evict(rows: options.deadLetterRows, bytes: options.deadLetterBytes)
    }

    func usage() throws(StorageError) -> (rows: Int64, bytes: Int64) {
        let usage = try database.statement("SELECT rows, bytes FROM dead_letter_usage")
        return try usage.first { ($0.integer(0), $0.integer(1)) } ?? (0, 0)
    }

    /// Removes the oldest letters beyond the caps, never the newest, and keeps count of them.
    private func evict(rows: Int, bytes: Int) throws(StorageError) {
        var (rowsLeft, bytesLeft) = try usage()
        guard rowsLeft > rows || bytesLeft > bytes else { return }
        var last: Int64 = 0
        var evicted = 0
        let oldest = try database.statement("SELECT id, size FROM dead_letter ORDER BY id")
        try oldest.whileRow { row in
            guard rowsLeft > 1, rowsLeft > rows || bytesLeft > bytes else { return false }
            last = row.integer(0)
            rowsLeft -= 1
            bytesLeft -= row.integer(1)
            evicted += 1
            return true
        }
        let remove = try database.statement("DELETE FROM dead_letter WHERE id <= ?1")
        remove.bind(1, last)
        try remove.run()
        let count = try database.statement("UPDATE meta SET value = value + ?1 WHERE name = 'dead_letters_evicted'")
        count.bind(1, evicted)
        try count.run()
    }

    private static let add = """
        INSERT INTO dead_letter
            (flow, source, fingerprint, code, reason, position, attempts, first_seen, last_seen, size, input)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
        ON CONFLICT (flow, fingerprint) DO UPDATE SET
            source = excluded.source, code = excluded.code, reason = excluded.reason, position = excluded.position,
            attempts = attempts + 1, last_seen = max(last_seen, excluded.last_seen), retry = 0,
            size = excluded.size, input = excluded.input
        """
}
