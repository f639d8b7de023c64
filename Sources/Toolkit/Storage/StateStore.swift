// SPDX-License-Identifier: Apache-2.0

public import Base

/// Where everything durable lives: checkpoints, the ledger of what stands at each target, durable work, history.
///
/// The protocol fits one SQLite file and, later, a PostgreSQL shared by several nodes; the lease's fencing token goes
/// with every commit for that reason. All methods may be called from any task; one call is one transaction. A method that
/// returns has made its writes durable; one that throws has written nothing.
public protocol StateStore: Sendable {
    /// The durable number of a name (flow, target). Small integers keep the ledger's rows short. Creates it at first use.
    func number(of name: String, in space: NameSpace) async throws(StorageError) -> Int64
    /// All names of a space with their numbers.
    func names(in space: NameSpace) async throws(StorageError) -> [String: Int64]

    // Checkpoints
    func checkpoints(flow: Int64) async throws(StorageError) -> [String: [UInt8]]

    // Ledger
    /// Entries of the given keys and of everything the given sources own, each with all its owners, in one read
    /// transaction. An entry comes once. Keys and sources that are unknown are simply not in the answer.
    func lookUp(_ query: LedgerQuery) async throws(StorageError) -> [LedgerEntry]
    /// Entries of which `flow` has owners at `target` with a generation below `generation`, at most `limit`, by entry
    /// id above `after`. Each comes with all its owners.
    func staleOwners(
        flow: Int64, target: Int64, below generation: Int64, after entryID: Int64, limit: Int
    ) async throws(StorageError) -> [LedgerEntry]
    /// Entries of a target in id order, for reconciling: at most `limit` with id above `after`.
    func entries(target: Int64, after entryID: Int64, limit: Int) async throws(StorageError) -> [LedgerEntry]
    /// Counts of a target's entries by state.
    func countEntries(target: Int64) async throws(StorageError) -> [EntryState: Int]

    /// Everything a flow has finished since the last commit, in one transaction.
    func commit(_ commit: FlowCommit) async throws(StorageError)

    /// Tells a flow of every key of its target that another flow commits: once the commit is durable, and before it
    /// returns to its flow. One call a commit, in their order; it must not block.
    ///
    /// - Parameter heed: replaces the flow's former one; `nil` ends it.
    func watch(target: Int64, for flow: Int64, _ heed: (@Sendable ([Digest128]) -> Void)?) async

    // Durable multi-step work
    func dueJobs(runner: String, at now: Instant, limit: Int) async throws(StorageError) -> [Job]
    func job(runner: String, id: String) async throws(StorageError) -> Job?
    func updateJob(_ job: Job, history: [HistoryRecord]) async throws(StorageError)
    func deleteJob(runner: String, id: String, history: [HistoryRecord]) async throws(StorageError)
    func countJobs(runner: String) async throws(StorageError) -> Int

    // Acts: an intent is durable before the call; its outcome after it.
    func recordIntent(_ act: Act) async throws(StorageError) -> IntentAnswer
    func recordOutcome(actID: String, outcome: ActOutcome, at: Instant) async throws(StorageError)
    func openActs(flow: Int64) async throws(StorageError) -> [Act]

    // Attempts: redelivery counts of queue messages, written before the work.
    func countAttempt(flow: Int64, message: Digest128, at: Instant) async throws(StorageError) -> Int
    func forgetAttempts(flow: Int64, messages: [Digest128]?) async throws(StorageError)
    /// Attempts that begin, and others that have ended, of many messages at once.
    func recordAttempts(_ attempts: AttemptRecord) async throws(StorageError) -> [Attempt]

    // History and dead letters
    func history(_ query: HistoryQuery) async throws(StorageError) -> [HistoryRecord]
    func deadLetters(_ query: DeadLetterQuery) async throws(StorageError) -> [DeadLetter]
    func countDeadLetters(flow: Int64?) async throws(StorageError) -> Int
    func removeDeadLetters(ids: [Int64]) async throws(StorageError) -> Int
    /// Marks dead letters for another try (or takes the mark away); the flow reads them with `retryOnly`.
    func markDeadLetters(ids: [Int64], retry: Bool) async throws(StorageError) -> Int

    // Small durable values of a flow: generation, recovery, approvals, the state last written to a platform.
    func values(flow: Int64) async throws(StorageError) -> [String: [UInt8]]
    func setValues(flow: Int64, _ values: [String: [UInt8]?]) async throws(StorageError)

