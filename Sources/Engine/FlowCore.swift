// SPDX-License-Identifier: Apache-2.0

public import Base
public import Storage

/// The heart of a flow, as a value: what to look up, send and commit next, decided without a task, a thread or I/O.
///
/// In go batches that were read, answers and moments; out come ``Action``s. A seed can therefore replay it exactly
/// (Tests/SimulationTests), and the asynchronous ``Flow`` around it stays thin.
///
/// The idea: every key has *owners* (sources that want it) and a *remote state* (what the target was last told). After
/// each change the wanted content is derived from the owners and compared with the remote state; a difference is one
/// operation. At most one operation a key is under way. So effects on a key fold by themselves, a replay changes nothing,
/// and a lost answer is repaired by the next comparison.
///
/// Durability: rows of the ledger and the checkpoint are committed together, after delivery. An item is done when all its
/// effects have ended; the checkpoint follows the unbroken prefix of done items and stays before an id until a different
/// one has arrived.
public struct FlowCore: Sendable {
    public enum Action: Sendable {
        /// Read the ledger; answer with ``resolved(_:entries:at:)``.
        case lookUp(id: UInt64, LedgerQuery)
        /// Does another live source hold this key? Answer with ``answered(_:_:at:)``.
        case ask(key: Digest128, removal: [UInt8], source: Digest128)
        /// Write at the target; answer with ``delivered(_:results:at:)``.
        case send(OperationBatch)
        /// Append at the target; answer with ``appended(_:result:at:)``.
        case append(RecordBatch)
        /// Carry out; answer with ``acted(_:result:at:)``.
        case perform(id: UInt64, Act)
        /// One transaction; answer with ``committed(at:)`` once it is durable.
        case commit(FlowCommit)
        /// Durable up to here: tell the source.
        case acknowledge(SourcePosition)
        /// Items that came from elsewhere have ended and are durable.
        case tidy([Ended])
        /// Everything before the end of the recovery is durable.
        case recoveryFinished
        /// Sending has stopped until ``approve(at:)``.
        case ceilingReached(removals: Int, entries: Int)
    }

    public struct Ended: Sendable, Hashable {
        public let origin: Item.Origin
        public let outcome: Outcome
    }

    /// An answer to ``Action/ask(key:removal:source:)``.
    public enum Holding: Sendable, Hashable {
        case held
        case free
        /// The platform can't say.
        case unknown
    }

    public struct Identity: Sendable, Hashable {
        public var flow: Int64
        public var target: Int64
        public var partition: String
        public var fencingToken: Int64
        public init(flow: Int64, target: Int64, partition: String, fencingToken: Int64) {
            self.flow = flow
            self.target = target
            self.partition = partition
            self.fencingToken = fencingToken
        }
    }

    /// Where the ledger's knowledge of the source stands.
    public enum Recovery: Sendable, Hashable {
        /// A complete recovery was seen: an owner that is not in the ledger does not exist.
        case complete
        /// One is on its way; removals whose last owner is uncertain can wait for its end.
        case running
        /// None was seen and none will come.
        case none
    }

    public let identity: Identity
    public var limits: FlowLimits
    public var ceiling: DeleteCeiling
    /// The number of the current recovery; owners seen carry it.
    public internal(set) var generation: Int64
    public internal(set) var recovery: Recovery
    let model: any StateModel
    public private(set) var guards: GuardPolicy

    // What was read and is not yet committed.
    var window = ItemWindow()
    var reads: [PendingRead] = []
    var nextReadID: UInt64 = 1
    /// The id that may still get company, and the last one that can't.
    var openGroup: SourcePosition?
    var openPosition: SourcePosition?
    var closedPosition: SourcePosition?
    var checkpoint: SourcePosition?

    // Keys and sources in play.
    var keys = KeyTable()
    var sources: [Digest128: SourceState] = [:]

    // On the way to the target.
    var queues = [OperationQueue](repeating: OperationQueue(), count: Operation.Kind.allCases.count)
    /// Names a queued operation; never reused, so that an outdated queue entry can't meet a slot's next key.
    var nextSerial: UInt64 = 0
    var inFlight: [UInt64: [Int]] = [:]
    var nextBatchID: UInt64 = 1
    /// By kind: a tenant that is full takes no creates, but updates and deletes.
    var blockedUntil = [Duration](repeating: .zero, count: Operation.Kind.allCases.count)
    /// Why nothing is sent, while that is so.
    public internal(set) var trouble: Trouble?
    var successes: UInt64 = 0
    var records = RecordLane()
    var acts = ActLane()

    // On the way to the disk.
    var dirty: [Int] = []
    var dirtySince: Duration?
    var outbox = Outbox()
    var committing: [Int]?
    var committed: CommitInFlight?
    var retired: [Retired] = []
    var actions: [Action] = []
    /// Set once with ``Action/recoveryFinished``: owners that it has not shown can be swept.
    var finishedRecovery = false

