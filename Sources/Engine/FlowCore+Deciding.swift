// SPDX-License-Identifier: Apache-2.0

public import Base
import Storage

extension FlowCore {
    /// Compares what the owners want with how the target stands, and ends the attached effects or leaves them to one
    /// operation. Nothing is decided while an operation, a question or a reload is under way: its answer decides again.
    mutating func decide(_ slot: Int, at now: Moment) {
        guard keys[slot].underWay == nil, !keys[slot].isAsking, keys[slot].reloads == 0 else { return }
        if !keys[slot].owners.isEmpty {
            decideContent(slot, at: now)
        } else if let removal = keys[slot].removal {
            decideRemoval(slot, removal, at: now)
        } else {
            cancelOperation(slot)
            endAttached(slot, .unchanged, code: "unchanged", at: now)
        }
    }

    private mutating func decideContent(_ slot: Int, at now: Moment) {
        let content = model.merged(keys[slot].owners)
        let digest = model.digest(of: content)
        // What folds back to the ledger's content is written all the same: before a crash the operation that it takes back
        // may have been sent, and its answer lost.
        let isFolded = keys[slot].operation != nil
        if !isFolded, keys[slot].state == .present || keys[slot].state == .found, keys[slot].digest == digest {
            if keys[slot].state == .found {
                keys[slot].state = .present
                keys[slot].isEntryDirty = true
                list(slot, at: now)
            }
            endAttached(slot, .unchanged, code: "unchanged", at: now)
            return
        }
        if let veto = guards.veto(model.subject(of: content)) {
            cancelOperation(slot)
            if keys[slot].state == nil { forgetOwners(slot) }
            endAttached(slot, .vetoed, code: veto.code, reason: veto.reason, at: now)
            return
        }
        let isThere = keys[slot].state != nil && keys[slot].state != .absent
        submit(
            Operation(
                kind: isThere ? .update : .create, key: keys[slot].key, remoteID: isThere ? keys[slot].remoteID : "",
                content: content, digest: digest), slot, at: now)
    }

    private mutating func decideRemoval(_ slot: Int, _ removal: [UInt8], at now: Moment) {
        let remainder = model.remainder(of: removal)
        guard let state = keys[slot].state, state != .absent else {
            // Folded with a create that was not yet sent. Before a crash it may have been sent all the same: a soft delete
            // leaves the mark, a hard one looks the key up before it is content (a delete without the target's id).
            let isFolded = keys[slot].operation.map { $0.kind == .create || $0.isBlind } ?? false
            if isFolded || keys[slot].isDoubtful, !model.mustLookUp(removal) {
                switch remainder {
                case .marked(let content):
                    submit(
                        Operation(
                            kind: .create, key: keys[slot].key, remoteID: "", content: content,
                            digest: model.digest(of: content), isMark: true), slot, at: now)
                case .nothing:
                    submit(
                        Operation(
                            kind: .delete, key: keys[slot].key, remoteID: "", content: removal, digest: .zero), slot,
                        at: now)
                }
                return
            }
            if keys[slot].state == nil, model.mustLookUp(removal) {
                guard mayRemove(slot, removal) else { return }
                submit(
                    Operation(kind: .delete, key: keys[slot].key, remoteID: "", content: removal, digest: .zero), slot,
                    at: now)
                return
            }
            cancelOperation(slot)
            keys[slot].removal = nil
            if keys[slot].state == .absent {
                keys[slot].state = nil
                keys[slot].isEntryDirty = true
                list(slot, at: now)
            }
            endAttached(slot, .unchanged, code: "absent", reason: "not at the target", at: now)
            return
        }
        guard mayRemove(slot, removal) else { return }
        switch remainder {
        case .nothing:
            submit(
                Operation(
                    kind: .delete, key: keys[slot].key, remoteID: keys[slot].remoteID, content: removal,
                    digest: .zero), slot, at: now)
        case .marked(let content):
            let digest = model.digest(of: content)
            if keys[slot].operation == nil, keys[slot].digest == digest {
                if state != .marked {
                    keys[slot].state = .marked
                    keys[slot].isEntryDirty = true
                    list(slot, at: now)
                }
                keys[slot].removal = nil
                endAttached(slot, .unchanged, code: "marked", at: now)
                return
            }
            submit(
                Operation(
                    kind: .update, key: keys[slot].key, remoteID: keys[slot].remoteID, content: content,
                    digest: digest, isMark: true), slot, at: now)
        }
    }

    /// Whether every owner is known; else the platform is asked, and its answer decides again.
    private mutating func mayRemove(_ slot: Int, _ removal: [UInt8]) -> Bool {
        if recovery == .complete || keys[slot].mayRemove { return true }
        cancelOperation(slot)
        keys[slot].isAsking = true
        let source = keys[slot].attached.last?.source ?? .zero
        actions.append(.ask(key: keys[slot].key, removal: removal, source: source))
        return false
    }

    /// Takes the platform's word on a removal whose last owner was uncertain.
    public mutating func answered(_ key: Digest128, _ holding: Holding, at now: Moment) {
        guard let slot = keys.slot(of: key), keys[slot].isAsking else { return }
        keys[slot].isAsking = false
        switch holding {
        // A source that we follow has claimed it while the question was under way.
        case _ where !keys[slot].owners.isEmpty: decide(slot, at: now)
        case .held:
            keys[slot].removal = nil
            endAttached(slot, .unchanged, code: "held", reason: "another live source holds the value", at: now)
        case .unknown where recovery == .running:
            holdBack(slot, at: now)
        case .free, .unknown:
            keys[slot].mayRemove = true
            decide(slot, at: now)
        }
        retireIfIdle(slot)
        advance(at: now)
        tick(at: now)
    }