    // Leases
    /// Takes or renews a lease. `nil` when somebody else holds it and it has not expired.
    func acquireLease(name: String, holder: String, until: Instant, now: Instant) async throws(StorageError) -> Lease?
    func releaseLease(_ lease: Lease) async throws(StorageError)

    /// Bounds history and dead letters; folds the log file. Called now and then by the supervisor.
    func maintain(now: Instant) async throws(StorageError)
    /// What `sallyport check`, health and benchmarks print: path, schema version, sizes, settings in force.
    func facts() async throws(StorageError) -> [String: String]
    /// Folds everything into the file and lets go of it.
    func close() async
}

extension StateStore {
    /// One call after the other, for stores that know nothing better.
    public func recordAttempts(_ attempts: AttemptRecord) async throws(StorageError) -> [Attempt] {
        var counted: [Attempt] = []
        for message in attempts.begun {
            let count = try await countAttempt(flow: attempts.flow, message: message, at: attempts.at)
            counted.append(Attempt(count: count, first: attempts.at))
        }
        if !attempts.ended.isEmpty { try await forgetAttempts(flow: attempts.flow, messages: attempts.ended) }
        return counted
    }
}

/// One transaction over the attempts of a flow's messages.
public struct AttemptRecord: Sendable {
    public var flow: Int64
    /// Counted before the work on them begins.
    public var begun: [Digest128]
    /// Forgotten: the work on them is done.
    public var ended: [Digest128]
    public var at: Instant

    public init(flow: Int64, begun: [Digest128] = [], ended: [Digest128] = [], at: Instant) {
        self.flow = flow
        self.begun = begun
        self.ended = ended
        self.at = at
    }
}

/// How often work on a message has begun.
public struct Attempt: Sendable, Hashable {
    /// With this one; 1 for the first.
    public var count: Int
    /// When the first one began.
    public var first: Instant
    public init(count: Int, first: Instant) {
        self.count = count
        self.first = first
    }
}

public enum NameSpace: Int64, Sendable {
    case flow = 1
    case target = 2
}

public struct LedgerQuery: Sendable {
    public var target: Int64
    public var flow: Int64
    /// Source ids (owners) whose entries are wanted.
    public var sources: [Digest128]
    public var keys: [Digest128]
    public init(target: Int64, flow: Int64, sources: [Digest128], keys: [Digest128]) {
        self.target = target
        self.flow = flow
        self.sources = sources
        self.keys = keys
    }
}

/// How a key stands at its target, as far as we know.
public enum EntryState: Int64, Sendable, Hashable, CaseIterable {
    /// Ours, as last written.
    case present = 1
    /// Ours, marked as deleted (soft delete), still at the target.
    case marked = 2
    /// Seen at the target, ours by creator, but no source has claimed it yet (first start, reconcile).
    case found = 3
    /// Gone from the target; the row remains only while owners do.
    case absent = 4
}

/// One key at one target, with everybody who wants it there.
public struct LedgerEntry: Sendable, Hashable {
    public var id: Int64
    public var key: Digest128
    /// The target's own id, text of the vendor; empty when unknown.
    public var remoteID: String
    /// Digest of the content as last written; zero when unknown.
    public var digest: Digest128
    public var state: EntryState
    public var owners: [LedgerOwner]
    public init(
        id: Int64, key: Digest128, remoteID: String, digest: Digest128, state: EntryState, owners: [LedgerOwner]
    ) {
        self.id = id
        self.key = key
        self.remoteID = remoteID
        self.digest = digest
        self.state = state
        self.owners = owners
    }
}

public struct LedgerOwner: Sendable, Hashable {
    public var flow: Int64
    public var source: Digest128
    /// Logical time of the event that contributed, for “the latest event stands”.
    public var event: Instant
    /// The recovery in which this owner was last seen.
    public var generation: Int64
    /// What this source wants the target to hold; the connector's own compact encoding.
    public var contribution: [UInt8]
    public init(flow: Int64, source: Digest128, event: Instant, generation: Int64, contribution: [UInt8]) {
        self.flow = flow
        self.source = source
        self.event = event
        self.generation = generation
        self.contribution = contribution
    }
}

