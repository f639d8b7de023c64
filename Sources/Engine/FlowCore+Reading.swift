// SPDX-License-Identifier: Apache-2.0

import Base
public import Storage

extension FlowCore {
    /// Takes a batch that was read and translated. Asks the ledger once for all its keys and sources.
    public mutating func read(_ items: [Item], at now: Moment) {
        guard !items.isEmpty else { return }
        let start = window.nextNumber
        var slots: [Int] = []
        var query = LedgerQuery(target: identity.target, flow: identity.flow, sources: [], keys: [])
        for item in items {
            var state = ItemState(item: item)
            state.openEffects = item.effects.count
            state.isTracked = item.replacesSource || !item.effects.isEmpty
            window.append(state)
            accounting.itemsRead += 1
            accounting.itemsOpen += 1
            accounting.effectsRead += item.effects.count
            accounting.effectsOpen += item.effects.count
            guard state.isTracked else { continue }
            if let known = sources[item.source] {
                // What it owns may have been let go of in the meantime; an item that replaces it all needs it again.
                if item.replacesSource { for key in known.owned { hold(key, in: &slots, asking: &query) } }
            } else {
                sources[item.source] = SourceState()
                query.sources.append(item.source)
            }
            sources[item.source]?.uses += 1
            for case .state(let key, _) in item.effects { hold(key, in: &slots, asking: &query) }
        }
        enqueue(query, numbers: start..<window.nextNumber, slots: slots, at: now)
    }

    /// Takes what the target shows of keys that may have drifted from the ledger.
    public mutating func observe(_ observed: [ObservedEntry], at now: Moment) {
        var slots: [Int] = []
        var query = LedgerQuery(target: identity.target, flow: identity.flow, sources: [], keys: [])
        for entry in observed { hold(entry.key, in: &slots, asking: &query) }
        let next = window.nextNumber
        enqueue(query, numbers: next..<next, slots: slots, observed: observed, at: now)
    }

    private mutating func hold(_ key: Digest128, in slots: inout [Int], asking query: inout LedgerQuery) {
        let (slot, isNew) = keys.obtain(key)
        if isNew { query.keys.append(key) }
        keys[slot].uses += 1
        slots.append(slot)
    }

    mutating func enqueue(
        _ query: LedgerQuery, numbers: Range<UInt64>, slots: [Int], observed: [ObservedEntry] = [],
        reloads: Bool = false, at now: Moment
    ) {
        let id = nextReadID
        nextReadID += 1
        let isResolved = query.sources.isEmpty && query.keys.isEmpty
        reads.append(
            PendingRead(
                id: id, numbers: numbers, isResolved: isResolved, slots: slots, asked: query.keys,
                sources: query.sources, observed: observed,
                reloaded: reloads ? Dictionary(uniqueKeysWithValues: query.keys.map { ($0, nil) }) : [:]))
        if isResolved { applyReads(at: now) } else { actions.append(.lookUp(id: id, query)) }
    }

    /// Takes the ledger's answer to a ``Action/lookUp(id:_:)``.
    public mutating func resolved(_ id: UInt64, entries: [LedgerEntry], at now: Moment) {
        guard let index = reads.firstIndex(where: { $0.id == id }) else { return }
        let asked = Set(reads[index].sources)
        for entry in entries {
            let (slot, isNew) = keys.obtain(entry.key)
            if isNew {
                keys[slot].uses += 1
                reads[index].slots.append(slot)
            }
            // A key that is in play already is newer in memory than in the answer.
            if !keys[slot].isLoaded { load(entry, into: slot) }
            if reads[index].reloaded[entry.key] != nil { reads[index].reloaded[entry.key] = .some(entry) }
            guard !asked.isEmpty else { continue }
            for owner in keys[slot].owners where owner.flow == identity.flow && asked.contains(owner.source) {
                sources[owner.source]?.owned.append(entry.key)
            }
        }
        for key in reads[index].asked { if let slot = keys.slot(of: key) { keys[slot].isLoaded = true } }
        for source in reads[index].sources { sources[source]?.isLoaded = true }
        reads[index].isResolved = true
        let outdated = reads[index].outdated
        if !outdated.isEmpty { changedElsewhere(entries.map(\.key).filter { outdated.contains($0) }, at: now) }
        applyReads(at: now)
    }