    /// The removal becomes a durable job that the end of the recovery takes up.
    private mutating func holdBack(_ slot: Int, at now: Moment) {
        guard let removal = keys[slot].removal else { return }
        let last = keys[slot].attached.last
        let held = HeldRemoval(
            key: keys[slot].key, source: last?.source ?? .zero,
            time: last.map { window[$0.number].item.time } ?? now.wall, removal: removal)
        outbox.jobs.append(
            Job(
                runner: HeldRemoval.runner(flow: identity.flow), id: held.id, flow: identity.flow, step: "held",
                due: now.wall, attempts: 0, payload: held.bytes, created: now.wall))
        keys[slot].removal = nil
        endAttached(slot, .skipped, code: "held_back", reason: "until the recovery ends", at: now)
        touch(at: now)
    }

    private mutating func submit(_ operation: Operation, _ slot: Int, at now: Moment) {
        if keys[slot].operation == operation { return }
        cancelOperation(slot)
        nextSerial += 1
        keys[slot].serial = nextSerial
        keys[slot].operation = operation
        queues[operation.kind.rawValue].append(slot, serial: keys[slot].serial, at: now.uptime)
    }

    mutating func cancelOperation(_ slot: Int) {
        guard let operation = keys[slot].operation else { return }
        queues[operation.kind.rawValue].count -= 1
        keys[slot].operation = nil
        keys[slot].serial = 0
    }

    /// There is no row that could keep them.
    mutating func forgetOwners(_ slot: Int) {
        let key = keys[slot].key
        let mine = identity.flow
        for owner in keys[slot].owners where owner.flow == mine {
            sources[owner.source]?.owned.removeAll { $0 == key }
        }
        keys[slot].owners.removeAll { $0.flow == mine }
        keys[slot].dirtyOwners = []
    }

    // MARK: Sending

    /// Sends what is full, what has waited long enough, and, while draining or when no input can come, everything.
    mutating func flush(at now: Moment) {
        guard !isAwaitingApproval else { return }
        // Nothing more can join a batch while reading is stopped: lingering would only cost time.
        let mustHurry = isDraining || !wantsRead
        for kind in Operation.Kind.allCases where now.uptime >= blockedUntil[kind.rawValue] {
            while inFlight.count < limits.maxInFlight, queues[kind.rawValue].count > 0 {
                let isFull = queues[kind.rawValue].count >= limits.batchSize
                let isDue = now.uptime - queues[kind.rawValue].since >= limits.linger
                guard isFull || isDue || (mustHurry && inFlight.isEmpty) else { break }
                let slots = nextBatch(kind, at: now)
                if slots.isEmpty { break }
                send(slots, kind)
                queues[kind.rawValue].since = now.uptime
                if isAwaitingApproval { return }
            }
        }
    }

    private mutating func nextBatch(_ kind: Operation.Kind, at now: Moment) -> [Int] {
        var slots: [Int] = []
        slots.reserveCapacity(min(limits.batchSize, queues[kind.rawValue].count))
        while slots.count < limits.batchSize, let entry = queues[kind.rawValue].pop() {
            guard keys[entry.slot].serial == entry.serial, let operation = keys[entry.slot].operation else { continue }
            let mustBeAlone = keys[entry.slot].tries >= limits.triesBeforeAlone
            if mustBeAlone, !slots.isEmpty {
                queues[kind.rawValue].pushBack()
                break
            }
            if exceedsCeiling(operation, at: now) {
                queues[kind.rawValue].pushBack()
                isAwaitingApproval = true
                actions.append(
                    .ceilingReached(
                        removals: removals.total(at: now.uptime, window: ceiling.window) + removalsUnderWay,
                        entries: entryCount))
                break
            }
            if operation.takesAway { removalsUnderWay += 1 }
            queues[kind.rawValue].count -= 1
            slots.append(entry.slot)
            if mustBeAlone { break }
        }
        return slots
    }

    /// A removal that finds out by itself whether anything is there counts once it has taken something away.
    private mutating func exceedsCeiling(_ operation: Operation, at now: Moment) -> Bool {
        guard operation.takesAway || operation.isBlind else { return false }
        let total =
            removals.total(at: now.uptime, window: ceiling.window) + removalsUnderWay + (operation.isBlind ? 0 : 1)
        // What was there when the window began: marks are still counted among the entries, deletions are not.
        let entries = entryCount + removals.deleted(at: now.uptime, window: ceiling.window)
        return total > ceiling.count && Double(total) > ceiling.share * Double(entries)
    }

    private mutating func send(_ slots: [Int], _ kind: Operation.Kind) {
        var operations: [Operation] = []
        operations.reserveCapacity(slots.count)
        for slot in slots {
            guard let operation = keys[slot].operation else { continue }
            operations.append(operation)
            keys[slot].operation = nil
            keys[slot].serial = 0
            keys[slot].underWay = operation
            // Only the last effect is what travels; the earlier ones on this key were overtaken.
            keys[slot].flying = keys[slot].attached
            keys[slot].attached = []
        }
        let id = nextBatchID
        nextBatchID += 1
        inFlight[id] = slots
        accounting.callsSent += 1
        accounting.operationsSent += operations.count
        actions.append(.send(OperationBatch(id: id, kind: kind, operations: operations)))
    }
}
