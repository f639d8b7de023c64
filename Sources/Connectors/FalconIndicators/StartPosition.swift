// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import JSON
import OpenCTI
import Storage

/// Where a run begins, and what the ledger knows by then. Decided from three witnesses: the platform's copy of the state,
/// our own checkpoint, and what we last told the platform.
///
/// The platform wins if its copy is not what we last wrote: an operator has reset it, or the original ran meanwhile. A start
/// without a ledger reads everything once, up to where the original stood, so that no deletion since then is missed.
struct StartPosition: Sendable {
    var state: ConnectorState
    var generation: Int64
    var recovery: FlowCore.Recovery
    /// A recovery from the very beginning is under way: its end makes the ledger complete.
    var recoversEverything: Bool
    /// An earlier run ended between the end of its recovery and the sweep.
    var mustSweep: Bool
    var checkpoint: SourcePosition?
    /// To be made durable before reading begins.
    var values: [String: [UInt8]?] = [:]
    var reason: String

    static let platformState = "platform.state"
    static let mustRecover = "recovery.forced"
    static let recoveryScope = "recovery.scope"

    struct Witnesses: Sendable {
        /// The platform's copy, as registered.
        var platform: JSONObject?
        /// The store's small values and the durable position.
        var values: [String: [UInt8]]
        var checkpoint: SourcePosition?
        var startTimestamp: String?
        var recoverDate: String?
        var now: Instant
    }

    static func decide(_ witnesses: Witnesses) -> StartPosition {
        func text(_ name: String) -> String? { witnesses.values[name].map { String(decoding: $0, as: UTF8.self) } }
        let generation = text(FlowValues.generation).flatMap { Int64($0) } ?? 0
        let initial = ConnectorState.initial(
            startTimestamp: witnesses.startTimestamp, recoverDate: witnesses.recoverDate, now: witnesses.now)
        let remote = ConnectorState(witnesses.platform)
        let told = text(platformState).flatMap { try? JSONValue(parsing: $0) }?.object
        let isOurs = witnesses.platform == told

        if text(mustRecover) != nil {
            let all = ConnectorState.initial(startTimestamp: nil, recoverDate: nil, now: witnesses.now)
            return afresh(all, generation + 1, "the platform no longer held the events after our position")
        }
        guard generation > 0, let checkpoint = witnesses.checkpoint else {
            guard let remote, generation == 0, remote.startFrom > .beginning else {
                return afresh(initial, generation + 1, generation == 0 ? "first start" : "no position yet")
            }
            // Takes over from the original: everything once, then the live events from where it stood.
            var state = initial
            if witnesses.recoverDate == nil, witnesses.startTimestamp == nil {
                state.startFrom = .beginning
                state.recoverUntil = remote.startFrom.instant.description
            }
            return afresh(state, 1, "no ledger yet; the connector before us stood at \(remote.startFrom)")
        }
        guard let remote else {
            if told == nil { return resume(initial, at: checkpoint, generation, text, "resumed") }
            return afresh(initial, generation + 1, "the state was reset on the platform")
        }
        if isOurs || remote.startFrom.description == checkpoint.description {
            return resume(remote, at: checkpoint, generation, text, "resumed")
        }
        // Ours, but older than the checkpoint: the last ping came before the last commit.
        let ours = SourcePosition(major: remote.startFrom.milliseconds, minor: remote.startFrom.sequence)
        if remote.startFrom == .beginning { return afresh(remote, generation + 1, "the platform's state starts over") }
        return resume(remote, at: ours, generation, text, "the platform holds another position than we told it")
    }

    private static func afresh(_ state: ConnectorState, _ generation: Int64, _ reason: String) -> StartPosition {
        let isRecovering = state.recoverUntil != nil
        let isEverything = isRecovering && state.startFrom == .beginning
        var start = StartPosition(
            state: state, generation: generation, recovery: isEverything ? .running : .none,
            recoversEverything: isEverything, mustSweep: false, checkpoint: nil, reason: reason)
        start.values = [
            FlowValues.generation: Array(String(generation).utf8),
            recoveryScope: Array((isEverything ? "full" : "partial").utf8),
            FlowValues.recoveryDone: [UInt8]?.none, mustRecover: [UInt8]?.none,
        ]
        return start
    }

    private static func resume(
        _ state: ConnectorState, at checkpoint: SourcePosition, _ generation: Int64, _ text: (String) -> String?,
        _ reason: String
    ) -> StartPosition {
        var state = state
        state.startFrom = EventID(milliseconds: checkpoint.major, sequence: checkpoint.minor)
        let isComplete = text(FlowValues.recoveryDone) == String(generation)
        let isFull = text(recoveryScope) == "full" && !isComplete
        return StartPosition(
            state: state, generation: generation, recovery: isComplete ? .complete : isFull ? .running : .none,
            recoversEverything: isFull,
            mustSweep: isComplete && text(FlowValues.sweepDone) != String(generation), checkpoint: checkpoint,
            reason: reason)
    }
}
