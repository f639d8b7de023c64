// SPDX-License-Identifier: Apache-2.0

public import Base

extension SQLiteStore {
    /// In the order in which they fell due.
    public func dueJobs(runner: String, at now: Instant, limit: Int) throws(StorageError) -> [Job] {
        let due = try database.statement(
            "SELECT \(Jobs.columns) FROM job WHERE runner = ?1 AND due <= ?2 ORDER BY due, rowid LIMIT ?3")
        due.bind(1, runner)
        due.bind(2, now)
        due.bind(3, limit)
        return try due.rows { Jobs.read($0) }
    }

    public func job(runner: String, id: String) throws(StorageError) -> Job? {
        let find = try database.statement("SELECT \(Jobs.columns) FROM job WHERE runner = ?1 AND id = ?2")
        find.bind(1, runner)
        find.bind(2, id)
        return try find.first { Jobs.read($0) }
    }

    /// - Throws: ``StorageError/failed(reason:)`` when there is no such job: only its runner ends it.
    public func updateJob(_ job: Job, history: [HistoryRecord]) throws(StorageError) {
        let database = try writable()
        try database.transaction { () throws(StorageError) in
            try Jobs(database).update(job)
            try History(database).append(history)
        }
    }

    public func deleteJob(runner: String, id: String, history: [HistoryRecord]) throws(StorageError) {
        let database = try writable()
        try database.transaction { () throws(StorageError) in
            let remove = try database.statement("DELETE FROM job WHERE runner = ?1 AND id = ?2")
            remove.bind(1, runner)
            remove.bind(2, id)
            try remove.run()
            try History(database).append(history)
        }
    }

    public func countJobs(runner: String) throws(StorageError) -> Int {
        let count = try database.statement("SELECT count(*) FROM job WHERE runner = ?1")
        count.bind(1, runner)
        return try count.first { Int($0.integer(0)) } ?? 0
    }
}

struct Jobs {
    static let columns = "runner, id, flow, step, due, attempts, created, payload"

    private let database: SQLiteDatabase

    init(_ database: SQLiteDatabase) { self.database = database }

    static func read(_ row: SQLiteStatement) -> Job {
        Job(
            runner: row.text(0), id: row.text(1), flow: row.integer(2), step: row.text(3), due: row.instant(4),
            attempts: Int(row.integer(5)), payload: row.bytes(7), created: row.instant(6))
    }

    /// Leaves a job of the same runner and id as it is: a repeated event does not start its work again.
    func insert(_ job: Job) throws(StorageError) {
        try run(
            "INSERT INTO job (\(Self.columns)) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING", job)
    }

    func update(_ job: Job) throws(StorageError) {
        try run(
            """
            UPDATE job SET flow = ?3, step = ?4, due = ?5, attempts = ?6, created = ?7, payload = ?8
            WHERE runner = ?1 AND id = ?2
            """, job)
        guard database.changes == 1 else {
            throw .failed(reason: "there is no job “\(job.id)” of runner “\(job.runner)” to update")
        }
    }

    private func run(_ query: String, _ job: Job) throws(StorageError) {
        let statement = try database.statement(query)
        statement.bind(1, job.runner)
        statement.bind(2, job.id)
        statement.bind(3, job.flow)
        statement.bind(4, job.step)
        statement.bind(5, job.due)
        statement.bind(6, job.attempts)
        statement.bind(7, job.created)
        statement.bind(8, job.payload)
        try statement.run()
    }
}
