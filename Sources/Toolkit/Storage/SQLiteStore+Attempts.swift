// SPDX-License-Identifier: Apache-2.0

public import Base

extension SQLiteStore {
    /// - Returns: the count with this attempt; 1 for the first.
    public func countAttempt(flow: Int64, message: Digest128, at: Instant) throws(StorageError) -> Int {
        let database = try writable()
        return try database.transaction { () throws(StorageError) in
            let count = try database.statement(
                """
                INSERT INTO attempt VALUES (?1, ?2, 1, ?3)
                ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count
                """)
            count.bind(1, flow)
            count.bind(2, message)
            count.bind(3, at)
            var counted = 0
            try count.forEachRow { counted = Int($0.integer(0)) }
            return counted
        }
    }

    /// `nil` forgets all of the flow.
    public func forgetAttempts(flow: Int64, messages: [Digest128]?) throws(StorageError) {
        let database = try writable()
        try database.transaction { () throws(StorageError) in
            guard let messages else {
                let all = try database.statement("DELETE FROM attempt WHERE flow = ?1")
                all.bind(1, flow)
                return try all.run()
            }
            let one = try database.statement("DELETE FROM attempt WHERE flow = ?1 AND message = ?2")
            for message in messages {
                one.bind(1, flow)
                one.bind(2, message)
                try one.run()
            }
        }
    }

    public func recordAttempts(_ attempts: AttemptRecord) throws(StorageError) -> [Attempt] {
        let database = try writable()
        return try database.transaction { () throws(StorageError) in
            let forget = try database.statement("DELETE FROM attempt WHERE flow = ?1 AND message = ?2")
            for message in attempts.ended {
                forget.bind(1, attempts.flow)
                forget.bind(2, message)
                try forget.run()
            }
            var counted: [Attempt] = []
            let count = try database.statement(
                """
                INSERT INTO attempt VALUES (?1, ?2, 1, ?3)
                ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count, at
                """)
            for message in attempts.begun {
                count.bind(1, attempts.flow)
                count.bind(2, message)
                count.bind(3, attempts.at)
                try count.forEachRow { counted.append(Attempt(count: Int($0.integer(0)), first: $0.instant(1))) }
            }
            return counted
        }
    }
}
