// SPDX-License-Identifier: Apache-2.0

public import Base
public import Engine
public import JSON
public import OpenCTI
import Storage

/// Where a run begins, and what the ledger knows by then. Decided from three witnesses: the platform's copy of the state,
/// our own checkpoint, and what we last told the platform.
///
/// The platform wins if its copy is not what we last wrote: an operator has reset it, or the original ran meanwhile. A start
/// without a ledger reads everything once, up to where the original stood, so that no deletion since then is missed.
public struct StartPosition: Sendable {
    public var state: ConnectorState
    public var generation: Int64
    public var recovery: FlowCore.Recovery
    /// A recovery from the very beginning is under way: its end makes the ledger complete.
    public var recoversEverything: Bool
    /// An earlier run ended between the end of its recovery and the sweep.
    public var mustSweep: Bool
    /// The ledger has to look at the tenant first: it never did, another program has written there, or the platform is in
    /// the middle of replaying its database. What was written right before a crash and is deleted by now is in no replay,
    /// so only the tenant can still tell of it when the event of its deletion comes.
    public var mustIndex: Bool
    public var checkpoint: SourcePosition?
    /// To be made durable before reading begins. Not empty when the durable position no longer holds.
    public var values: [String: [UInt8]?] = [:]
    public var reason: String

    public static let platformState = "platform.state"
    public static let mustRecover = "recovery.forced"
    public static let recoveryScope = "recovery.scope"
    public static let recoveryUntil = "recovery.until"
    /// The number of the target whose listing the ledger has read.
    public static let indexed = "indexed"

    /// What is known at the start.
    public struct Witnesses: Sendable {
        /// The platform's copy, as registered.
        public var platform: JSONObject?
        /// The store's small values and the durable position.
        public var values: [String: [UInt8]]
        public var checkpoint: SourcePosition?
        /// The tenant's number in the store.
        public var target: Int64
        public var startTimestamp: String?
        public var recoverDate: String?
        public var now: Instant

        public init(
            platform: JSONObject?, values: [String: [UInt8]], checkpoint: SourcePosition?, target: Int64,
            startTimestamp: String?, recoverDate: String?, now: Instant
        ) {
            self.platform = platform
            self.values = values
            self.checkpoint = checkpoint
            self.target = target
            self.startTimestamp = startTimestamp
            self.recoverDate = recoverDate
            self.now = now
        }
    }

    public static func decide(_ witnesses: Witnesses) -> StartPosition {
        func text(_ name: String) -> String? { witnesses.values[name].map { String(decoding: $0, as: UTF8.self) } }
        let generation = text(FlowValues.generation).flatMap { Int64($0) } ?? 0
        let remote = ConnectorState(witnesses.platform)
        let initial = ConnectorState.initial(
            startTimestamp: witnesses.startTimestamp, recoverDate: witnesses.recoverDate, now: witnesses.now
        ).keeping(othersOf: remote)
        let told = text(platformState).flatMap { try? JSONValue(parsing: $0) }?.object
        let isOurs = witnesses.platform == told

        let isIndexed = text(indexed) == String(witnesses.target)
        func afresh(_ state: ConnectorState, reindexing: Bool = false, _ reason: String) -> StartPosition {
            .afresh(state, generation + 1, mustIndex: reindexing || !isIndexed, reason)
        }

        if text(mustRecover) != nil {
            let all = ConnectorState.initial(startTimestamp: nil, recoverDate: nil, now: witnesses.now)
                .keeping(othersOf: remote)
            return afresh(all, "the platform no longer held the events after our position")
        }
        if text(indexed) != nil, !isIndexed {
            // What the ledger knows of another tenant, or under another API client, says nothing about this one.
            let stood = witnesses.checkpoint.map { ConnectorState(startFrom: EventID($0), recoverUntil: nil) } ?? remote
            return afresh(
                stood.map { initial.takingOver(from: $0) } ?? initial, "the tenant or its API client has changed")
        }
        guard generation > 0, let checkpoint = witnesses.checkpoint else {
            guard let remote else {
                return afresh(initial, reindexing: true, generation == 0 ? "first start" : "no position yet")
            }
            return afresh(
                initial.takingOver(from: remote), reindexing: true,
                "no position of our own; the connector before us stood at \(remote.startFrom)")
        }
        guard let remote else {
            guard told == nil else { return afresh(initial, "the state was reset on the platform") }
            // Never told the platform anything: what we began with is only known here.
            let state = ConnectorState(startFrom: .beginning, recoverUntil: text(recoveryUntil))
            return resume(state, at: checkpoint, generation, text, mustIndex: !isIndexed, "resumed")
        }
        if isOurs || remote.startFrom == EventID(checkpoint) {
            return resume(remote, at: checkpoint, generation, text, mustIndex: !isIndexed, "resumed")
        }
        if remote.startFrom == .beginning { return afresh(remote, "the platform's state starts over") }
        let theirs = SourcePosition(major: remote.startFrom.milliseconds, minor: remote.startFrom.sequence)
        guard theirs > checkpoint else {
            // Somebody set it back, or the last ping came before the last commit: what we know beyond it still holds.
            return resume(
                remote, at: theirs, generation, text, mustIndex: !isIndexed, "the platform holds an earlier position")
        }
        return afresh(
            initial.takingOver(from: remote), reindexing: true, "another program has read on to \(remote.startFrom)")
    }

