// SPDX-License-Identifier: Apache-2.0

import Base

/// Writes one flow's commit inside an open transaction.
struct CommitWriter {
    let database: SQLiteDatabase
    let pointers: PointerIndex
    let options: SQLiteOptions

    func write(_ commit: FlowCommit) throws(StorageError) {
        try Leases(database).refuseOlder(commit.fencingToken, ofFlow: commit.flow)
        try writeLedger(commit)
        try mark(commit)
        let jobs = Jobs(database)
        for job in commit.jobs { try jobs.insert(job) }
        for job in commit.updatedJobs { try jobs.update(job) }
        try History(database).append(commit.history)
        try DeadLetters(database).add(commit.deadLetters, options)
        try Values(database).set(commit.values, flow: commit.flow)
        try Values(database).move(commit.checkpoints, flow: commit.flow)
    }

    // MARK: Ledger

    /// Rows go in the order of their keys, so that new ids, and with them the owners, follow it.
    private func writeLedger(_ commit: FlowCommit) throws(StorageError) {
        guard !commit.entries.isEmpty || !commit.owners.isEmpty else { return }
        var batch = try LedgerBatch(database: database, pointers: pointers, flow: commit.flow, target: commit.target)
        var ids: [(key: Digest128, id: Int64?, isNew: Bool)] = []
        ids.reserveCapacity(commit.entries.count)
        let entries = commit.entries.enumerated().map { index, change in (change.key, index) }
        for (_, index) in entries.sorted(by: <) {
            let change = commit.entries[index]
            // The same key again: what the first change has queued must be visible to the second.
            if ids.last?.key == change.key {
                try batch.flush()
                ids.removeLast()
            }
            let (id, isNew) = try batch.apply(change)
            ids.append((change.key, id, isNew))
        }
        var next = 0
        let owners = commit.owners.enumerated().map { index, change in (change.key, change.source, index) }
            .sorted(by: <)
        for (position, (key, source, index)) in owners.enumerated() {
            // Of several changes of one owner the last stands.
            if position + 1 < owners.count, owners[position + 1].0 == key, owners[position + 1].1 == source { continue }
            let change = commit.owners[index]
            while next < ids.count, ids[next].key < change.key { next += 1 }
            if next < ids.count, ids[next].key == change.key {
                try batch.apply(change, entry: ids[next].id, isNewEntry: ids[next].isNew)
            } else {
                try batch.apply(change)
            }
        }
        try batch.flush()
    }

    private func mark(_ commit: FlowCommit) throws(StorageError) {
        guard !commit.marks.isEmpty else { return }
        let mark = try database.statement(
            "UPDATE owner SET generation = ?1 WHERE entry = ?2 AND flow = ?3 AND source = ?4")
        for change in commit.marks.sorted(by: { $0.entryID < $1.entryID }) {
            mark.bind(1, change.generation)
            mark.bind(2, change.entryID)
            mark.bind(3, commit.flow)
            mark.bind(4, change.source)
            try mark.run()
        }
    }
}

/// The row changes of one commit's ledger part. New pointers gather and are written in their own order.
private struct LedgerBatch {
    let database: SQLiteDatabase
    let pointers: PointerIndex
    let flow: Int64
    let target: Int64
    private var queued: [PointerIndex.Pointer] = []
    private let insertEntry: SQLiteStatement
    private let updateEntry: SQLiteStatement
    private let insertOwner: SQLiteStatement
    private let updateOwner: SQLiteStatement

    init(database: SQLiteDatabase, pointers: PointerIndex, flow: Int64, target: Int64) throws(StorageError) {
        self.database = database
        self.pointers = pointers
        self.flow = flow
        self.target = target
        insertEntry = try database.statement(
            "INSERT INTO entry (remote_id, digest, state, target, key) VALUES (?1, ?2, ?3, ?4, ?5)")
        updateEntry = try database.statement(
            "UPDATE entry SET remote_id = ?1, digest = ?2, state = ?3 WHERE id = ?4")
        insertOwner = try database.statement("INSERT INTO owner VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        updateOwner = try database.statement(
            """
            UPDATE owner SET event = ?4, generation = ?5, contribution = ?6
            WHERE entry = ?1 AND flow = ?2 AND source = ?3
            """)
    }

    mutating func flush() throws(StorageError) {
        try pointers.insert(queued)
        queued.removeAll(keepingCapacity: true)
    }

