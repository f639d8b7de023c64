// SPDX-License-Identifier: Apache-2.0

import CSQLite

/// The tables of the state file and how older files become today's. `docs/reference/state.md` explains each table.
struct Schema {
    /// Step `n` (from 0) turns schema `n` into `n + 1`; the count of steps is the version this program writes.
    /// A step that has been released is never edited again.
    let steps: [String]

    var version: Int { steps.count }

    /// Marks the file as ours in its header (`PRAGMA application_id`): “SALY”.
    static let applicationID: Int64 = 0x5341_4C59

    static let current = Schema(steps: [first])

    /// Brings the database to this version in one transaction.
    ///
    /// - Parameter mayWrite: `false` for a connection that only looks: an older file is then refused.
    func apply(to database: SQLiteDatabase, mayWrite: Bool) throws(StorageError) {
        let found = try check(database)
        if found == version { return }
        guard mayWrite else {
            let reason =
                found == 0
                ? "it is empty" : "it has schema \(found), this Sallyport needs \(version); start the service once"
            throw .cannotOpen(path: database.path, reason: reason)
        }
        try database.transaction { () throws(StorageError) in
            for step in steps[found...] { try database.execute(step) }
            try database.execute("PRAGMA application_id = \(Self.applicationID); PRAGMA user_version = \(version)")
        }
    }

    /// The file's version; 0 for an empty one. Refuses files of other programs and of newer versions.
    private func check(_ database: SQLiteDatabase) throws(StorageError) -> Int {
        let found = Int(try database.integer("PRAGMA user_version"))
        let owner = try database.integer("PRAGMA application_id")
        let tables = try database.integer("SELECT count(*) FROM sqlite_schema")
        guard owner == Self.applicationID || (owner == 0 && found == 0 && tables == 0) else {
            throw .cannotOpen(path: database.path, reason: "it is the database of another program")
        }
        guard found <= version else {
            throw .newerSchema(path: database.path, found: found, known: version)
        }
        return found
    }

    private static let first = """
        CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
        INSERT INTO meta VALUES ('instance', randomblob(16)), ('dead_letters_evicted', 0);

        CREATE TABLE name (
            id INTEGER PRIMARY KEY, space INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (space, name)
        ) STRICT;

        CREATE TABLE checkpoint (
            flow INTEGER NOT NULL, partition TEXT NOT NULL, position BLOB NOT NULL, PRIMARY KEY (flow, partition)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE value (
            flow INTEGER NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (flow, name)
        ) STRICT, WITHOUT ROWID;

        -- The ledger. Rows of entry and owner append; only the pointers are in random order.
        CREATE TABLE entry (
            id INTEGER PRIMARY KEY, target INTEGER NOT NULL, key BLOB NOT NULL,
            remote_id ANY NOT NULL, digest BLOB NOT NULL, state INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE owner (
            entry INTEGER NOT NULL, flow INTEGER NOT NULL, source BLOB NOT NULL,
            event INTEGER NOT NULL, generation INTEGER NOT NULL, contribution BLOB NOT NULL,
            PRIMARY KEY (entry, flow, source)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE pointer_recent (
            digest BLOB NOT NULL, kind INTEGER NOT NULL, scope INTEGER NOT NULL, entry INTEGER NOT NULL,
            PRIMARY KEY (digest, kind, scope, entry)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE pointer_folded (
            digest BLOB NOT NULL, kind INTEGER NOT NULL, scope INTEGER NOT NULL, entry INTEGER NOT NULL,
            PRIMARY KEY (digest, kind, scope, entry)
        ) STRICT, WITHOUT ROWID;
        CREATE VIEW pointer AS SELECT * FROM pointer_recent UNION ALL SELECT * FROM pointer_folded;

        CREATE TABLE job (
            runner TEXT NOT NULL, id TEXT NOT NULL, flow INTEGER NOT NULL, step TEXT NOT NULL, due INTEGER NOT NULL,
            attempts INTEGER NOT NULL, created INTEGER NOT NULL, payload BLOB NOT NULL, UNIQUE (runner, id)
        ) STRICT;
        CREATE INDEX job_due ON job (runner, due);

        CREATE TABLE act (
            id TEXT PRIMARY KEY, flow INTEGER NOT NULL, kind TEXT NOT NULL, intended INTEGER NOT NULL,
            outcome TEXT, detail TEXT, finished INTEGER, payload BLOB NOT NULL
        ) STRICT;
        CREATE INDEX act_open ON act (flow) WHERE outcome IS NULL;

        CREATE TABLE attempt (
            flow INTEGER NOT NULL, message BLOB NOT NULL, count INTEGER NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (flow, message)
        ) STRICT, WITHOUT ROWID;

        -- Append-only and without index: `explain` scans it, a commit must not pay for that.
        CREATE TABLE history (
            id INTEGER PRIMARY KEY, at INTEGER NOT NULL, flow INTEGER NOT NULL, source BLOB NOT NULL, key BLOB,
            position TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, remote_id ANY NOT NULL
        ) STRICT;

        -- AUTOINCREMENT: an id shown to a person never names another letter later.
        CREATE TABLE dead_letter (
            id INTEGER PRIMARY KEY AUTOINCREMENT, flow INTEGER NOT NULL, source BLOB NOT NULL,
            fingerprint BLOB NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL, position TEXT NOT NULL,
            attempts INTEGER NOT NULL, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,
            retry INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL, input BLOB NOT NULL, UNIQUE (flow, fingerprint)
        ) STRICT;
        CREATE INDEX dead_letter_retry ON dead_letter (id) WHERE retry = 1;
        -- Kept by triggers so that it is also right after another process has removed letters.
        CREATE TABLE dead_letter_usage (rows INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
        INSERT INTO dead_letter_usage VALUES (0, 0);
        CREATE TRIGGER dead_letter_added AFTER INSERT ON dead_letter BEGIN
            UPDATE dead_letter_usage SET rows = rows + 1, bytes = bytes + new.size;
        END;
        CREATE TRIGGER dead_letter_removed AFTER DELETE ON dead_letter BEGIN
            UPDATE dead_letter_usage SET rows = rows - 1, bytes = bytes - old.size;
        END;
        CREATE TRIGGER dead_letter_changed AFTER UPDATE OF size ON dead_letter BEGIN
            UPDATE dead_letter_usage SET bytes = bytes - old.size + new.size;
        END;

        CREATE TABLE lease (
            name TEXT PRIMARY KEY, holder TEXT NOT NULL, expires INTEGER NOT NULL, token INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
