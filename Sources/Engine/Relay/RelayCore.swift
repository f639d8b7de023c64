// SPDX-License-Identifier: Apache-2.0

public import Base
import Hashing
public import Storage

/// The heart of a relay, as a value: which batch to send next and what to commit, decided without a task, a thread or I/O.
///
/// ``FlowCore`` keeps items with their effects and keys; a relay only appends, so it keeps batches. The rule is the same: a
/// partition's checkpoint follows the unbroken prefix of batches that the target has taken, and jobs and dead letters of a
/// batch go into the commit that moves it. Batches that were sent and not committed are the only possible repeats after a
/// crash; their number and bytes are bounded.
public struct RelayCore: Sendable {
    public enum Action: Sendable {
        /// Answer with ``appended(_:result:at:)``.
        case send(UInt64, RelayBatch)
        /// Answer with ``committed(at:)``.
        case commit(FlowCommit)
        /// Durable up to here.
        case acknowledge(partition: String, position: UInt64)
        /// Has served: a dead letter that went through, a job that is done.
        case tidy([FlowCore.Ended])
    }

    public struct Limits: Sendable, Hashable {
        /// Batches read and not yet committed, and their bytes: beyond either of them reading pauses.
        public var batches = 12
        public var bytes = 14 << 20
        /// Batches under way to the target at once; 1 keeps strict order.
        public var inFlight = 8
        /// How long a commit waits for more, when one has just been made.
        public var commitDelay = Duration.milliseconds(25)
        public init() {}
    }

    public struct Identity: Sendable, Hashable {
        public var flow: Int64
        public var target: Int64
        public var fencingToken: Int64
        public init(flow: Int64, target: Int64, fencingToken: Int64) {
            self.flow = flow
            self.target = target
            self.fencingToken = fencingToken
        }
    }

    private struct Entry: Sendable {
        var batch: RelayBatch
        var state: State
        var deadLettered = 0
        enum State: Sendable, Hashable {
            case waiting
            case underWay
            case resting(until: Duration)
            case done
        }
    }

    public let identity: Identity
    public let limits: Limits
    private var entries: [UInt64: Entry] = [:]
    /// Batches of each partition in the order in which they were read.
    private var order: [String: [UInt64]] = [:]
    private var waiting: [UInt64] = []
    private var nextID: UInt64 = 1
    private var bytesHeld = 0
    private var inFlight = 0
    private var resting = 0
    private var due: Due?
    private var committing: Due?
    private var lastCommit: Duration = .zero
    private var checkpoints: [String: UInt64]
    private var actions: [Action] = []
    public private(set) var isDraining = false
    public private(set) var trouble: FlowCore.Trouble?
    public private(set) var accounting = Accounting()

    /// What the next commit holds.
    private struct Due: Sendable {
        var positions: [String: UInt64] = [:]
        var jobs: [Job] = []
        var deadLetters: [DeadLetter] = []
        var ended: [FlowCore.Ended] = []
        var items = 0
    }

    /// - Parameter checkpoints: the durable positions; none ever moves back.
    public init(identity: Identity, limits: Limits = Limits(), checkpoints: [String: UInt64] = [:]) {
        self.identity = identity
        self.limits = limits
        self.checkpoints = checkpoints
    }

    /// Only what can be sent at once is read: a batch that waits here for its turn is memory that buys nothing, since the
    /// next one stands ready in the channel.
    public var wantsRead: Bool {
        let open = waiting.count + inFlight + resting
        return !isDraining && open < limits.inFlight && entries.count < limits.batches && bytesHeld < limits.bytes
    }
    public var isIdle: Bool { entries.isEmpty && due == nil && committing == nil }
    public var batchesInFlight: Int { inFlight }
    /// Positions that are durable.
    public var durablePositions: [String: UInt64] { checkpoints }

    public mutating func takeActions() -> [Action] {
        defer { actions = [] }
        return actions
    }

    /// Takes in a batch. One without records only moves the checkpoint, and counts what it leaves out.
    public mutating func read(_ batch: RelayBatch, at now: Moment) {
        let id = nextID
        nextID += 1
        accounting.itemsRead += batch.read
        accounting.itemsOpen += batch.read
        bytesHeld += batch.bytes.count
        order[batch.partition, default: []].append(id)
        if batch.ends.isEmpty {
            entries[id] = Entry(batch: batch, state: .done)
            settle(batch.partition, at: now)
        } else {
            entries[id] = Entry(batch: batch, state: .waiting)
            waiting.append(id)
        }
        tick(at: now)
    }

    /// Takes the answer to an ``Action/send(_:_:)``.
    ///
    /// - Parameter inputs: gives a refused record as it came.
    public mutating func appended(
        _ id: UInt64, result: RecordResult, inputs: (Int, RelayBatch) -> [UInt8], at now: Moment
    ) {
        guard var entry = entries[id], entry.state == .underWay else { return }
        inFlight -= 1
        switch result {
        case .appended(let refused):
            trouble = nil
            for (index, reason) in refused.sorted(by: { $0.key < $1.key }) {
                entry.batch.deadLetters.append(
                    Self.letter(
                        inputs(index, entry.batch), flow: identity.flow, code: "record.refused", reason: reason,
                        position: entry.batch.partition, at: now.wall))
            }
            entry.deadLettered = refused.count
            entry.state = .done
            // The bytes are no longer needed: a batch that waits for an earlier one takes no memory.
            bytesHeld -= entry.batch.bytes.count
            entry.batch.bytes = []
            entries[id] = entry
            settle(entry.batch.partition, at: now)
        case .retry(let wait, let code, let reason):
            entry.state = .resting(until: now.uptime + wait)
            resting += 1
            entries[id] = entry
            accounting.retries += 1
            trouble = .init(code: code, reason: reason)
        }
        tick(at: now)
    }