    private mutating func load(_ entry: LedgerEntry, into slot: Int) {
        keys[slot].isLoaded = true
        keys[slot].entryID = entry.id
        keys[slot].state = entry.state
        keys[slot].remoteID = entry.remoteID
        keys[slot].digest = entry.digest
        keys[slot].owners = entry.owners
    }

    private mutating func applyReads(at now: Moment) {
        var done = 0
        while done < reads.count, reads[done].isResolved {
            let read = reads[done]
            for number in read.numbers { apply(number, at: now) }
            for entry in read.observed { apply(entry, at: now) }
            if !read.reloaded.isEmpty { for key in read.asked { reload(key, read.reloaded[key] ?? nil, at: now) } }
            for slot in read.slots {
                keys[slot].uses -= 1
                retireIfIdle(slot)
            }
            done += 1
        }
        reads.removeFirst(done)
        releaseRetired()
        // Once for all that was read: the first record alone would make a batch of its own.
        startRecords(at: now)
        startActs()
        advance(at: now)
        tick(at: now)
    }

    private mutating func apply(_ number: UInt64, at now: Moment) {
        let item = window[number].item
        window[number].isApplied = true
        window[number].item.effects = []
        if item.effects.isEmpty, let note = item.note {
            window[number].outcome = note.outcome
            if !note.isQuiet { remember(item, note: note, at: now) }
        }
        // What the source owned before this item, read before the item's own effects change it.
        let owned = item.replacesSource ? sources[item.source]?.owned ?? [] : []
        let reference = EffectReference(number: number, source: item.source)
        var named: Set<Digest128> = []
        for effect in item.effects {
            switch effect {
            case .state(let key, let change):
                named.insert(key)
                apply(change, to: key, of: item, reference, at: now)
            case .record(let bytes):
                records.append(bytes, for: reference)
            case .act(let act):
                acts.append(act, for: reference)
            case .job(let job):
                outbox.jobs.append(job)
                end(reference, .delivered, code: "job", reason: job.runner, key: nil, at: now)
            case .skip(let code, let reason):
                end(reference, .skipped, code: code, reason: reason, key: nil, at: now)
            }
        }
        for key in owned where !named.contains(key) {
            guard let slot = keys.slot(of: key) else { continue }
            let mine = keys[slot].owners.first { $0.flow == identity.flow && $0.source == item.source }
            guard let mine else { continue }
            accounting.effectsRead += 1
            accounting.effectsOpen += 1
            window[number].openEffects += 1
            let removal = model.removal(of: mine.contribution, by: item.removal)
            apply(.remove(removal), to: key, of: item, reference, at: now)
        }
    }

    private mutating func apply(
        _ change: StateChange, to key: Digest128, of item: Item, _ reference: EffectReference, at now: Moment
    ) {
        guard let slot = keys.slot(of: key) else {
            // `read` holds a slot for every key it names: only a caller's mistake ends here, and it is not swallowed.
            end(reference, .deadLettered, code: "engine.key", reason: "the key is not in play", key: key, at: now)
            return
        }
        let index = keys[slot].owners.firstIndex { $0.flow == identity.flow && $0.source == item.source }
        if let index, item.time < keys[slot].owners[index].event {
            // A source that still wants the key: a recovery shows objects with the time of their own last change, which
            // may lie before that of an event about their relations.
            if case .upsert = change { markSeen(slot, owner: index, at: now) }
            end(reference, .superseded, code: "stale", reason: "a later change is known", key: key, at: now)
            return
        }
        switch change {
        case .upsert(let contribution):
            // A repeated contribution is news only where others compete: the latest event stands.
            if let index, keys[slot].owners[index].contribution == contribution,
                keys[slot].owners.count == 1 || keys[slot].owners[index].event == item.time
            {
                markSeen(slot, owner: index, at: now)
                if isSettled(slot) {
                    end(reference, .unchanged, code: "unchanged", reason: "", key: key, at: now)
                    return
                }
            } else {
                adopt(contribution, from: item, slot: slot, owner: index, at: now)
            }
            keys[slot].removal = nil
            keys[slot].lastRemoval = nil
            keys[slot].mayRemove = false
        case .remove(let removal):
            if let index {
                disown(slot, owner: index, at: now)
            } else if !keys[slot].owners.isEmpty {
                end(reference, .unchanged, code: "not_an_owner", reason: "others want it", key: key, at: now)
                return
            }
            leave(slot, by: removal)
        case .sweep:
            guard let index, keys[slot].owners[index].generation < generation else {
                end(reference, .unchanged, code: "seen", reason: "the recovery has shown it", key: key, at: now)
                return
            }
            let removal = model.removal(of: keys[slot].owners[index].contribution, by: [])
            disown(slot, owner: index, at: now)
            leave(slot, by: removal)
        }
        keys[slot].attached.append(reference)
        decide(slot, at: now)
    }