/// One transaction of a flow. Order of application: entries, owners, marks, then the rest; the checkpoint last.
public struct FlowCommit: Sendable {
    public var flow: Int64
    public var target: Int64
    /// The fencing token of the flow's lease, which bears the flow's name. A commit with an older one is refused
    /// (``StorageError/fenced(lease:)``); without such a lease any token passes.
    public var fencingToken: Int64
    public var entries: [EntryChange] = []
    public var owners: [OwnerChange] = []
    public var marks: [OwnerMark] = []
    public var jobs: [Job] = []
    /// Jobs that are there, brought up to date; one that is gone makes the commit fail.
    public var updatedJobs: [Job] = []
    public var history: [HistoryRecord] = []
    public var deadLetters: [DeadLetter] = []
    public var values: [String: [UInt8]?] = [:]
    /// Partition → position. Written last, in the same transaction.
    public var checkpoints: [String: [UInt8]] = [:]

    public init(flow: Int64, target: Int64, fencingToken: Int64) {
        self.flow = flow
        self.target = target
        self.fencingToken = fencingToken
    }

    public var isEmpty: Bool {
        entries.isEmpty && owners.isEmpty && marks.isEmpty && jobs.isEmpty && updatedJobs.isEmpty && history.isEmpty
            && deadLetters.isEmpty && values.isEmpty && checkpoints.isEmpty
    }
}

public struct EntryChange: Sendable {
    public var key: Digest128
    /// `nil` removes the row and its owners.
    public var value: Value?
    public struct Value: Sendable, Hashable {
        public var remoteID: String
        public var digest: Digest128
        public var state: EntryState
        public init(remoteID: String, digest: Digest128, state: EntryState) {
            self.remoteID = remoteID
            self.digest = digest
            self.state = state
        }
    }
    public init(key: Digest128, value: Value?) {
        self.key = key
        self.value = value
    }
}

/// Adds, replaces or removes one owner of a key. The key's entry exists or is in the same commit.
public struct OwnerChange: Sendable {
    public var key: Digest128
    public var source: Digest128
    /// `nil` removes the owner.
    public var value: Value?
    public struct Value: Sendable {
        public var event: Instant
        public var generation: Int64
        public var contribution: [UInt8]
        public init(event: Instant, generation: Int64, contribution: [UInt8]) {
            self.event = event
            self.generation = generation
            self.contribution = contribution
        }
    }
    public init(key: Digest128, source: Digest128, value: Value?) {
        self.key = key
        self.source = source
        self.value = value
    }
}

/// An owner that a recovery has seen again unchanged.
public struct OwnerMark: Sendable {
    public var entryID: Int64
    public var source: Digest128
    public var generation: Int64
    public init(entryID: Int64, source: Digest128, generation: Int64) {
        self.entryID = entryID
        self.source = source
        self.generation = generation
    }
}

/// Durable multi-step work, resumed after a crash at its step.
public struct Job: Sendable, Hashable {
    public var runner: String
    /// Unique within the runner; inserting an id that exists leaves the old job as it is.
    public var id: String
    public var flow: Int64
    public var step: String
    public var due: Instant
    public var attempts: Int
    public var payload: [UInt8]
    public var created: Instant
    public init(
        runner: String, id: String, flow: Int64, step: String, due: Instant, attempts: Int, payload: [UInt8],
        created: Instant
    ) {
        self.runner = runner
        self.id = id
        self.flow = flow
        self.step = step
        self.due = due
        self.attempts = attempts
        self.payload = payload
        self.created = created
    }
}

/// Something that changes the world once: a comment, a containment, a case.
public struct Act: Sendable, Hashable {
    /// Derived from what it does, so that a repeated intent meets the first one.
    public var id: String
    public var flow: Int64
    public var kind: String
    public var payload: [UInt8]
    public var intended: Instant
    public var outcome: ActOutcome?
    public init(id: String, flow: Int64, kind: String, payload: [UInt8], intended: Instant, outcome: ActOutcome? = nil)
    {
        self.id = id
        self.flow = flow
        self.kind = kind
        self.payload = payload
        self.intended = intended
        self.outcome = outcome
    }
}

public enum ActOutcome: Sendable, Hashable {
    /// Done, with the vendor's id of what was made.
    case done(remoteID: String)
    case refused(reason: String)
    /// Nobody can tell whether it happened: a person must look.
    case parked(reason: String)
}

public enum IntentAnswer: Sendable, Hashable {
    /// Nothing of that id was recorded before: go ahead.
    case recorded
    /// An intent without outcome exists: read back at the vendor before repeating.
    case unfinished(since: Instant)
    case finished(ActOutcome)
}

