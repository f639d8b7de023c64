// SPDX-License-Identifier: Apache-2.0

extension SQLiteStore {
    public func number(of name: String, in space: NameSpace) throws(StorageError) -> Int64 {
        if let known = try find(name, in: space) { return known }
        let database = try writable()
        return try database.transaction { () throws(StorageError) in
            let insert = try database.statement("INSERT INTO name (space, name) VALUES (?1, ?2)")
            insert.bind(1, space.rawValue)
            insert.bind(2, name)
            try insert.run()
            return database.lastInsertedID
        }
    }

    private func find(_ name: String, in space: NameSpace) throws(StorageError) -> Int64? {
        let find = try database.statement("SELECT id FROM name WHERE space = ?1 AND name = ?2")
        find.bind(1, space.rawValue)
        find.bind(2, name)
        return try find.first { $0.integer(0) }
    }

    public func names(in space: NameSpace) throws(StorageError) -> [String: Int64] {
        let list = try database.statement("SELECT name, id FROM name WHERE space = ?1")
        list.bind(1, space.rawValue)
        var names: [String: Int64] = [:]
        try list.forEachRow { names[$0.text(0)] = $0.integer(1) }
        return names
    }

    public func checkpoints(flow: Int64) throws(StorageError) -> [String: [UInt8]] {
        try Values(try database).read("SELECT partition, position FROM checkpoint WHERE flow = ?1", flow)
    }

    public func values(flow: Int64) throws(StorageError) -> [String: [UInt8]] {
        try Values(try database).read("SELECT name, value FROM value WHERE flow = ?1", flow)
    }

    public func setValues(flow: Int64, _ values: [String: [UInt8]?]) throws(StorageError) {
        let database = try writable(allowing: [.owner, .tool])
        try database.transaction { () throws(StorageError) in try Values(database).set(values, flow: flow) }
    }
}

/// The two small tables of a flow: its values and its checkpoints.
struct Values {
    private let database: SQLiteDatabase

    init(_ database: SQLiteDatabase) { self.database = database }

    func read(_ query: String, _ flow: Int64) throws(StorageError) -> [String: [UInt8]] {
        let list = try database.statement(query)
        list.bind(1, flow)
        var values: [String: [UInt8]] = [:]
        try list.forEachRow { values[$0.text(0)] = $0.bytes(1) }
        return values
    }

    /// `nil` removes a value.
    func set(_ values: [String: [UInt8]?], flow: Int64) throws(StorageError) {
        for (name, value) in values {
            guard let value else {
                let remove = try database.statement("DELETE FROM value WHERE flow = ?1 AND name = ?2")
                remove.bind(1, flow)
                remove.bind(2, name)
                try remove.run()
                continue
            }
            try put("INSERT OR REPLACE INTO value VALUES (?1, ?2, ?3)", flow, name, value)
        }
    }

    func move(_ checkpoints: [String: [UInt8]], flow: Int64) throws(StorageError) {
        for (partition, position) in checkpoints {
            try put("INSERT OR REPLACE INTO checkpoint VALUES (?1, ?2, ?3)", flow, partition, position)
        }
    }

    private func put(_ query: String, _ flow: Int64, _ name: String, _ value: [UInt8]) throws(StorageError) {
        let put = try database.statement(query)
        put.bind(1, flow)
        put.bind(2, name)
        put.bind(3, value)
        try put.run()
    }
}
