// SPDX-License-Identifier: Apache-2.0

import Base
import CSQLite

#if canImport(Glibc)
    import Glibc
#endif

/// One SQLite connection with its prepared statements. It blocks and is not thread-safe: it stays on its owner's thread.
final class SQLiteDatabase {
    let path: String
    let handle: OpaquePointer
    /// Milliseconds.
    let busyTimeout: Int32
    private var statements: [String: SQLiteStatement] = [:]

    /// - Parameter flags: `SQLITE_OPEN_…`; the connection is always opened without SQLite's own mutex.
    init(path: String, flags: Int32, busyTimeout: Duration) throws(StorageError) {
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard let opened, code == SQLITE_OK else {
            let reason = opened.map { Self.message(of: $0) } ?? "out of memory"
            sqlite3_close_v2(opened)
            throw .cannotOpen(path: path, reason: reason)
        }
        self.path = path
        handle = opened
        self.busyTimeout = Int32(clamping: busyTimeout.milliseconds)
        sqlite3_busy_timeout(handle, self.busyTimeout)
    }

    deinit {
        statements = [:]
        sqlite3_close_v2(handle)
    }

    /// The prepared form of `sql`, kept for the connection's life. Ask once a call, not once a row.
    func statement(_ sql: String) throws(StorageError) -> SQLiteStatement {
        if let known = statements[sql] { return known }
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared else { throw failure(code) }
        let statement = SQLiteStatement(prepared, of: self)
        statements[sql] = statement
        return statement
    }

    /// Runs one or several statements without parameters, for schema and settings.
    func execute(_ sql: String) throws(StorageError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code) }
    }

    /// The first column of the first row of a `PRAGMA` or a query without parameters, as text; `nil` without rows.
    func text(_ sql: String) throws(StorageError) -> String? {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v2(handle, sql, -1, &prepared, nil)
        guard code == SQLITE_OK, let prepared else { throw failure(code) }
        let statement = SQLiteStatement(prepared, of: self)
        var first: String?
        try statement.forEachRow { row in if first == nil { first = row.text(0) } }
        return first
    }

    func integer(_ sql: String) throws(StorageError) -> Int64 { Int64(try text(sql) ?? "") ?? 0 }

    /// Rows that the last finished statement inserted, changed or deleted.
    var changes: Int { Int(sqlite3_changes64(handle)) }
    var lastInsertedID: Int64 { sqlite3_last_insert_rowid(handle) }

    /// One write transaction: all of `body`, durable when this returns, or nothing of it.
    func transaction<Result>(_ body: () throws(StorageError) -> Result) throws(StorageError) -> Result {
        try inTransaction("BEGIN IMMEDIATE", body)
    }

    /// One consistent view of the whole database for several queries.
    func snapshot<Result>(_ body: () throws(StorageError) -> Result) throws(StorageError) -> Result {
        try inTransaction("BEGIN", body)
    }

    private func inTransaction<Result>(
        _ begin: String, _ body: () throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        try statement(begin).run()
        do throws(StorageError) {
            let result = try body()
            try statement("COMMIT").run()
            return result
        } catch {
            // SQLite has rolled back by itself after some errors (disk full). What a rollback could report is less than
            // the error at hand, and the next BEGIN would show it.
            if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
            throw error
        }
    }

    /// What a result code means to the operator.
    func failure(_ code: Int32) -> StorageError {
        let systemError = sqlite3_system_errno(handle)
        let reason = Self.message(of: handle)
        switch code & 0xff {
        case SQLITE_FULL: return .full(path: path)
        case SQLITE_IOERR where systemError == ENOSPC || systemError == EDQUOT: return .full(path: path)
        case SQLITE_CORRUPT, SQLITE_NOTADB: return .corrupt(path: path, reason: reason)
        // SQLITE_IOERR_CORRUPTFS, a macro that Swift does not import.
        case SQLITE_IOERR where code == SQLITE_IOERR | (33 << 8): return .corrupt(path: path, reason: reason)
        case SQLITE_BUSY, SQLITE_LOCKED: return .busy(path: path)
        case SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM: return .cannotOpen(path: path, reason: reason)
        default:
            let detail = systemError == 0 ? "" : ", \(Self.text(ofErrno: systemError))"
            return .failed(reason: "\(path): \(reason) (SQLite \(code)\(detail))")
        }
    }

    private static func message(of handle: OpaquePointer) -> String {
        let message = sqlite3_errmsg(handle).map { String(cString: $0) } ?? "unknown error"
        let systemError = sqlite3_system_errno(handle)
        return systemError == 0 || sqlite3_errcode(handle) & 0xff != SQLITE_CANTOPEN
            ? message : "\(message), \(text(ofErrno: systemError))"
    }

    static func text(ofErrno code: Int32) -> String { strerror(code).map { String(cString: $0) } ?? "errno \(code)" }
}