    /// - Returns: the entry's id, `nil` when the key has none (any more), and whether its row is new.
    mutating func apply(_ change: EntryChange) throws(StorageError) -> (id: Int64?, isNew: Bool) {
        let known = try pointers.entry(ofKey: change.key, target: target)
        guard let value = change.value else {
            guard let known else { return (nil, false) }
            let owners = try owners(of: known)
            for owner in owners where owner.scope == flow { try removeOwner(owner.digest, of: known) }
            // What another flow still wants keeps its row; that flow hears of the removal.
            if owners.contains(where: { $0.scope != flow }) { return (try write(.gone, at: known), false) }
            try remove(known, key: change.key)
            return (nil, false)
        }
        if let known { return (try write(value, at: known), false) }
        return (try insert(value, key: change.key), true)
    }

    private func write(_ value: EntryChange.Value, at entry: Int64) throws(StorageError) -> Int64 {
        bind(value, to: updateEntry)
        updateEntry.bind(4, entry)
        try updateEntry.run()
        return entry
    }

    private mutating func insert(_ value: EntryChange.Value, key: Digest128) throws(StorageError) -> Int64 {
        bind(value, to: insertEntry)
        insertEntry.bind(4, target)
        insertEntry.bind(5, key)
        try insertEntry.run()
        let id = database.lastInsertedID
        queued.append(PointerIndex.Pointer(digest: key, kind: .key, scope: target, entry: id))
        return id
    }

    private func bind(_ value: EntryChange.Value, to write: SQLiteStatement) {
        RemoteID.bind(value.remoteID, to: write, at: 1)
        write.bind(2, value.digest)
        write.bind(3, value.state.rawValue)
    }

    /// An owner whose entry does not change with it. Where there is none any more, another flow has just removed it: the
    /// wish stays, and its flow hears of the removal.
    mutating func apply(_ change: OwnerChange) throws(StorageError) {
        if let known = try pointers.entry(ofKey: change.key, target: target) {
            return try apply(change, entry: known, isNewEntry: false)
        }
        guard change.value != nil else { return }
        try apply(change, entry: try insert(.gone, key: change.key), isNewEntry: true)
        try flush()
    }

    mutating func apply(_ change: OwnerChange, entry: Int64?, isNewEntry: Bool) throws(StorageError) {
        guard let value = change.value else {
            if let entry { try removeOwner(change.source, of: entry) }
            return
        }
        guard let entry else { return try apply(change) }
        if !isNewEntry {
            bind(value, source: change.source, entry: entry, to: updateOwner)
            try updateOwner.run()
            if database.changes > 0 { return }
        }
        bind(value, source: change.source, entry: entry, to: insertOwner)
        try insertOwner.run()
        queued.append(PointerIndex.Pointer(digest: change.source, kind: .source, scope: flow, entry: entry))
    }

    private func bind(_ value: OwnerChange.Value, source: Digest128, entry: Int64, to statement: SQLiteStatement) {
        statement.bind(1, entry)
        statement.bind(2, flow)
        statement.bind(3, source)
        statement.bind(4, value.event)
        statement.bind(5, value.generation)
        statement.bind(6, value.contribution)
    }

    private func removeOwner(_ source: Digest128, of entry: Int64) throws(StorageError) {
        let remove = try database.statement("DELETE FROM owner WHERE entry = ?1 AND flow = ?2 AND source = ?3")
        remove.bind(1, entry)
        remove.bind(2, flow)
        remove.bind(3, source)
        try remove.run()
        guard database.changes > 0 else { return }
        try pointers.remove(PointerIndex.Pointer(digest: source, kind: .source, scope: flow, entry: entry))
    }

    private func owners(of entry: Int64) throws(StorageError) -> [PointerIndex.Pointer] {
        let list = try database.statement("SELECT source, flow FROM owner WHERE entry = ?1")
        list.bind(1, entry)
        return try list.rows { row throws(StorageError) in
            PointerIndex.Pointer(digest: try row.digest(0), kind: .source, scope: row.integer(1), entry: entry)
        }
    }

    /// Removes an entry that has no owners any more.
    private func remove(_ entry: Int64, key: Digest128) throws(StorageError) {
        try pointers.remove(PointerIndex.Pointer(digest: key, kind: .key, scope: target, entry: entry))
        let remove = try database.statement("DELETE FROM entry WHERE id = ?1")
        remove.bind(1, entry)
        try remove.run()
    }
}

extension EntryChange.Value {
    /// Not at the target, and wanted there.
    fileprivate static let gone = EntryChange.Value(
        remoteID: "", digest: Digest128(high: 0, low: 0), state: .absent)
}