    public mutating func committed(at now: Moment) {
        guard let done = committing else { return }
        committing = nil
        lastCommit = now.uptime
        accounting.itemsCommitted += done.items
        for (partition, position) in done.positions {
            checkpoints[partition] = position
            actions.append(.acknowledge(partition: partition, position: position))
        }
        if !done.ended.isEmpty { actions.append(.tidy(done.ended)) }
        tick(at: now)
    }

    /// Moves everything that time alone moves.
    public mutating func tick(at now: Moment) {
        if resting > 0 {
            for (id, entry) in entries {
                guard case .resting(let until) = entry.state, until <= now.uptime else { continue }
                resting -= 1
                start(id)
            }
        }
        // While one waits for the target to recover no other is sent: they would fail too.
        while resting == 0, inFlight < limits.inFlight, !waiting.isEmpty { start(waiting.removeFirst()) }
        commitIfDue(at: now)
    }

    /// No more input comes; what is under way is finished.
    public mutating func drain(at now: Moment) {
        isDraining = true
        tick(at: now)
    }

    /// The moment at which ``tick(at:)`` has something to do.
    public var nextTick: Duration? {
        var next: Duration?
        if resting > 0 {
            for entry in entries.values {
                if case .resting(let until) = entry.state { next = min(next ?? until, until) }
            }
        }
        if due != nil, committing == nil {
            next = min(next ?? .seconds(Int64.max / 4), lastCommit + limits.commitDelay)
        }
        return next
    }

    /// A dead letter for an input.
    public static func letter(
        _ input: [UInt8], flow: Int64, code: String, reason: String, position: String, at now: Instant
    ) -> DeadLetter {
        let digest = SHA256.digest(input).withUnsafeBytes {
            Digest128(bytes: UnsafeRawBufferPointer(rebasing: $0[..<16]))
        }
        let fingerprint = digest ?? Digest128(high: 0, low: 0)
        return DeadLetter(
            flow: flow, source: fingerprint, fingerprint: fingerprint, code: code, reason: reason, position: position,
            input: input, attempts: 1, firstSeen: now, lastSeen: now)
    }

    private mutating func start(_ id: UInt64) {
        guard let entry = entries[id] else { return }
        entries[id]?.state = .underWay
        inFlight += 1
        accounting.callsSent += 1
        actions.append(.send(id, entry.batch))
    }

    /// Moves the unbroken prefix of done batches into the next commit.
    private mutating func settle(_ partition: String, at now: Moment) {
        guard var ids = order[partition] else { return }
        var next = due ?? Due()
        var settled = 0
        // Records from elsewhere have no order among themselves.
        let isOrdered = !partition.isEmpty
        var kept: [UInt64] = []
        for (index, id) in ids.enumerated() {
            guard let entry = entries[id], entry.state == .done else {
                kept.append(id)
                if isOrdered {
                    kept += ids[(index + 1)...]
                    break
                }
                continue
            }
            entries[id] = nil
            settled += 1
            close(entry, into: &next)
        }
        ids = kept
        order[partition] = ids.isEmpty ? nil : ids
        if settled > 0 { due = next }
    }

    private mutating func close(_ entry: Entry, into next: inout Due) {
        let batch = entry.batch
        bytesHeld -= batch.bytes.count
        if let position = batch.position {
            let known = max(next.positions[batch.partition] ?? 0, checkpoints[batch.partition] ?? 0)
            if position > known { next.positions[batch.partition] = position }
        }
        next.jobs += batch.jobs
        next.deadLetters += batch.deadLetters
        // Refused records are among those that were read already.
        let read = batch.read - entry.deadLettered
        next.items += read
        accounting.itemsOpen -= read
        accounting.items[.delivered] += batch.count - entry.deadLettered
        accounting.items[.deadLettered] += batch.deadLetters.count
        accounting.items[.skipped] += batch.skipped
        if let origin = batch.origin {
            next.ended.append(.init(origin: origin, outcome: entry.deadLettered > 0 ? .deadLettered : .delivered))
        }
    }

    private mutating func commitIfDue(at now: Moment) {
        guard committing == nil, let next = due, isDraining || now.uptime >= lastCommit + limits.commitDelay else {
            return
        }
        due = nil
        committing = next
        var commit = FlowCommit(flow: identity.flow, target: identity.target, fencingToken: identity.fencingToken)
        commit.jobs = next.jobs
        commit.deadLetters = next.deadLetters
        for (partition, position) in next.positions { commit.checkpoints[partition] = Array(String(position).utf8) }
        if commit.isEmpty {
            committed(at: now)
        } else {
            actions.append(.commit(commit))
        }
    }
}