    // Guarding against a bad feed.
    var removals = RemovalCounter()
    var removalsUnderWay = 0
    public internal(set) var entryCount: Int
    public internal(set) var isAwaitingApproval = false
    public internal(set) var isDraining = false

    public internal(set) var accounting = Accounting()

    public struct Trouble: Sendable, Hashable {
        public var code: String
        public var reason: String
    }

    /// - Parameters:
    ///   - checkpoint: the durable one, where reading goes on.
    ///   - entryCount: our entries at the target now, for the ceiling of deletes.
    public init(
        identity: Identity, model: any StateModel, limits: FlowLimits = FlowLimits(),
        ceiling: DeleteCeiling = DeleteCeiling(), guards: GuardPolicy = .standard, generation: Int64 = 1,
        recovery: Recovery = .complete, checkpoint: SourcePosition? = nil, entryCount: Int = 0
    ) {
        self.identity = identity
        self.model = model
        self.limits = limits
        self.ceiling = ceiling
        self.guards = guards
        self.generation = generation
        self.recovery = recovery
        self.checkpoint = checkpoint
        closedPosition = checkpoint
        self.entryCount = entryCount
    }

    /// Whether there is room for more input.
    public var wantsRead: Bool {
        !isDraining && !isAwaitingApproval && window.count < limits.windowItems
            && accounting.effectsOpen < limits.windowEffects && window.inputBytes < limits.windowBytes
            && reads.count < 4
    }

    /// Nothing is open, nothing waits for the target or for the disk. What drifted at the target is written without an
    /// item that would stay open for it.
    public var isIdle: Bool {
        window.isEmpty && reads.isEmpty && inFlight.isEmpty && queues.allSatisfy { $0.count == 0 }
            && committing == nil && dirty.isEmpty && outbox.isEmpty && closedPosition == checkpoint
    }

    /// For the oracle of the simulation: what has been read and not ended, and which keys are being written.
    var openGroups: [SourcePosition] { window.openGroups }
    var keysUnderWay: [Digest128] { inFlight.values.flatMap { $0.map { keys[$0].key } } }
    var batchesInFlight: Int { inFlight.count }
    var readsOpen: Int { reads.count }

    /// The position that is durable.
    public var durablePosition: SourcePosition? { checkpoint }

    /// Hands over what is to be done now.
    public mutating func takeActions() -> [Action] {
        defer { actions = [] }
        return actions
    }

    /// Moves everything that time alone moves: lingering batches, due commits, the end of a pause.
    public mutating func tick(at now: Moment) {
        startRecords(at: now)
        flush(at: now)
        commitIfDue(at: now)
    }

    /// No more input comes; what is under way is finished at once instead of lingering.
    public mutating func drain(at now: Moment) {
        isDraining = true
        tick(at: now)
    }

    /// A person has approved what the ceiling of deletes stopped.
    public mutating func approve(at now: Moment) {
        isAwaitingApproval = false
        removals.forgetAll()
        tick(at: now)
    }

    /// New rules are in force at once, also for what was decided and not yet sent.
    public mutating func replace(guards: GuardPolicy, at now: Moment) {
        self.guards = guards
        for slot in keys.slots(where: { $0.operation != nil }) { decide(slot, at: now) }
        advance(at: now)
        tick(at: now)
    }

    /// The moment at which ``tick(at:)`` has something to do; nil when only an answer can change anything.
    public func nextTick() -> Duration? {
        var next: Duration?
        func consider(_ moment: Duration) { next = next.map { min($0, moment) } ?? moment }
        if !isAwaitingApproval, inFlight.count < limits.maxInFlight {
            for (queue, blocked) in zip(queues, blockedUntil) where queue.count > 0 {
                consider(max(blocked, queue.since + limits.linger))
            }
        }
        if let retry = records.nextTry { consider(retry) }
        if committing == nil, let dirtySince { consider(dirtySince + commitDelay) }
        return next
    }
}

/// What has been read and how it ended. `read == ended + open` holds at every instant.
public struct Accounting: Sendable, Hashable {
    public var itemsRead = 0
    public var itemsOpen = 0
    public var items = OutcomeCounts()
    public var effectsRead = 0
    public var effectsOpen = 0
    public var effects = OutcomeCounts()
    /// Items whose end is durable.
    public var itemsCommitted = 0
    public var callsSent = 0
    public var operationsSent = 0
    public var retries = 0

    public init() {}

    /// Of two flows together.
    public static func + (left: Accounting, right: Accounting) -> Accounting {
        var sum = left
        sum.itemsRead += right.itemsRead
        sum.itemsOpen += right.itemsOpen
        sum.items += right.items
        sum.effectsRead += right.effectsRead
        sum.effectsOpen += right.effectsOpen
        sum.effects += right.effects
        sum.itemsCommitted += right.itemsCommitted
        sum.callsSent += right.callsSent
        sum.operationsSent += right.operationsSent
        sum.retries += right.retries
        return sum
    }

    public var holds: Bool {
        itemsRead == itemsOpen + items.total && effectsRead == effectsOpen + effects.total
    }
}
