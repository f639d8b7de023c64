// SPDX-License-Identifier: Apache-2.0

import Base
import Storage

/// Items between reading and the end of the unbroken prefix, by sequence number.
struct ItemWindow: Sendable {
    private var items: [ItemState] = []
    private var head = 0
    /// The number of `items[head]`.
    private(set) var firstNumber: UInt64 = 0
    private(set) var inputBytes = 0

    var count: Int { items.count - head }
    var isEmpty: Bool { count == 0 }
    var nextNumber: UInt64 { firstNumber + UInt64(count) }
    var first: ItemState? { head < items.count ? items[head] : nil }

    subscript(number: UInt64) -> ItemState {
        get { items[head + Int(number - firstNumber)] }
        _modify { yield &items[head + Int(number - firstNumber)] }
    }

    var openGroups: [SourcePosition] {
        items[head...].filter { $0.item.position != nil && !$0.isDone }.map(\.item.group)
    }

    mutating func append(_ item: ItemState) {
        inputBytes += item.item.input?.range.count ?? 0
        items.append(item)
    }

    mutating func popFirst() -> ItemState {
        let first = items[head]
        inputBytes -= first.item.input?.range.count ?? 0
        items[head].item.effects = []
        items[head].item.input = nil
        head += 1
        firstNumber += 1
        if head > 4096, head * 2 > items.count {
            items.removeFirst(head)
            head = 0
        }
        return first
    }
}

struct ItemState: Sendable {
    var item: Item
    var isApplied = false
    var openEffects = 0
    var outcome = Outcome.unchanged

    /// Whether its source is held in play by it.
    var isTracked = false
    var isDone: Bool { isApplied && openEffects == 0 }
}

/// A batch that waits for its answer from the ledger. Batches are applied in the order in which they were read.
struct PendingRead: Sendable {
    let id: UInt64
    let numbers: Range<UInt64>
    var isResolved: Bool
    /// Slots held for it.
    var slots: [Int]
    /// Keys it asked the ledger for; the others came into play with an earlier read.
    let asked: [Digest128]
    /// Sources whose keys it asked for.
    let sources: [Digest128]
    /// What the target shows, to be compared once the keys are loaded.
    var observed: [ObservedEntry] = []
    /// Keys that another flow has changed, and what the ledger now has of them.
    var reloaded: [Digest128: LedgerEntry?] = [:]
    /// Keys that another flow has changed since it was asked: of sources it may bring keys that were not in play then.
    var outdated: Set<Digest128> = []
}

/// What one source owns at the target, as far as items in play need it.
struct SourceState: Sendable {
    var isLoaded = false
    var owned: [Digest128] = []
    var uses = 0
}

/// One key in play.
struct KeyState: Sendable {
    var key: Digest128
    var isLoaded = false
    var entryID: Int64 = 0
    /// Nil: not at the target, as far as we know.
    var state: EntryState?
    var remoteID = ""
    /// Of the content last written; zero when uncertain.
    var digest = Digest128.zero
    var owners: [LedgerOwner] = []
    /// Owners that an open effect took away, as they were.
    var leaving: [LedgerOwner] = []
    /// How the last owner left, while that is not yet done.
    var removal: [UInt8]?
    /// How an owner of ours left last, while the key is in play.
    var lastRemoval: [UInt8]?
    /// Effects that the next decision ends.
    var attached: [EffectReference] = []
    /// Effects that the operation under way ends.
    var flying: [EffectReference] = []
    /// Decided, not yet sent.
    var operation: Operation?
    var serial: UInt64 = 0
    var underWay: Operation?
    var tries = 0
    var successesAtFirstTry: UInt64 = 0
    /// A create, or a removal without the target's id, went out and its answer was lost.
    var isDoubtful = false
    var isAsking = false
    /// Answers of the ledger that are awaited because another flow has changed the key; nothing is decided before.
    var reloads = 0
    /// Another flow has committed the key while an operation of ours was open: which of the two came last at the target is
    /// unknown.
    var isContested = false
    /// An owner has left since the last write, and others remain.
    var hasLostOwner = false
    var mayRemove = false
    var isEntryDirty = false
    var dirtyOwners: [Digest128] = []
    var marked: [Digest128] = []
    var isListed = false
    var isCommitting = false
    var uses = 0

