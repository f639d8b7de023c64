// SPDX-License-Identifier: Apache-2.0

public import Base

extension SQLiteStore {
    /// A holder that comes back, also after its lease has expired, keeps its token as long as nobody came between.
    public func acquireLease(
        name: String, holder: String, until: Instant, now: Instant
    ) throws(StorageError) -> Lease? {
        let database = try writable()
        return try database.transaction { () throws(StorageError) in
            let leases = Leases(database)
            let current = try leases.find(name)
            if let current, current.holder != holder, current.expires > now { return nil }
            let isSame = current?.holder == holder
            let token = (current?.fencingToken ?? 0) + (isSame ? 0 : 1)
            let lease = Lease(name: name, holder: holder, expires: until, fencingToken: token)
            try leases.put(lease)
            return lease
        }
    }

    /// Does nothing for a lease that somebody else has taken over meanwhile.
    public func releaseLease(_ lease: Lease) throws(StorageError) {
        let database = try writable()
        try database.transaction { () throws(StorageError) in
            let leases = Leases(database)
            guard let current = try leases.find(lease.name), current.holder == lease.holder,
                current.fencingToken == lease.fencingToken
            else { return }
            // The row stays, because the next holder's token must be higher.
            try leases.put(
                Lease(
                    name: lease.name, holder: "", expires: Instant(milliseconds: 0), fencingToken: lease.fencingToken))
        }
    }
}

struct Leases {
    private let database: SQLiteDatabase

    init(_ database: SQLiteDatabase) { self.database = database }

    func find(_ name: String) throws(StorageError) -> Lease? {
        let find = try database.statement("SELECT holder, expires, token FROM lease WHERE name = ?1")
        find.bind(1, name)
        return try find.first { row in
            Lease(name: name, holder: row.text(0), expires: row.instant(1), fencingToken: row.integer(2))
        }
    }

    func put(_ lease: Lease) throws(StorageError) {
        let put = try database.statement("INSERT OR REPLACE INTO lease VALUES (?1, ?2, ?3, ?4)")
        put.bind(1, lease.name)
        put.bind(2, lease.holder)
        put.bind(3, lease.expires)
        put.bind(4, lease.fencingToken)
        try put.run()
    }

    /// Another node has taken the flow over when its lease bears a higher token than the writer's.
    func refuseOlder(_ token: Int64, ofFlow flow: Int64) throws(StorageError) {
        let find = try database.statement(
            "SELECT lease.name, token FROM lease JOIN name ON name.name = lease.name WHERE name.id = ?1 AND space = ?2")
        find.bind(1, flow)
        find.bind(2, NameSpace.flow.rawValue)
        let newer = try find.first { $0.integer(1) > token ? $0.text(0) : nil }
        if let newer, let name = newer { throw .fenced(lease: name) }
    }
}
