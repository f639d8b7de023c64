// SPDX-License-Identifier: Apache-2.0

import Base
import CSQLite

/// Where the ledger finds the entries of a key or of a source: digest → entry id.
///
/// Digests arrive in random order. Put straight into one large B-tree, each touches a page of its own, and a commit of
/// 5,000 keys into a ledger of a million rewrites 8,000 pages. So new pointers go to a small tree that stays in the
/// cache (`pointer_recent`), and every commit moves about as many as it has added, *neighbours*, to the large one
/// (`pointer_folded`), which is then changed densely: a quarter of the bytes written, three times the speed at a million
/// (docs/decisions/0005-ledger-pointers.md). A reader asks both.
final class PointerIndex {
    enum Kind: Int64 {
        /// A key at a target; the scope is the target.
        case key = 1
        /// A source (owner) of a flow; the scope is the flow.
        case source = 2
    }

    struct Pointer {
        var digest: Digest128
        var kind: Kind
        var scope: Int64
        var entry: Int64
    }

    private let database: SQLiteDatabase
    private let recentLimit: Int
    private let find: [SQLiteStatement]
    private let remove: [SQLiteStatement]
    private let insert: SQLiteStatement
    /// Rows of the small tree, removals left out; `nil` until counted, and after a rollback.
    private var recentCount: Int?
    /// Folding goes round in digest order; this is where the last round ended.
    private var foldedUpTo = Digest128(high: 0, low: 0)

    /// - Parameter recentLimit: pointers left in the small tree, about 43 bytes of page cache each.
    init(_ database: SQLiteDatabase, recentLimit: Int) throws(StorageError) {
        self.database = database
        self.recentLimit = max(1, recentLimit)
        let isIt = "digest = ?1 AND kind = ?2 AND scope = ?3"
        find = [
            try database.statement("SELECT entry FROM pointer_recent WHERE \(isIt)"),
            try database.statement("SELECT entry FROM pointer_folded WHERE \(isIt)"),
        ]
        remove = [
            try database.statement("DELETE FROM pointer_recent WHERE \(isIt) AND entry = ?4"),
            try database.statement("DELETE FROM pointer_folded WHERE \(isIt) AND entry = ?4"),
        ]
        // OR IGNORE also spares SQLite the statement journal, which would keep a copy of every page in memory.
        insert = try database.statement("INSERT OR IGNORE INTO pointer_recent VALUES (?1, ?2, ?3, ?4)")
    }

    /// The entry of a key; `nil` when it has none.
    func entry(ofKey key: Digest128, target: Int64) throws(StorageError) -> Int64? {
        for find in find {
            find.bind(1, key)
            find.bind(2, Kind.key.rawValue)
            find.bind(3, target)
            if let id = try find.first({ $0.integer(0) }) { return id }
        }
        return nil
    }

    /// The entries of several digests, in ascending order, each once.
    func entries(of digests: [Digest128], kind: Kind, scope: Int64) throws(StorageError) -> [Int64] {
        // Tree by tree and in digest order: a third faster than digest by digest, because neighbours share pages.
        let sorted = digests.sorted()
        var ids: [Int64] = []
        ids.reserveCapacity(digests.count)
        for find in find {
            find.bind(2, kind.rawValue)
            find.bind(3, scope)
            for digest in sorted {
                find.bind(1, digest)
                try find.forEachRow { ids.append($0.integer(0)) }
            }
        }
        ids.sort()
        var last: Int64?
        ids.removeAll { id in
            defer { last = id }
            return id == last
        }
        return ids
    }

    /// Adds pointers that are not there yet and folds the small tree a little. Part of a commit's transaction.
    func insert(_ pointers: [Pointer]) throws(StorageError) {
        guard !pointers.isEmpty else { return }
        if recentCount == nil { recentCount = try countRecent() }
        for pointer in pointers.sorted(by: { $0.digest < $1.digest }) {
            try run(insert, pointer)
        }
        recentCount = recentCount.map { $0 + pointers.count }
        if let recentCount, recentCount > recentLimit {
            // A quarter more than was added, so that the small tree shrinks back to its limit.
            try fold(atLeast: pointers.count + pointers.count / 4 + 16)
        }
    }

    func remove(_ pointer: Pointer) throws(StorageError) {
        for statement in remove {
            try run(statement, pointer)
            if database.changes > 0 { return }
        }
    }

    private func run(_ statement: SQLiteStatement, _ pointer: Pointer) throws(StorageError) {
        statement.bind(1, pointer.digest)
        statement.bind(2, pointer.kind.rawValue)
        statement.bind(3, pointer.scope)
        statement.bind(4, pointer.entry)
        try statement.run()
    }

    /// What was counted in a transaction that did not happen is void.
    func forgetCount() { recentCount = nil }

    private func countRecent() throws(StorageError) -> Int {
        try database.statement("SELECT count(*) FROM pointer_recent").first { Int($0.integer(0)) } ?? 0
    }

    /// Moves the next pointers in digest order, `wanted` of them or up to the end of the tree.
    private func fold(atLeast wanted: Int) throws(StorageError) {
        let seek = try database.statement(Self.seekFoldEnd)
        seek.bind(1, foldedUpTo)
        seek.bind(2, wanted)
        let end = try seek.first { row throws(StorageError) in try row.digest(0) }
        let last = end ?? Digest128(high: .max, low: .max)
        for query in [Self.fold, Self.clearFolded] {
            let statement = try database.statement(query)
            statement.bind(1, foldedUpTo)
            statement.bind(2, last)
            try statement.run()
        }
        recentCount = recentCount.map { $0 - database.changes }
        foldedUpTo = end ?? Digest128(high: 0, low: 0)
    }

    private static let seekFoldEnd =
        "SELECT digest FROM pointer_recent WHERE digest >= ?1 ORDER BY digest LIMIT 1 OFFSET ?2"
    // Both ends belong to the range: pointers that share the last digest move together or are met again next time.
    private static let fold = """
        INSERT OR IGNORE INTO pointer_folded
        SELECT digest, kind, scope, entry FROM pointer_recent WHERE digest BETWEEN ?1 AND ?2
        ORDER BY digest, kind, scope, entry
        """
    private static let clearFolded = "DELETE FROM pointer_recent WHERE digest BETWEEN ?1 AND ?2"
}
