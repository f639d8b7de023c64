// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import Storage
import Telemetry

/// Compares ledger and tenant: builds the index at the first start, and finds drift once a day.
///
/// Source: OpenCTI → CrowdStrike Endpoint Security, 7.
struct Reconciler: Sendable {
    let falcon: FalconClient
    let store: any StateStore
    let model: IOCModel
    /// Creators whose indicators count as ours; nil for everybody's.
    let creators: [String]?
    let log: Log

    /// Reads all of our indicators at the tenant into the ledger, as found and not yet claimed. What the ledger knows
    /// already keeps its owners; where the tenant shows something else, it counts as uncertain.
    ///
    /// - Returns: how many there are.
    func buildIndex(flow: Int64, target: Int64, fencingToken: Int64) async throws -> Int {
        var filter = FQL.flag(.deleted, false)
        if let creators { filter = try FQL.any(.createdBy, creators) && filter }
        let whole = filter
        var total = 0
        let found = Counter()
        func page(_ after: String?) async throws(FalconError) -> FalconPage<IOC> {
            try await falcon.combinedIOCs(whole, after: after)
        }
        try await falcon.forEachPage(of: page) { rows in
            var commit = FlowCommit(flow: flow, target: target, fencingToken: fencingToken)
            let observed = rows.filter { !$0.row.isDeleted }.compactMap { model.observed($0) }
            let known = try await store.lookUp(
                LedgerQuery(target: target, flow: flow, sources: [], keys: observed.map(\.key)))
            let entries = Dictionary(known.map { ($0.key, $0) }) { first, _ in first }
            for entry in observed {
                var value = EntryChange.Value(remoteID: entry.remoteID, digest: entry.digest, state: .found)
                if let known = entries[entry.key], known.state != .absent, known.state != .found {
                    if known.remoteID == entry.remoteID, known.digest == entry.digest { continue }
                    // Not what its owners wanted when they were last heard: the next event on it compares anew instead
                    // of taking a repeated word for settled.
                    value.state = known.state
                    value.digest = Digest128(high: 0, low: 0)
                }
                commit.entries.append(EntryChange(key: entry.key, value: value))
            }
            if !commit.isEmpty { try await store.commit(commit) }
            await found.add(observed.count)
            return true
        }
        total = await found.count
        log.info("Read the tenant's custom indicators that are ours", .field("count", total))
        return total
    }

    private actor Counter {
        private(set) var count = 0
        func add(_ more: Int) { count += more }
    }

    /// Walks the ledger and looks each entry up at the tenant; what differs goes to the flow, which writes it again.
    ///
    /// Memory stays flat: 250 entries a call, at most four calls a second.
    func findDrift(
        flow: Int64, target: Int64, time: any TimeSource, tell: ([ObservedEntry]) async throws -> Void
    ) async throws -> Int {
        var after: Int64 = 0
        var drifted = 0
        while true {
            let page = try await store.entries(target: target, after: after, limit: 250)
            guard let last = page.last else { return drifted }
            after = last.id
            let ours = page.filter { !$0.remoteID.isEmpty && $0.state != .absent }
            var observed: [ObservedEntry] = []
            for ids in FalconClient.chunks(of: ours.map(\.remoteID)) {
                let live = try await falcon.iocs(Array(ids)).filter { !$0.row.isDeleted }
                let shown = Dictionary(live.map { ($0.row.id, $0) }) { first, _ in first }
                for entry in ours where ids.contains(entry.remoteID) {
                    guard let ioc = shown[entry.remoteID] else {
                        observed.append(
                            ObservedEntry(key: entry.key, remoteID: "", digest: Digest128(high: 0, low: 0)))
                        continue
                    }
                    // After its end Falcon sets the action to no_action by itself: that is no drift.
                    guard !ioc.row.isExpired, let now = model.observed(ioc) else { continue }
                    if now.digest != entry.digest { observed.append(now) }
                }
            }
            drifted += observed.count
            if !observed.isEmpty { try await tell(observed) }
            try await time.sleep(for: .milliseconds(250))
        }
    }
}
