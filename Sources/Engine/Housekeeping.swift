// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import Telemetry

/// What a running flow picks up now and then: approvals, dead letters to retry, removals that were held back.
struct Housekeeping: Sendable {
    var isApproved = false
    var items: [Item] = []

    static func run(_ parts: Flow.Parts, flow: Int64) async -> Housekeeping {
        var result = Housekeeping()
        await parts.source.tend()
        do {
            if parts.status.isAwaitingApproval, try await parts.store.values(flow: flow)[FlowValues.approval] != nil {
                try await parts.store.setValues(flow: flow, [FlowValues.approval: [UInt8]?.none])
                result.isApproved = true
                parts.log.warning("Approved: the flow goes on")
            }
            result.items = try await retries(parts, flow: flow)
        } catch {
            parts.log.warning("Housekeeping failed and is tried again", .field("error", "\(error)"))
        }
        return result
    }

    private static func retries(_ parts: Flow.Parts, flow: Int64) async throws(StorageError) -> [Item] {
        var query = DeadLetterQuery()
        query.flow = flow
        query.retryOnly = true
        query.limit = 50
        var items: [Item] = []
        for letter in try await parts.store.deadLetters(query) {
            // The mark goes first: a letter that fails again must be asked for again, not tried for ever.
            _ = try await parts.store.markDeadLetters(ids: [letter.id], retry: false)
            guard var item = await parts.source.item(from: letter) else { continue }
            item.position = nil
            item.origin = .deadLetter(id: letter.id)
            items.append(item)
        }
        return items
    }

    /// Takes up what ``FlowCore`` held back while the recovery ran.
    static func heldRemovals(_ parts: Flow.Parts, flow: Int64) async -> [Item] {
        let runner = HeldRemoval.runner(flow: flow)
        do {
            let jobs = try await parts.store.dueJobs(runner: runner, at: parts.time.now, limit: 100_000)
            return jobs.compactMap { job in
                guard let held = HeldRemoval(bytes: job.payload) else { return nil }
                var item = Item(
                    group: SourcePosition(major: 0), position: nil, source: held.source, time: held.time,
                    label: "held_removal", effects: [.state(key: held.key, .remove(held.removal))])
                item.origin = .job(runner: runner, id: job.id)
                return item
            }
        } catch {
            parts.log.error("Held removals could not be read", .field("error.code", error.code.text))
            return []
        }
    }

    /// The sweep after this recovery is through.
    static func noteSweep(_ parts: Flow.Parts, flow: Int64, generation: Int64) async {
        do {
            try await parts.store.setValues(flow: flow, [FlowValues.sweepDone: Array(String(generation).utf8)])
        } catch {
            // The next start sweeps again and finds nothing.
            parts.log.warning("The end of the sweep could not be noted", .field("error.code", error.code.text))
        }
    }

    /// Removes what has served: dead letters that went through, jobs that were done.
    static func tidy(_ ended: [FlowCore.Ended], store: any StateStore, log: Log) async {
        do throws(StorageError) {
            for entry in ended {
                switch entry.origin {
                case .deadLetter(let id) where entry.outcome != .deadLettered:
                    _ = try await store.removeDeadLetters(ids: [id])
                case .deadLetter: break
                case .job(let runner, let id):
                    try await store.deleteJob(runner: runner, id: id, history: [])
                }
            }
        } catch {
            log.warning("Tidying up failed", .field("error.code", error.code.text))
        }
    }
}

/// Owners that a complete recovery has not shown.
enum Sweep {
    static func items(_ entries: [LedgerEntry], flow: Int64, below generation: Int64) -> [Item] {
        entries.flatMap { entry in
            entry.owners.filter { $0.flow == flow && $0.generation < generation }.map { owner in
                Item(
                    group: SourcePosition(major: 0), position: nil, source: owner.source, time: owner.event,
                    label: "sweep", effects: [.state(key: entry.key, .sweep)])
            }
        }
    }
}