    var isIdle: Bool {
        uses == 0 && attached.isEmpty && flying.isEmpty && operation == nil && underWay == nil && !isAsking && !isListed
            && !isCommitting
    }
}

struct EffectReference: Sendable {
    let number: UInt64
    let source: Digest128
}

/// Slots of ``KeyState``, reused.
struct KeyTable: Sendable {
    private var slots: [KeyState] = []
    private var free: [Int] = []
    private var index: [Digest128: Int] = [:]

    var count: Int { index.count }

    subscript(slot: Int) -> KeyState {
        get { slots[slot] }
        _modify { yield &slots[slot] }
    }

    func slot(of key: Digest128) -> Int? { index[key] }

    func slots(where holds: (KeyState) -> Bool) -> [Int] { index.values.filter { holds(slots[$0]) }.sorted() }

    /// The key's slot and whether it was made just now.
    mutating func obtain(_ key: Digest128) -> (slot: Int, isNew: Bool) {
        if let slot = index[key] { return (slot, false) }
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
            slots[slot] = KeyState(key: key)
        } else {
            slot = slots.count
            slots.append(KeyState(key: key))
        }
        index[key] = slot
        return (slot, true)
    }

    mutating func release(_ slot: Int) {
        index[slots[slot].key] = nil
        slots[slot] = KeyState(key: .zero)
        free.append(slot)
    }
}

/// Keys whose operation waits to be sent. Entries whose serial is outdated are skipped when popped.
struct OperationQueue: Sendable {
    private var entries: [(slot: Int, serial: UInt64)] = []
    private var head = 0
    /// Entries that still count.
    var count = 0
    /// Since when something waits.
    var since: Duration = .zero

    mutating func append(_ slot: Int, serial: UInt64, at uptime: Duration) {
        if count == 0 { since = uptime }
        entries.append((slot, serial))
        count += 1
    }

    /// The next entry, outdated or not; nil at the end.
    mutating func pop() -> (slot: Int, serial: UInt64)? {
        guard head < entries.count else {
            entries.removeAll(keepingCapacity: true)
            head = 0
            return nil
        }
        defer { head += 1 }
        return entries[head]
    }

    /// Undoes the last ``pop()``.
    mutating func pushBack() { if head > 0 { head -= 1 } }
}

/// A slot or source to let go of once every ledger answer that was asked for before its commit has come in: such an
/// answer could be older than the commit.
struct Retired: Sendable {
    enum What: Sendable {
        case key(Digest128)
        case source(Digest128)
    }
    let what: What
    let barrier: UInt64
}

/// Removals within the sliding window that went through, in steps of a minute.
struct RemovalCounter: Sendable {
    private var steps: [(minute: Int64, count: Int, deleted: Int)] = []

    /// - Parameter isDeletion: nothing stays at the target, not even a mark.
    mutating func add(isDeletion: Bool, at uptime: Duration) {
        let minute = uptime.components.seconds / 60
        if steps.last?.minute != minute { steps.append((minute, 0, 0)) }
        steps[steps.count - 1].count += 1
        if isDeletion { steps[steps.count - 1].deleted += 1 }
    }

    mutating func total(at uptime: Duration, window: Duration) -> Int {
        forget(before: uptime - window)
        return steps.reduce(0) { $0 + $1.count }
    }

    mutating func deleted(at uptime: Duration, window: Duration) -> Int {
        forget(before: uptime - window)
        return steps.reduce(0) { $0 + $1.deleted }
    }

    private mutating func forget(before uptime: Duration) {
        let oldest = uptime.components.seconds / 60
        steps.removeAll { $0.minute < oldest }
    }

    mutating func forgetAll() { steps = [] }
}

/// What the next commit carries besides the dirty keys.
struct Outbox: Sendable {
    var history: [HistoryRecord] = []
    var deadLetters: [DeadLetter] = []
    var jobs: [Job] = []
    var ended: [FlowCore.Ended] = []
    var sources: [Digest128] = []
    var itemsDone = 0
    var finishesRecovery = false

    var isEmpty: Bool {
        history.isEmpty && deadLetters.isEmpty && jobs.isEmpty && ended.isEmpty && itemsDone == 0 && !finishesRecovery
    }
}

extension Digest128 {
    static let zero = Digest128(high: 0, low: 0)
}
