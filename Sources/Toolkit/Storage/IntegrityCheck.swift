// SPDX-License-Identifier: Apache-2.0

import Base
import CSQLite

/// Looks for damage, within bounds.
///
/// Always, and cheap: the header, the schema and both ends of every table are read, pages are checked as they are used
/// (`cell_size_check`), and any later read that meets a damaged page fails as ``StorageError/corrupt(path:reason:)``.
/// SQLite's own `quick_check` reads every page (some 0.5 s per 100 MB): it runs on small files, and on larger ones after
/// the last owner was killed, table by table, the small and precious ones first, until its time is up.
struct IntegrityCheck {
    let database: SQLiteDatabase
    let options: SQLiteOptions

    /// - Returns: what was checked, for ``SQLiteStore/facts()``.
    /// - Throws: ``StorageError/corrupt(path:reason:)`` with SQLite's first finding.
    func atStart(ownerWasKilled: Bool) throws(StorageError) -> String {
        let tables = try tablesBySize()
        for table in tables {
            for end in ["ASC", "DESC"] { _ = try database.text("SELECT * FROM \(table) ORDER BY 1 \(end) LIMIT 1") }
        }
        let pages = try database.integer("PRAGMA page_count")
        let isSmall = pages * 4096 <= options.smallFileBytes
        guard isSmall || ownerWasKilled else { return "schema and ends of tables" }
        let unchecked = try quickCheck(tables, within: isSmall ? nil : options.integrityBudget)
        return unchecked.isEmpty ? "every table" : "all but \(unchecked.joined(separator: ", "))"
    }

    /// Checks tables with their indexes, in order.
    ///
    /// - Returns: the tables that the time did not suffice for.
    func quickCheck(_ tables: [String], within budget: Duration?) throws(StorageError) -> [String] {
        let alarm = budget.map { Alarm(deadline: .after($0, on: options.time), time: options.time) }
        if let alarm {
            let context = Unmanaged.passUnretained(alarm).toOpaque()
            sqlite3_progress_handler(
                database.handle, 20_000,
                { context in
                    guard let context else { return 0 }
                    return Unmanaged<Alarm>.fromOpaque(context).takeUnretainedValue().hasRung ? 1 : 0
                }, context)
        }
        defer { sqlite3_progress_handler(database.handle, 0, nil, nil) }
        return try withExtendedLifetime(alarm) { () throws(StorageError) in
            for (index, table) in tables.enumerated() {
                if let alarm, alarm.hasRung { return Array(tables[index...]) }
                let finding: String?
                do throws(StorageError) {
                    finding = try database.text("PRAGMA quick_check('\(table)')")
                } catch {
                    if let alarm, alarm.hasRung { return Array(tables[index...]) }
                    throw error
                }
                if let finding, finding != "ok" { throw .corrupt(path: database.path, reason: finding) }
            }
            return []
        }
    }

    /// The tables, the ones that grow large last.
    func tablesBySize() throws(StorageError) -> [String] {
        let large = ["dead_letter", "history", "pointer_recent", "entry", "pointer_folded", "owner"]
        let list = try database.statement("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        let all = try list.rows { $0.text(0) }.filter { !$0.hasPrefix("sqlite_") }
        return all.filter { !large.contains($0) } + large.filter { all.contains($0) }
    }

    /// Reached by SQLite through a pointer, on the connection's own thread.
    private final class Alarm {
        let deadline: Deadline
        let time: any TimeSource
        init(deadline: Deadline, time: any TimeSource) {
            self.deadline = deadline
            self.time = time
        }
        var hasRung: Bool { deadline.hasPassed(on: time) }
    }
}
