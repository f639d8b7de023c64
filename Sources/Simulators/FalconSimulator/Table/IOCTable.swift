// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// The IOCs of one tenant. A value: ``FalconSimulator`` guards it with a lock.
struct IOCTable: Sendable {
    /// What has been written, counted once per item accepted or refused.
    struct Counters: Sendable {
        var creates = 0
        var updates = 0
        /// Updates that changed nothing.
        var idleUpdates = 0
        var deletes = 0
        /// Creates of a (type, value) that had been created before.
        var recreates = 0
        var refusedDuplicates = 0
        var refusedInvalid = 0
        var refusedByQuota = 0
        var unknownIDs = 0
    }

    private(set) var rows = Blocks<IOCRow>()
    private(set) var arena = Arena()
    private(set) var words = Words()
    private var live = RowIndex()
    private var dead = RowIndex()
    private var seededIDs: [String: Int] = [:]
    private var idsOfSeeds: [Int: String] = [:]
    private(set) var liveCount = 0
    /// Changes with every write: what is cached under an older one is stale.
    private(set) var version: UInt64 = 0
    var counters = Counters()
    private let ids: RowID

    init(salt: UInt64) { ids = RowID(salt: salt) }

    // MARK: Reading

    func id(of row: Int) -> String { idsOfSeeds[row] ?? ids.text(of: row) }

    /// Deleted rows have their id still.
    func row(withID id: String) -> Int? {
        if let row = seededIDs[id] { return row }
        guard let row = ids.row(of: id), row < rows.count, idsOfSeeds[row] == nil else { return nil }
        return row
    }

    /// The live IOC of that value, whatever its case.
    func row(_ type: IOCType, _ value: some Collection<UInt8>) -> Int? {
        live.find(Self.hash(type, value)) { isSame($0, type, value) }
    }

    /// The live IOC and all deleted ones of that value, under every type.
    func rows(ofValue value: String) -> [Int] {
        var found: [Int] = []
        for type in IOCType.allCases {
            let hash = Self.hash(type, value.utf8)
            if let row = row(type, value.utf8) { found.append(row) }
            dead.walk(hash) { row in
                if isSame(row, type, value.utf8) { found.append(row) }
                return true
            }
        }
        return found
    }

    func value(of row: Int) -> ArraySlice<UInt8> { arena[rows[row].value] }

    func hostGroupCount(_ row: Int) -> Int { rows[row].hostGroups == 0 ? 0 : 1 }

    // MARK: Writing

    /// Appends an IOC that has passed the rules. `id` only for seeds.
    mutating func create(
        _ draft: IOCDraft, _ type: IOCType, _ value: String, by client: String, at now: Int64, id: String? = nil
    ) -> Int {
        let creator = words.number(of: draft.bookkeeping.createdBy ?? client)
        var row = IOCRow(
            value: arena.append(value.utf8), type: type, action: draft.action.value ?? .noAction,
            mobileAction: draft.mobileAction.value ?? .noAction, severity: draft.severity.value ?? .unset,
            platforms: draft.platforms.value ?? [], isGlobal: draft.isGlobal.value ?? true,
            createdOn: draft.bookkeeping.createdOn ?? now, modifiedOn: draft.bookkeeping.modifiedOn ?? now,
            createdBy: creator, modifiedBy: draft.bookkeeping.modifiedBy.map { words.number(of: $0) } ?? creator)
        row.expiration = draft.expiration.value ?? .max
        row.isDeleted = draft.bookkeeping.isDeleted
        setTexts(&row, draft)
        let number = rows.count
        rows.append(row)
        if let id {
            seededIDs[id] = number
            idsOfSeeds[number] = id
        }
        let hash = Self.hash(type, value.utf8)
        if row.isDeleted {
            insertDead(number, hash)
        } else {
            insertLive(number, hash)
            liveCount += 1
        }
        version &+= 1
        return number
    }

    /// Whether a deleted IOC of that value is known.
    func wasDeleted(_ type: IOCType, _ value: String) -> Bool {
        dead.find(Self.hash(type, value.utf8)) { isSame($0, type, value.utf8) } != nil
    }

    /// Takes over a row that the rules have changed, and the texts of the draft. Returns whether anything differs.
    mutating func update(_ number: Int, to changed: IOCRow, _ draft: IOCDraft, by client: String, at now: Int64) -> Bool
    {
        let before = rows[number]
        var row = changed
        setTexts(&row, draft)
        let isSame =
            before.action == row.action && before.mobileAction == row.mobileAction && before.severity == row.severity
            && before.platforms == row.platforms && before.isGlobal == row.isGlobal && before.source == row.source
            && before.tags == row.tags && before.hostGroups == row.hostGroups && before.filename == row.filename
            && before.expiration == row.expiration && arena[before.description] == arena[row.description]
        row.modifiedOn = now
        row.modifiedBy = words.number(of: client)
        rows[number] = row
        version &+= 1
        return !isSame
    }

    /// The row stays and can be found with `deleted:true`; its value is free again.
    mutating func delete(_ number: Int, by client: String, at now: Int64) {
        guard !rows[number].isDeleted else { return }
        let hash = Self.hash(rows[number].type, value(of: number))
        live.remove(number, hash)
        rows[number].isDeleted = true
        rows[number].modifiedOn = now
        rows[number].modifiedBy = words.number(of: client)
        insertDead(number, hash)
        liveCount -= 1
        version &+= 1
    }

    private mutating func setTexts(_ row: inout IOCRow, _ draft: IOCDraft) {
        if !draft.source.isAbsent { row.source = words.number(of: draft.source.value ?? "") }
        if !draft.tags.isAbsent { row.tags = words.number(of: draft.tags.value ?? []) }
        if !draft.hostGroups.isAbsent { row.hostGroups = words.number(of: draft.hostGroups.value ?? []) }
        if !draft.filename.isAbsent { row.filename = words.number(of: draft.filename.value ?? "") }
        switch draft.description {
        case .value(let text) where Array(text.utf8)[...] != arena[row.description]:
            row.description = arena.append(text.utf8)
        case .null: row.description = TextSpan()
        default: break
        }
    }

    // The closure that rehashes reads rows and arena while the index grows: hence the copies, which share memory.
    private mutating func insertLive(_ number: Int, _ hash: UInt64) {
        let (rows, arena) = (rows, arena)
        live.insert(number, hash) { Self.hash(rows[$0].type, arena[rows[$0].value]) }
    }

    private mutating func insertDead(_ number: Int, _ hash: UInt64) {
        let (rows, arena) = (rows, arena)
        dead.insert(number, hash) { Self.hash(rows[$0].type, arena[rows[$0].value]) }
    }

    private func isSame(_ row: Int, _ type: IOCType, _ value: some Collection<UInt8>) -> Bool {
        rows[row].type == type && rows[row].value.length == value.count
            && arena[rows[row].value].elementsEqual(value) { Self.lowered($0) == Self.lowered($1) }
    }

    // FNV-1a over the lower-cased value: the service does not take one value in two spellings.
    private static func hash(_ type: IOCType, _ value: some Collection<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ UInt64(type.rawValue)
        for byte in value { hash = (hash ^ UInt64(lowered(byte))) &* 0x100_0000_01B3 }
        return RowID.scramble(hash)
    }

    private static func lowered(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
