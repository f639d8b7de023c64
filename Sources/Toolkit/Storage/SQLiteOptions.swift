// SPDX-License-Identifier: Apache-2.0

import Base

/// What an ``SQLiteStore`` may use of memory, disk and time. The defaults carry a ledger of a million keys.
public struct SQLiteOptions: Sendable {
    /// Page cache in KiB. A commit that changes more pages than fit writes them early; a larger cache was not faster.
    public var cacheKiB = 8 << 10
    /// Pages of 4 KiB in the write-ahead log before it is folded into the file.
    public var checkpointPages = 4000
    /// How long a write waits for another process (`sallyport dlq retry`, a backup) before it is refused as busy.
    public var busyTimeout: Duration = .seconds(5)

    /// History older than this goes at the next ``SQLiteStore/maintain(now:)``.
    public var historyAge: Duration = .seconds(90 * 86_400)
    /// Rows of history kept, the newest; about 130 bytes each.
    public var historyRows = 1_000_000
    /// Dead letters kept; beyond, the oldest go and are counted (`dead_letters_evicted` in ``SQLiteStore/facts()``).
    public var deadLetterRows = 100_000
    /// Bytes of dead letters' inputs kept. The newest letter stays even if it alone is larger.
    public var deadLetterBytes = 256 << 20
    /// Finished acts older than this are forgotten: an equal act is then done again.
    public var actAge: Duration = .seconds(365 * 86_400)
    /// Attempt counts that were not touched for this long are forgotten.
    public var attemptAge: Duration = .seconds(7 * 86_400)

    /// Files up to this size are checked wholly at every start.
    public var smallFileBytes: Int64 = 16 << 20
    /// Time for checking a larger file after its owner was killed; tables that it does not suffice for go unchecked.
    public var integrityBudget: Duration = .seconds(1)

    /// Pointers kept in the small tree, see `PointerIndex`; about 43 bytes of page cache each.
    var recentPointers = 60_000
    /// For tests of a full disk; 0 is SQLite's own limit.
    var maxPages = 0
    /// For tests of migrations.
    var schema = Schema.current
    /// Paces the integrity check.
    var time: any TimeSource = SystemTime()

    public init() {}
}
