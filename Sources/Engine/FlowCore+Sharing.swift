// SPDX-License-Identifier: Apache-2.0

public import Base
import Storage

/// Keys that several flows of one target want. Each flow reads the ledger when a key comes into play; what another commits
/// after that is read anew, so that both end with the same owners, and whoever wrote last writes what all of them want.
extension FlowCore {
    /// Another flow of this target has committed changes of these keys.
    public mutating func changedElsewhere(_ changed: [Digest128], at now: Moment) {
        var slots: [Int] = []
        var query = LedgerQuery(target: identity.target, flow: identity.flow, sources: [], keys: [])
        var seen: Set<Digest128> = []
        for key in changed where seen.insert(key).inserted {
            guard let slot = keys.slot(of: key) else {
                for index in reads.indices where !reads[index].isResolved && !reads[index].sources.isEmpty {
                    reads[index].outdated.insert(key)
                }
                continue
            }
            let isOpen =
                keys[slot].operation != nil || keys[slot].underWay != nil || keys[slot].isEntryDirty
                || keys[slot].isCommitting || keys[slot].isDoubtful
            if isOpen { keys[slot].isContested = true }
            cancelOperation(slot)
            keys[slot].reloads += 1
            keys[slot].uses += 1
            slots.append(slot)
            query.keys.append(key)
        }
        guard !slots.isEmpty else { return }
        let next = window.nextNumber
        enqueue(query, numbers: next..<next, slots: slots, reloads: true, at: now)
    }

    /// Our own owners are newer in memory than in the ledger, those of the others there.
    mutating func reload(_ key: Digest128, _ entry: LedgerEntry?, at now: Moment) {
        guard let slot = keys.slot(of: key) else { return }
        keys[slot].reloads -= 1
        let former = keys[slot].owners
        let mine = former.filter { $0.flow == identity.flow }
        let isOurs = keys[slot].isContested || keys[slot].underWay != nil || keys[slot].isEntryDirty
        if isOurs { keys[slot].isContested = true }
        // What we have taken away, the other may have written after us: better a call for nothing than a leftover.
        let isGone = keys[slot].state == nil || keys[slot].state == .absent
        if !isOurs || isGone {
            keys[slot].state = entry?.state ?? (mine.isEmpty ? nil : .absent)
            keys[slot].remoteID = entry?.remoteID ?? ""
            keys[slot].digest = entry?.digest ?? .zero
        }
        keys[slot].entryID = entry?.id ?? 0
        keys[slot].owners = mine + (entry?.owners ?? []).filter { $0.flow != identity.flow }
        // A row that was made anew has none of ours.
        let kept = Set((entry?.owners ?? []).filter { $0.flow == identity.flow }.map(\.source))
        for owner in mine where !kept.contains(owner.source) && !keys[slot].dirtyOwners.contains(owner.source) {
            keys[slot].dirtyOwners.append(owner.source)
            list(slot, at: now)
        }
        // All have left, each in the belief that another stays: nobody is there to take it away.
        if keys[slot].owners.isEmpty, keys[slot].removal == nil {
            let last = (former + (entry?.owners ?? [])).max { $0.event < $1.event }
            if keys[slot].lastRemoval == nil, let last {
                keys[slot].lastRemoval = model.removal(of: last.contribution, by: [])
            }
            keys[slot].removal = keys[slot].lastRemoval
        }
        settleContest(slot, at: now)
        decide(slot, at: now)
    }

    /// Once the answers are in: what stands at the target is uncertain, its id there included. So the next decision writes
    /// what is wanted, or looks for what is to be taken away.
    mutating func settleContest(_ slot: Int, at now: Moment) {
        guard keys[slot].isContested, keys[slot].reloads == 0, keys[slot].underWay == nil else { return }
        keys[slot].isContested = false
        keys[slot].isDoubtful = true
        if keys[slot].owners.isEmpty {
            if keys[slot].removal == nil { keys[slot].removal = keys[slot].lastRemoval }
            if keys[slot].state != nil { forget(slot, at: now) }
        } else if keys[slot].state != nil {
            keys[slot].digest = .zero
            keys[slot].isEntryDirty = true
            list(slot, at: now)
        }
        decide(slot, at: now)
    }

    /// Nothing is known of the key at the target any more.
    mutating func forget(_ slot: Int, at now: Moment) {
        if let state = keys[slot].state, state != .absent { entryCount -= 1 }
        keys[slot].state = nil
        keys[slot].remoteID = ""
        keys[slot].digest = .zero
        keys[slot].isEntryDirty = true
        list(slot, at: now)
    }
}
