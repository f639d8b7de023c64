// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import Telemetry

/// Keeps the tenant under the ceiling of custom indicators: expired ones of ours make room first, then creating waits.
///
/// Source: Falcon API surface, 4.1 (1,000,000 indicators a CID).
actor Quota {
    private let ceiling: Int
    private let ownClientIDs: [String]
    private let time: any TimeSource
    /// Our indicators at the tenant, as far as we know.
    private var count: Int
    private var nextSweep: Duration = .zero
    private let log: Log

    init(ceiling: Int, count: Int, ownClientIDs: [String], time: any TimeSource, log: Log) {
        self.ceiling = ceiling
        self.count = count
        self.ownClientIDs = ownClientIDs
        self.time = time
        self.log = log
    }

    func set(count: Int) { self.count = count }

    /// How many of `wanted` may be created now.
    func room(for wanted: Int, in sink: FalconSink) async -> Int {
        if count + wanted > ceiling { await makeRoom(in: sink) }
        let granted = max(0, min(wanted, ceiling - count))
        count += granted
        return granted
    }

    /// The tenant says that it is full, whatever we counted: others use it too.
    func isExceeded() { count = max(count, ceiling) }

    /// Deletes what has expired, at most once in ten minutes. The ledger learns of it when an event touches the value:
    /// its update then finds nothing and becomes a create.
    private func makeRoom(in sink: FalconSink) async {
        guard time.uptime >= nextSweep else { return }
        nextSweep = time.uptime + .seconds(600)
        do {
            let filter = try FQL.any(.createdBy, ownClientIDs) && FQL.flag(.expired, true) && FQL.flag(.deleted, false)
            var freed = 0
            while true {
                let page = try await sink.falcon.searchIOCs(filter)
                if page.rows.isEmpty { break }
                for ids in FalconClient.chunks(of: page.rows) {
                    _ = try await sink.falcon.deleteIOCs(Array(ids), comment: "expired; makes room for new indicators")
                    freed += ids.count
                }
                if page.rows.count < FalconClient.maxPage { break }
            }
            count = max(0, count - freed)
            log.warning("Expired indicators were deleted to make room", .field("count", freed))
        } catch {
            log.warning("Making room among expired indicators failed", .cause(error))
        }
    }
}
