// SPDX-License-Identifier: Apache-2.0

import CSQLite
import Testing

/// Another program at the same file: what `sqlite3` on the command line would do.
final class RawConnection {
    private let handle: OpaquePointer

    init(_ file: String) throws {
        var opened: OpaquePointer?
        try #require(sqlite3_open(file, &opened) == SQLITE_OK)
        handle = try #require(opened)
    }

    deinit { sqlite3_close_v2(handle) }

    func execute(_ sql: String) throws {
        var message: UnsafeMutablePointer<CChar>?
        let code = sqlite3_exec(handle, sql, nil, nil, &message)
        let text = message.map { String(cString: $0) } ?? ""
        sqlite3_free(message)
        try #require(code == SQLITE_OK, "\(text)")
    }

    /// The first column of the first row.
    func text(_ sql: String) throws -> String? {
        var prepared: OpaquePointer?
        try #require(sqlite3_prepare_v2(handle, sql, -1, &prepared, nil) == SQLITE_OK)
        defer { sqlite3_finalize(prepared) }
        guard sqlite3_step(prepared) == SQLITE_ROW else { return nil }
        return sqlite3_column_text(prepared, 0).map { String(cString: $0) }
    }
}