    /// The target holds exactly what the owners want, nothing is on its way.
    private func isSettled(_ slot: Int) -> Bool {
        keys[slot].state == .present && keys[slot].digest != .zero && keys[slot].operation == nil
            && keys[slot].underWay == nil && keys[slot].attached.isEmpty && keys[slot].removal == nil
    }

    private mutating func adopt(
        _ contribution: [UInt8], from item: Item, slot: Int, owner index: Int?, at now: Moment
    ) {
        let owner = LedgerOwner(
            flow: identity.flow, source: item.source, event: item.time, generation: generation,
            contribution: contribution)
        if let index {
            keys[slot].owners[index] = owner
        } else {
            keys[slot].leaving.removeAll { $0.source == item.source }
            keys[slot].owners.append(owner)
            sources[item.source]?.owned.append(keys[slot].key)
        }
        noteOwnerChange(slot, source: item.source, at: now)
    }

    private mutating func disown(_ slot: Int, owner index: Int, at now: Moment) {
        let owner = keys[slot].owners.remove(at: index)
        let source = owner.source
        keys[slot].leaving.append(owner)
        keys[slot].hasLostOwner = !keys[slot].owners.isEmpty
        if var state = sources[source] {
            state.owned.removeAll { $0 == keys[slot].key }
            sources[source] = state
        }
        noteOwnerChange(slot, source: source, at: now)
    }

    private mutating func leave(_ slot: Int, by removal: [UInt8]) {
        keys[slot].lastRemoval = removal
        if keys[slot].owners.isEmpty { keys[slot].removal = removal }
    }

    private mutating func markSeen(_ slot: Int, owner index: Int, at now: Moment) {
        guard keys[slot].owners[index].generation < generation else { return }
        keys[slot].owners[index].generation = generation
        keys[slot].marked.append(keys[slot].owners[index].source)
        list(slot, at: now)
    }

    private mutating func noteOwnerChange(_ slot: Int, source: Digest128, at now: Moment) {
        if !keys[slot].dirtyOwners.contains(source) { keys[slot].dirtyOwners.append(source) }
        list(slot, at: now)
    }

    private mutating func apply(_ entry: ObservedEntry, at now: Moment) {
        guard let slot = keys.slot(of: entry.key), keys[slot].operation == nil, keys[slot].underWay == nil,
            !keys[slot].isAsking
        else { return }
        if keys[slot].remoteID == entry.remoteID, keys[slot].digest == entry.digest { return }
        if entry.remoteID.isEmpty {
            guard keys[slot].state != nil, keys[slot].state != .absent else { return }
            entryCount -= 1
            keys[slot].state = keys[slot].owners.isEmpty ? nil : .absent
            keys[slot].remoteID = ""
            keys[slot].digest = .zero
            keys[slot].isEntryDirty = true
            list(slot, at: now)
            decide(slot, at: now)
            return
        }
        if keys[slot].state == nil || keys[slot].state == .absent {
            if keys[slot].state == nil { entryCount += 1 }
            keys[slot].state = .found
        }
        keys[slot].remoteID = entry.remoteID
        keys[slot].digest = entry.digest
        keys[slot].isEntryDirty = true
        list(slot, at: now)
        decide(slot, at: now)
    }
}