    private static func afresh(
        _ state: ConnectorState, _ generation: Int64, mustIndex: Bool, _ reason: String
    ) -> StartPosition {
        let isEverything = state.recoverUntil != nil && state.startFrom == .beginning
        var start = StartPosition(
            state: state, generation: generation, recovery: isEverything ? .running : .none,
            recoversEverything: isEverything, mustSweep: false, mustIndex: mustIndex, checkpoint: nil, reason: reason)
        start.values = [
            FlowValues.generation: Array(String(generation).utf8),
            recoveryScope: Array((isEverything ? "full" : "partial").utf8),
            recoveryUntil: state.recoverUntil.map { Array($0.utf8) },
            FlowValues.recoveryDone: [UInt8]?.none, mustRecover: [UInt8]?.none,
        ]
        if mustIndex { start.values[indexed] = [UInt8]?.none }
        return start
    }

    private static func resume(
        _ state: ConnectorState, at checkpoint: SourcePosition, _ generation: Int64, _ text: (String) -> String?,
        mustIndex: Bool, _ reason: String
    ) -> StartPosition {
        var state = state
        state.startFrom = EventID(checkpoint)
        let isComplete = text(FlowValues.recoveryDone) == String(generation)
        let isFull = text(recoveryScope) == "full" && !isComplete
        let isReplaying = state.recoverUntil.flatMap { EventID(position: $0) }.map { state.startFrom < $0 } ?? false
        return StartPosition(
            state: state, generation: generation, recovery: isComplete ? .complete : isFull ? .running : .none,
            recoversEverything: isFull,
            mustSweep: isComplete && text(FlowValues.sweepDone) != String(generation),
            mustIndex: mustIndex || isReplaying && !isComplete, checkpoint: checkpoint, reason: reason)
    }
}

extension ConnectorState {
    /// Everything once, up to where another reader stood, then the live events from there: no deletion since then is
    /// missed. Where recovering is switched off, only the live events.
    fileprivate func takingOver(from other: ConnectorState) -> ConnectorState {
        var state = self
        guard other.startFrom > .beginning else {
            // It had begun and not got anywhere: its recovery is ours.
            if recoverUntil != nil { state.recoverUntil = other.recoverUntil ?? recoverUntil }
            return state
        }
        if recoverUntil == nil {
            state.startFrom = other.startFrom
        } else {
            state.startFrom = min(startFrom, other.startFrom)
            state.recoverUntil = other.startFrom.instant.description
        }
        return state
    }
}

extension EventID {
    fileprivate init(_ position: SourcePosition) { self.init(milliseconds: position.major, sequence: position.minor) }
}
