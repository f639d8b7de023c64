// SPDX-License-Identifier: Apache-2.0

import Base
import Storage

extension FlowCore {
    // MARK: Ending effects

    /// Ends one effect. Everything but `unchanged` goes into the history; a dead letter keeps its input.
    mutating func end(
        _ reference: EffectReference, _ outcome: Outcome, code: String, reason: String, key: Digest128?,
        remoteID: String = "", at now: Moment
    ) {
        window[reference.number].openEffects -= 1
        let wasDeadLettered = window[reference.number].outcome == .deadLettered
        window[reference.number].outcome = max(window[reference.number].outcome, outcome)
        accounting.effectsOpen -= 1
        accounting.effects[outcome] += 1
        guard outcome != .unchanged else { return }
        let item = window[reference.number].item
        remember(item, outcome, code: code, reason: reason, key: key, remoteID: remoteID, at: now)
        if outcome == .deadLettered, !wasDeadLettered { bury(item, code: code, reason: reason, at: now) }
    }

    mutating func endAttached(_ slot: Int, _ outcome: Outcome, code: String, reason: String = "", at now: Moment) {
        let attached = keys[slot].attached
        keys[slot].attached = []
        endAll(attached, outcome, code: code, reason: reason, slot, at: now)
    }

    /// The last effect ends so; the earlier ones on this key were overtaken by it.
    mutating func endAll(
        _ references: [EffectReference], _ outcome: Outcome, code: String, reason: String, _ slot: Int, at now: Moment
    ) {
        if keys[slot].isEntryDirty || !keys[slot].dirtyOwners.isEmpty { list(slot, at: now) }
        for (index, reference) in references.enumerated() {
            let isLast = index == references.count - 1
            end(
                reference, isLast ? outcome : .superseded, code: code, reason: reason, key: keys[slot].key,
                remoteID: keys[slot].remoteID, at: now)
        }
    }

    mutating func remember(_ item: Item, note: Item.Note, at now: Moment) {
        remember(item, note.outcome, code: note.code, reason: note.reason, key: nil, at: now)
        if note.outcome == .deadLettered { bury(item, code: note.code, reason: note.reason, at: now) }
    }

    private mutating func remember(
        _ item: Item, _ outcome: Outcome, code: String, reason: String, key: Digest128?, remoteID: String = "",
        at now: Moment
    ) {
        touch(at: now)
        outbox.history.append(
            HistoryRecord(
                at: now.wall, flow: identity.flow, source: item.source, key: key,
                position: "\(item.label) \(item.group)", outcome: outcome.description,
                reason: reason.isEmpty ? code : "\(code): \(reason)", remoteID: remoteID))
    }

    private mutating func bury(_ item: Item, code: String, reason: String, at now: Moment) {
        let input = item.input?.bytes ?? []
        outbox.deadLetters.append(
            DeadLetter(
                flow: identity.flow, source: item.source, fingerprint: model.digest(of: input), code: code,
                reason: reason, position: "\(item.label) \(item.group)", input: input, attempts: 1,
                firstSeen: now.wall, lastSeen: now.wall))
    }

    /// Takes done items off the front, and moves the position behind the last id that can't get company any more.
    mutating func advance(at now: Moment) {
        while let first = window.first, first.isDone {
            let done = window.popFirst()
            accounting.itemsOpen -= 1
            accounting.items[done.outcome] += 1
            outbox.itemsDone += 1
            if sources[done.item.source] != nil, done.isTracked { outbox.sources.append(done.item.source) }
            if let origin = done.item.origin { outbox.ended.append(Ended(origin: origin, outcome: done.outcome)) }
            if done.item.marker == .recoveryEnd {
                // From here on every owner is known. What was held back before is in this or an earlier commit.
                recovery = .complete
                outbox.finishesRecovery = true
            }
            touch(at: now)
            guard let position = done.item.position else { continue }
            if openGroup != done.item.group {
                closedPosition = openPosition ?? closedPosition
                openGroup = done.item.group
            }
            openPosition = position
        }
        if let next = window.first, next.item.position != nil, next.item.group != openGroup, let openPosition {
            closedPosition = openPosition
        }
    }

    // MARK: Committing

    mutating func touch(at now: Moment) { if dirtySince == nil { dirtySince = now.uptime } }

    /// Puts a key on the list of the next commit.
    mutating func list(_ slot: Int, at now: Moment) {
        touch(at: now)
        guard !keys[slot].isListed else { return }
        keys[slot].isListed = true
        dirty.append(slot)
    }

    var commitDelay: Duration {
        dirty.isEmpty && outbox.history.isEmpty && outbox.jobs.isEmpty && outbox.ended.isEmpty
            && !outbox.finishesRecovery ? limits.checkpointDelay : limits.commitDelay
    }

    mutating func commitIfDue(at now: Moment) {
        guard committing == nil, let since = dirtySince else { return }
        let isFull = dirty.count >= limits.commitRows || outbox.history.count >= limits.commitRows
        guard isFull || isDraining || now.uptime - since >= commitDelay else { return }
        var commit = FlowCommit(flow: identity.flow, target: identity.target, fencingToken: identity.fencingToken)
        for slot in dirty { write(slot, into: &commit) }
        commit.history = outbox.history
        commit.deadLetters = outbox.deadLetters
        commit.jobs = outbox.jobs
        if outbox.finishesRecovery { commit.values = FlowValues.recoveryFinished(generation: generation) }
        let position = closedPosition == checkpoint ? nil : closedPosition
        if let position { commit.checkpoints[identity.partition] = Array(position.description.utf8) }
        committing = dirty
        committed = CommitInFlight(
            position: position, ended: outbox.ended, sources: outbox.sources, items: outbox.itemsDone,
            finishesRecovery: outbox.finishesRecovery)
        dirty = []
        outbox = Outbox()
        dirtySince = nil
        if commit.isEmpty { settleCommit(at: now) } else { actions.append(.commit(commit)) }
    }