/// What changed and why; what `explain` reads.
public struct HistoryRecord: Sendable, Hashable {
    public var at: Instant
    public var flow: Int64
    /// The source item, for example an indicator.
    public var source: Digest128
    /// The key at the target; `nil` for an item without effect.
    public var key: Digest128?
    /// The position of the event in its source, as text.
    public var position: String
    /// Closed set: see `Outcome`.
    public var outcome: String
    /// Short and machine-readable, then free text: `create`, `unsupported_type: url`.
    public var reason: String
    public var remoteID: String
    public init(
        at: Instant, flow: Int64, source: Digest128, key: Digest128?, position: String, outcome: String, reason: String,
        remoteID: String = ""
    ) {
        self.at = at
        self.flow = flow
        self.source = source
        self.key = key
        self.position = position
        self.outcome = outcome
        self.reason = reason
        self.remoteID = remoteID
    }
}

/// Newest first.
public struct HistoryQuery: Sendable {
    public var flow: Int64?
    public var sources: [Digest128] = []
    public var keys: [Digest128] = []
    public var limit = 100
    public init() {}
}

/// An input that could not be handled, kept whole for a person.
public struct DeadLetter: Sendable, Hashable {
    /// 0 before it is stored.
    public var id: Int64 = 0
    public var flow: Int64
    public var source: Digest128
    /// Groups the same input: a repeated failure updates `attempts` and `lastSeen` instead of adding a row.
    public var fingerprint: Digest128
    public var code: String
    public var reason: String
    public var position: String
    public var input: [UInt8]
    public var attempts: Int
    public var firstSeen: Instant
    public var lastSeen: Instant
    public var retryRequested = false
    public init(
        flow: Int64, source: Digest128, fingerprint: Digest128, code: String, reason: String, position: String,
        input: [UInt8], attempts: Int, firstSeen: Instant, lastSeen: Instant
    ) {
        self.flow = flow
        self.source = source
        self.fingerprint = fingerprint
        self.code = code
        self.reason = reason
        self.position = position
        self.input = input
        self.attempts = attempts
        self.firstSeen = firstSeen
        self.lastSeen = lastSeen
    }
}

public struct DeadLetterQuery: Sendable {
    public var flow: Int64?
    public var ids: [Int64] = []
    public var retryOnly = false
    public var limit = 100
    public var after: Int64 = 0
    public init() {}
}

public struct Lease: Sendable, Hashable {
    public var name: String
    public var holder: String
    public var expires: Instant
    /// Grows with every change of holder; goes with every write.
    public var fencingToken: Int64
    public init(name: String, holder: String, expires: Instant, fencingToken: Int64) {
        self.name = name
        self.holder = holder
        self.expires = expires
        self.fencingToken = fencingToken
    }
}

public enum StorageError: ActionableError {
    case cannotOpen(path: String, reason: String)
    /// Another process holds the file.
    case locked(path: String, holder: String)
    case corrupt(path: String, reason: String)
    case newerSchema(path: String, found: Int, known: Int)
    /// Nothing was written; the caller waits and tries the same commit again.
    case full(path: String)
    /// Another process kept the file from being written for too long; nothing was written.
    case busy(path: String)
    case fenced(lease: String)
    case failed(reason: String)

    public var code: ErrorCode {
        switch self {
        case .cannotOpen: "storage.open"
        case .locked: "storage.locked"
        case .corrupt: "storage.corrupt"
        case .newerSchema: "storage.newer_schema"
        case .full: "storage.full"
        case .busy: "storage.busy"
        case .fenced: "storage.fenced"
        case .failed: "storage.failed"
        }
    }

    public var isRetryable: Bool {
        switch self {
        case .full, .busy: true
        default: false
        }
    }

    public var description: String {
        switch self {
        case .cannotOpen(let path, let reason):
            "The state file \(path) can't be opened: \(reason). Check SALLYPORT_STATE_DIR and the folder's owner."
        case .locked(let path, let holder):
            "The state file \(path) is in use by \(holder). Stop it, or give this one another SALLYPORT_STATE_DIR."
        case .corrupt(let path, let reason):
            "The state file \(path) is damaged: \(reason). Move it away; the next start rebuilds the ledger from the target and one full recovery."
        case .newerSchema(let path, let found, let known):
            "The state file \(path) has schema \(found), written by a newer Sallyport; this one knows \(known). Upgrade, or use another folder."
        case .full(let path):
            "No space left for the state file \(path). Free some; work goes on by itself and nothing is lost."
        case .busy(let path):
            "Another process keeps the state file \(path) locked. Work goes on when it lets go; look for an open sqlite3 or backup."
        case .fenced(let lease): "Another node has taken over “\(lease)”; this one stops writing."
        case .failed(let reason): "The state store failed: \(reason)."
        }
    }
}
