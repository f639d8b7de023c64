// SPDX-License-Identifier: Apache-2.0

import Base
import CSQLite

/// A prepared statement: bind the parameters (numbered from 1), then ``run()`` or read rows (columns from 0).
///
/// Every way to run it ends with a reset, also after an error, so that no read transaction stays open behind it.
final class SQLiteStatement {
    private let handle: OpaquePointer
    /// Unowned: the database keeps its statements, and nobody keeps a statement longer than a call.
    private unowned let database: SQLiteDatabase
    private var bindFailure = SQLITE_OK

    init(_ handle: OpaquePointer, of database: SQLiteDatabase) {
        self.handle = handle
        self.database = database
    }

    deinit { sqlite3_finalize(handle) }

    // MARK: Parameters. A failure (out of memory, wrong number) is kept and thrown by the run.

    func bind(_ index: Int32, _ value: Int64) { note(sqlite3_bind_int64(handle, index, value)) }
    func bind(_ index: Int32, _ value: Int) { bind(index, Int64(value)) }
    func bind(_ index: Int32, _ value: Instant) { bind(index, value.milliseconds) }
    func bind(_ index: Int32, _ value: Digest128) {
        note(sp_sqlite3_bind_halves(handle, index, value.high, value.low))
    }
    func bindNull(_ index: Int32) { note(sqlite3_bind_null(handle, index)) }

    func bind(_ index: Int32, _ value: [UInt8]) {
        value.withUnsafeBytes { note(sp_sqlite3_bind_blob(handle, index, $0.baseAddress, Int32(clamping: $0.count))) }
    }

    func bind(_ index: Int32, _ value: String) {
        var value = value
        value.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) {
                note(sp_sqlite3_bind_text(handle, index, $0.baseAddress, Int32(clamping: $0.count)))
            }
        }
    }

    private func note(_ code: Int32) { if code != SQLITE_OK { bindFailure = code } }

    // MARK: Running

    /// Runs to the end; rows are not looked at.
    func run() throws(StorageError) {
        defer { sqlite3_reset(handle) }
        while try step() {}
    }

    /// Reads the first row only.
    func first<Result>(
        _ read: (SQLiteStatement) throws(StorageError) -> Result
    ) throws(StorageError) -> Result? {
        defer { sqlite3_reset(handle) }
        return try step() ? try read(self) : nil
    }

    func forEachRow(_ body: (SQLiteStatement) throws(StorageError) -> Void) throws(StorageError) {
        defer { sqlite3_reset(handle) }
        while try step() { try body(self) }
    }

    /// Reads rows until `body` says `false`.
    func whileRow(_ body: (SQLiteStatement) throws(StorageError) -> Bool) throws(StorageError) {
        defer { sqlite3_reset(handle) }
        while try step() { guard try body(self) else { return } }
    }

    func rows<Element>(
        _ read: (SQLiteStatement) throws(StorageError) -> Element
    ) throws(StorageError) -> [Element] {
        var all: [Element] = []
        try forEachRow { row throws(StorageError) in all.append(try read(row)) }
        return all
    }

    private func step() throws(StorageError) -> Bool {
        guard bindFailure == SQLITE_OK else {
            defer { bindFailure = SQLITE_OK }
            throw database.failure(bindFailure)
        }
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw database.failure(code)
        }
    }

    // MARK: Columns of the current row

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func instant(_ column: Int32) -> Instant { Instant(milliseconds: integer(column)) }

    func text(_ column: Int32) -> String {
        guard let utf8 = sqlite3_column_text(handle, column) else { return "" }
        let count = Int(sqlite3_column_bytes(handle, column))
        return String(decoding: UnsafeBufferPointer(start: utf8, count: count), as: UTF8.self)
    }

    func bytes(_ column: Int32) -> [UInt8] { withBytes(column) { Array($0) } }

    /// The column's bytes in place, valid inside `body` only.
    func withBytes<Result>(_ column: Int32, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let start = sqlite3_column_blob(handle, column)
        return body(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
    }

    func digest(_ column: Int32) throws(StorageError) -> Digest128 {
        let digest = withBytes(column) { $0.count == 16 ? Digest128(bytes: $0) : nil }
        guard let digest else { throw unreadable(column, "16 bytes") }
        return digest
    }

    func isBlob(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_BLOB }

    /// A value that no version of this program has written.
    func unreadable(_ column: Int32, _ expected: String) -> StorageError {
        let name = sqlite3_column_name(handle, column).map { String(cString: $0) } ?? "\(column)"
        return .corrupt(path: database.path, reason: "column “\(name)” does not hold \(expected)")
    }
}
