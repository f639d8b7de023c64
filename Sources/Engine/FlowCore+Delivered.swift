// SPDX-License-Identifier: Apache-2.0

import Base
import Storage

extension FlowCore {
    /// Takes the results of a batch, in the order of its operations.
    public mutating func delivered(_ id: UInt64, results: [OperationResult], at now: Moment) {
        guard let slots = inFlight.removeValue(forKey: id) else { return }
        for (index, slot) in slots.enumerated() {
            guard let operation = keys[slot].underWay else { continue }
            keys[slot].underWay = nil
            if operation.takesAway { removalsUnderWay -= 1 }
            // A sink that answers too little has not told us: the comparison with the target starts again.
            let result =
                index < results.count
                ? results[index] : .retry(after: .seconds(1), code: "engine.no_result", reason: "no result")
            let isOver = conclude(slot, operation, result, at: now)
            settleContest(slot, at: now)
            // What nobody's effect waits for (drift at the target, another flow's wish) is tried again all the same.
            if keys[slot].operation == nil, !isOver || !keys[slot].attached.isEmpty || keys[slot].removal != nil {
                decide(slot, at: now)
            }
            retireIfIdle(slot)
        }
        advance(at: now)
        tick(at: now)
    }

    /// - Returns: whether the operation has ended, whichever way; otherwise it is decided anew.
    private mutating func conclude(
        _ slot: Int, _ operation: Operation, _ result: OperationResult, at now: Moment
    ) -> Bool {
        switch result {
        case .applied(let remoteID):
            apply(operation, remoteID: remoteID, slot)
            succeed(slot, operation, at: now)
        case .missing where operation.isBlind:
            if keys[slot].isDoubtful {
                // An earlier try may have taken away what another flow had put there: that flow is to hear of it.
                keys[slot].isEntryDirty = true
                list(slot, at: now)
            }
            keys[slot].isDoubtful = false
            keys[slot].tries = 0
            let flying = keys[slot].flying
            keys[slot].flying = []
            if keys[slot].attached.isEmpty { keys[slot].removal = nil }
            endAll(flying, .unchanged, code: "absent", reason: "not at the target", slot, at: now)
        case .missing where operation.kind == .delete && keys[slot].isDoubtful:
            // Another flow may have put it there anew, under another id: it is looked for.
            forget(slot, at: now)
            putBack(slot)
            return false
        case .missing where operation.kind == .delete:
            apply(operation, remoteID: "", slot)
            succeed(slot, operation, at: now)
        case .missing:
            keys[slot].state = .absent
            keys[slot].remoteID = ""
            keys[slot].digest = .zero
            keys[slot].isEntryDirty = true
            list(slot, at: now)
            putBack(slot)
            return false
        case .kept(let code, let reason):
            keys[slot].isDoubtful = false
            let flying = keys[slot].flying
            keys[slot].flying = []
            if keys[slot].attached.isEmpty { keys[slot].removal = nil }
            successes += 1
            endAll(flying, .skipped, code: code, reason: reason, slot, at: now)
        case .refused(let code, let reason):
            refuse(slot, code: code, reason: reason, at: now)
        case .retry(let wait, let code, let reason):
            return retry(slot, operation, after: wait, code: code, reason: reason, at: now)
        case .unavailable(let wait, let code, let reason):
            putBack(slot)
            doubt(slot, operation)
            block(operation.kind, for: wait, code: code, reason: reason, at: now)
            return false
        }
        return true
    }

