// SPDX-License-Identifier: Apache-2.0

public import Base

extension SQLiteStore {
    public func recordIntent(_ act: Act) throws(StorageError) -> IntentAnswer {
        let database = try writable()
        return try database.transaction { () throws(StorageError) in
            let find = try database.statement("SELECT outcome, detail, intended FROM act WHERE id = ?1")
            find.bind(1, act.id)
            let known = try find.first { row throws(StorageError) in
                try Self.outcome(row, at: 0).map(IntentAnswer.finished) ?? .unfinished(since: row.instant(2))
            }
            if let known { return known }
            let insert = try database.statement(
                "INSERT INTO act (id, flow, kind, intended, payload) VALUES (?1, ?2, ?3, ?4, ?5)")
            insert.bind(1, act.id)
            insert.bind(2, act.flow)
            insert.bind(3, act.kind)
            insert.bind(4, act.intended)
            insert.bind(5, act.payload)
            try insert.run()
            return .recorded
        }
    }

    /// - Throws: ``StorageError/failed(reason:)`` when no such intent was recorded.
    public func recordOutcome(actID: String, outcome: ActOutcome, at: Instant) throws(StorageError) {
        let database = try writable()
        try database.transaction { () throws(StorageError) in
            let (kind, detail) = Self.columns(of: outcome)
            let update = try database.statement(
                "UPDATE act SET outcome = ?2, detail = ?3, finished = ?4 WHERE id = ?1")
            update.bind(1, actID)
            update.bind(2, kind)
            update.bind(3, detail)
            update.bind(4, at)
            try update.run()
            guard database.changes == 1 else { throw .failed(reason: "no intent “\(actID)” was recorded") }
        }
    }

    /// Intents without outcome, the oldest first.
    public func openActs(flow: Int64) throws(StorageError) -> [Act] {
        let list = try database.statement(
            "SELECT id, kind, payload, intended FROM act WHERE flow = ?1 AND outcome IS NULL ORDER BY intended, id")
        list.bind(1, flow)
        return try list.rows { row in
            Act(id: row.text(0), flow: flow, kind: row.text(1), payload: row.bytes(2), intended: row.instant(3))
        }
    }

    private static func columns(of outcome: ActOutcome) -> (kind: String, detail: String) {
        switch outcome {
        case .done(let remoteID): ("done", remoteID)
        case .refused(let reason): ("refused", reason)
        case .parked(let reason): ("parked", reason)
        }
    }

    private static func outcome(_ row: SQLiteStatement, at column: Int32) throws(StorageError) -> ActOutcome? {
        if row.isNull(column) { return nil }
        let detail = row.text(column + 1)
        return switch row.text(column) {
        case "done": .done(remoteID: detail)
        case "refused": .refused(reason: detail)
        case "parked": .parked(reason: detail)
        default: throw row.unreadable(column, "a known outcome")
        }
    }
}
