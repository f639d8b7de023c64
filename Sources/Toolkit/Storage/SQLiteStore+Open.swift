// SPDX-License-Identifier: Apache-2.0

import Base
import CSQLite

#if canImport(Glibc)
    import Glibc
#endif

extension SQLiteStore.Connection {
    static let memory = ":memory:"

    static func open(
        path: String, mode: SQLiteStore.Mode, options: SQLiteOptions
    ) throws(StorageError) -> SQLiteStore.Connection {
        guard mode == .owner else { return try openBeside(path: path, mode: mode, options: options) }
        var lock: FileLock?
        var mustCheck = false
        if path != memory {
            try makeFolder(of: path)
            lock = try FileLock(path: path + ".lock", for: path)
            // A log that was not folded is the other sign of an owner that did not close.
            mustCheck = lock?.foundUnclean == true || size(ofFile: path + "-wal") > 0
            try makeFile(path)
        }
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        let database = try SQLiteDatabase(path: path, flags: flags, busyTimeout: options.busyTimeout)
        // Before journal_mode: the first statement that reads decides the page size of a new file.
        try database.execute("PRAGMA page_size = 4096")
        let journal = try database.text("PRAGMA journal_mode = WAL") ?? ""
        guard journal == "wal" || path == memory else {
            throw .cannotOpen(path: path, reason: "its file system can't share memory between processes (WAL)")
        }
        try configure(database, options)
        try database.execute("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = \(options.checkpointPages)")
        try database.execute("PRAGMA journal_size_limit = \(Int64(options.checkpointPages) * 4096)")
        if options.maxPages > 0 { try database.execute("PRAGMA max_page_count = \(options.maxPages)") }
        try options.schema.apply(to: database, mayWrite: true)
        let check = IntegrityCheck(database: database, options: options)
        let integrity = try check.atStart(ownerWasKilled: mustCheck)
        let pointers = try PointerIndex(database, recentLimit: options.recentPointers)
        return Self(database: database, pointers: pointers, lock: lock, integrity: integrity)
    }

    /// Readers and tools: the file exists, its schema is ours, and the service may be using it.
    private static func openBeside(
        path: String, mode: SQLiteStore.Mode, options: SQLiteOptions
    ) throws(StorageError) -> SQLiteStore.Connection {
        guard path != memory else { throw .cannotOpen(path: path, reason: "state in memory has one owner only") }
        let flags = mode == .reader ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE
        let database = try SQLiteDatabase(path: path, flags: flags, busyTimeout: options.busyTimeout)
        try configure(database, options)
        try database.execute("PRAGMA synchronous = FULL")
        try options.schema.apply(to: database, mayWrite: false)
        let pointers = try PointerIndex(database, recentLimit: options.recentPointers)
        return Self(database: database, pointers: pointers, lock: nil, integrity: "not checked")
    }

    private static func configure(_ database: SQLiteDatabase, _ options: SQLiteOptions) throws(StorageError) {
        try database.execute(
            """
            PRAGMA cache_size = -\(options.cacheKiB);
            PRAGMA temp_store = MEMORY;
            PRAGMA mmap_size = 0;
            PRAGMA cell_size_check = ON;
            PRAGMA trusted_schema = OFF;
            """)
    }

    /// Writes the log back into the file and empties it, unless somebody is reading: then a later one will.
    func foldLog() {
        sqlite3_busy_timeout(database.handle, 0)
        sqlite3_wal_checkpoint_v2(database.handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
        sqlite3_busy_timeout(database.handle, database.busyTimeout)
    }

    // MARK: Files

    static func size(ofFile path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    private static func makeFolder(of file: String) throws(StorageError) {
        let parts = file.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        for count in parts.indices {
            let folder = parts[...count].joined(separator: "/")
            if folder.isEmpty || mkdir(folder, 0o700) == 0 { continue }
            let cause = errno
            // A parent may exist and be closed to us; whether that matters shows at the file.
            var status = stat()
            if stat(folder, &status) == 0 { continue }
            throw .cannotOpen(path: file, reason: "folder \(folder): \(SQLiteDatabase.text(ofErrno: cause))")
        }
    }

    /// SQLite would create it with the process's umask; the log files take over the mode of the file. A file that exists
    /// is not even opened: closing it would drop the locks of every other connection of this process (POSIX).
    private static func makeFile(_ path: String) throws(StorageError) {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            if errno == EEXIST { return }
            throw .cannotOpen(path: path, reason: SQLiteDatabase.text(ofErrno: errno))
        }
        Glibc.close(descriptor)
    }
}