    private mutating func apply(_ operation: Operation, remoteID: String, _ slot: Int) {
        keys[slot].isDoubtful = false
        if operation.kind == .delete {
            if keys[slot].state != nil, keys[slot].state != .absent { entryCount -= 1 }
            keys[slot].state = keys[slot].owners.isEmpty ? nil : .absent
            keys[slot].remoteID = ""
            keys[slot].digest = .zero
        } else {
            if operation.kind == .create, keys[slot].state == nil || keys[slot].state == .absent { entryCount += 1 }
            if keys[slot].state == nil {
                // The row is new: all owners of this flow go with it.
                for owner in keys[slot].owners
                where owner.flow == identity.flow && !keys[slot].dirtyOwners.contains(owner.source) {
                    keys[slot].dirtyOwners.append(owner.source)
                }
            }
            keys[slot].state = operation.isMark ? .marked : .present
            if !remoteID.isEmpty { keys[slot].remoteID = remoteID }
            keys[slot].digest = operation.digest
        }
        if operation.isRemoval, keys[slot].owners.isEmpty, keys[slot].attached.isEmpty { keys[slot].removal = nil }
        keys[slot].isEntryDirty = true
    }

    private mutating func succeed(_ slot: Int, _ operation: Operation, at now: Moment) {
        list(slot, at: now)
        keys[slot].tries = 0
        successes += 1
        trouble = nil
        // Only what went through: a removal that is sent again after a failure is still one.
        if operation.takesAway || operation.isBlind {
            removals.add(isDeletion: operation.kind == .delete, at: now.uptime)
        }
        let flying = keys[slot].flying
        keys[slot].flying = []
        // What one owner leaves and another still wants is written anew for the other.
        let isHandover = keys[slot].hasLostOwner && operation.kind == .update && !operation.isMark
        keys[slot].hasLostOwner = false
        let code = operation.isMark ? "mark" : isHandover ? "handed_over" : operation.kind.description
        endAll(flying, .delivered, code: code, reason: "", slot, at: now)
    }

    private mutating func refuse(_ slot: Int, code: String, reason: String, at now: Moment) {
        let flying = keys[slot].flying
        keys[slot].flying = []
        keys[slot].tries = 0
        successes += 1
        if keys[slot].state == nil, keys[slot].attached.isEmpty {
            forgetOwners(slot)
        } else if keys[slot].state != nil {
            // Uncertain: the next event on this key compares again instead of taking it for settled.
            keys[slot].digest = .zero
            keys[slot].isEntryDirty = true
            list(slot, at: now)
        }
        if keys[slot].attached.isEmpty { keys[slot].removal = nil }
        endAll(flying, .deadLettered, code: code, reason: reason, slot, at: now)
    }

    /// - Returns: whether it is given up.
    private mutating func retry(
        _ slot: Int, _ operation: Operation, after wait: Duration, code: String, reason: String, at now: Moment
    ) -> Bool {
        if keys[slot].tries == 0 { keys[slot].successesAtFirstTry = successes }
        keys[slot].tries += 1
        accounting.retries += 1
        // Others get through, this one does not: it is the operation's fault, not the target's.
        if keys[slot].tries >= limits.triesBeforeDeadLetter, successes > keys[slot].successesAtFirstTry {
            refuse(slot, code: code, reason: "\(reason) (\(limits.triesBeforeDeadLetter) tries)", at: now)
            return true
        }
        putBack(slot)
        doubt(slot, operation)
        block(operation.kind, for: wait, code: code, reason: reason, at: now)
        return false
    }

    /// The call may have been carried out although its answer was lost: nothing that was known of the target holds.
    private mutating func doubt(_ slot: Int, _ operation: Operation) {
        if operation.kind == .create || operation.isBlind { keys[slot].isDoubtful = true }
        guard keys[slot].state != nil else { return }
        keys[slot].digest = .zero
        keys[slot].isEntryDirty = true
    }

    /// The effects wait again; the decision is taken anew from the owners.
    private mutating func putBack(_ slot: Int) {
        keys[slot].attached = keys[slot].flying + keys[slot].attached
        keys[slot].flying = []
    }

    private mutating func block(
        _ kind: Operation.Kind, for wait: Duration, code: String, reason: String, at now: Moment
    ) {
        blockedUntil[kind.rawValue] = max(blockedUntil[kind.rawValue], now.uptime + wait)
        trouble = Trouble(code: code, reason: reason)
    }
}