    private mutating func write(_ slot: Int, into commit: inout FlowCommit) {
        keys[slot].isListed = false
        keys[slot].isCommitting = true
        let key = keys[slot].key
        guard let state = keys[slot].state else {
            // No row yet (its create is on the way: the owners wait for it), or no row any more.
            if keys[slot].isEntryDirty {
                commit.entries.append(EntryChange(key: key, value: nil))
                keys[slot].isEntryDirty = false
                if keys[slot].owners.isEmpty { keys[slot].dirtyOwners = [] }
            }
            return
        }
        // While an answer is outstanding the content at the target is uncertain: a crash now must make the next run
        // compare again instead of trusting the digest beside owners that are already newer.
        let isUncertain =
            keys[slot].operation != nil || keys[slot].underWay != nil || !keys[slot].attached.isEmpty
            || keys[slot].reloads > 0
        if keys[slot].isEntryDirty || isUncertain {
            commit.entries.append(
                EntryChange(
                    key: key,
                    value: .init(
                        remoteID: keys[slot].remoteID, digest: isUncertain ? .zero : keys[slot].digest, state: state)))
            keys[slot].isEntryDirty = isUncertain
        }
        // An owner that leaves is written off only when the effect that took it away has ended: until then a replay must
        // find it in the ledger, as it was, to take it away again.
        let open = isUncertain ? Set((keys[slot].attached + keys[slot].flying).map(\.source)) : []
        var postponed: [Digest128] = []
        for source in keys[slot].dirtyOwners {
            var owner = keys[slot].owners.first { $0.flow == identity.flow && $0.source == source }
            if owner == nil, open.contains(source) {
                postponed.append(source)
                owner = keys[slot].leaving.first { $0.source == source }
            }
            commit.owners.append(
                OwnerChange(
                    key: key, source: source,
                    value: owner.map {
                        .init(event: $0.event, generation: $0.generation, contribution: $0.contribution)
                    }))
        }
        keys[slot].leaving.removeAll { !postponed.contains($0.source) }
        for source in keys[slot].marked where !keys[slot].dirtyOwners.contains(source) {
            commit.marks.append(OwnerMark(entryID: keys[slot].entryID, source: source, generation: generation))
        }
        keys[slot].dirtyOwners = postponed
        keys[slot].marked = []
    }

    /// The commit is durable.
    public mutating func committed(at now: Moment) {
        settleCommit(at: now)
        tick(at: now)
    }

    private mutating func settleCommit(at now: Moment) {
        guard let slots = committing, let done = committed else { return }
        committing = nil
        committed = nil
        for slot in slots {
            keys[slot].isCommitting = false
            retireIfIdle(slot)
        }
        for source in done.sources {
            sources[source]?.uses -= 1
            if sources[source]?.uses == 0 { retired.append(Retired(what: .source(source), barrier: nextReadID)) }
        }
        accounting.itemsCommitted += done.items
        if let position = done.position {
            checkpoint = position
            actions.append(.acknowledge(position))
        }
        if !done.ended.isEmpty { actions.append(.tidy(done.ended)) }
        if done.finishesRecovery {
            finishedRecovery = true
            actions.append(.recoveryFinished)
        }
        if closedPosition != checkpoint { touch(at: now) }
        releaseRetired()
    }

    // MARK: Letting go

    mutating func retireIfIdle(_ slot: Int) {
        guard keys[slot].isIdle else { return }
        retired.append(Retired(what: .key(keys[slot].key), barrier: nextReadID))
    }

    /// Drops keys and sources that nobody uses and that no outstanding answer of the ledger could bring back stale.
    mutating func releaseRetired() {
        guard !retired.isEmpty else { return }
        let oldest = reads.first { !$0.isResolved }?.id ?? nextReadID
        var kept = 0
        for index in retired.indices {
            let entry = retired[index]
            guard entry.barrier <= oldest else {
                retired[kept] = entry
                kept += 1
                continue
            }
            switch entry.what {
            case .key(let key):
                if let slot = keys.slot(of: key), keys[slot].isIdle { keys.release(slot) }
            case .source(let source):
                if sources[source]?.uses == 0 { sources[source] = nil }
            }
        }
        retired.removeSubrange(kept...)
    }
}

/// What becomes true when the commit under way is durable.
struct CommitInFlight: Sendable {
    let position: SourcePosition?
    let ended: [FlowCore.Ended]
    let sources: [Digest128]
    let items: Int
    let finishesRecovery: Bool
}

/// Names of a flow's small durable values.
public enum FlowValues {
    public static let generation = "generation"
    public static let recoveryDone = "recovery.complete"
    public static let sweepDone = "sweep.complete"
    /// Written by `sallyport approve`; removed once the flow has seen it.
    public static let approval = "approval"

    static func recoveryFinished(generation: Int64) -> [String: [UInt8]?] {
        [recoveryDone: Array(String(generation).utf8)]
    }
}
