// SPDX-License-Identifier: Apache-2.0

/// Keeps one sentence from filling the log: the first few of an interval pass, the rest is counted and told in one line.
struct RepeatLimiter {
    struct Key: Hashable {
        let message: StaticName
        let level: LogLevel
        /// Of the context: two flows do not silence each other.
        let context: Int
    }

    /// What was held back in an interval that is over.
    struct Summary {
        let message: StaticString
        let level: LogLevel
        let context: [LogField]
        let count: UInt64
    }

    private struct Entry {
        let context: [LogField]
        var start: Duration
        var passed = 0
        var heldBack: UInt64 = 0
    }

    /// Beyond so many different sentences at a time, new ones pass unlimited.
    private static let maxEntries = 1024

    let limit: Int
    let interval: Duration
    private var entries: [Key: Entry] = [:]
    /// Lines held back and not yet told.
    private(set) var heldBack: UInt64 = 0

    init(limit: Int, interval: Duration) {
        self.limit = limit
        self.interval = interval
    }

    /// Whether the line may be written. `due` is what was held back of the same sentence in the interval before.
    mutating func admit(
        _ key: Key, context: [LogField], at now: Duration
    ) -> (isAdmitted: Bool, due: Summary?) {
        guard var entry = entries[key] else {
            if entries.count >= Self.maxEntries {
                entries = entries.filter { now - $0.value.start < interval || $0.value.heldBack > 0 }
            }
            if entries.count < Self.maxEntries { entries[key] = Entry(context: context, start: now, passed: 1) }
            return (true, nil)
        }
        var due: Summary?
        if now - entry.start >= interval {
            due = takeSummary(of: key, entry)
            entry = Entry(context: context, start: now)
        }
        let isAdmitted = entry.passed < limit
        if isAdmitted {
            entry.passed += 1
        } else {
            entry.heldBack += 1
            heldBack += 1
        }
        entries[key] = entry
        return (isAdmitted, due)
    }

    /// What intervals that are over have held back; all of it with `isFinal`.
    mutating func takeDue(at now: Duration, isFinal: Bool = false) -> [Summary] {
        var due: [Summary] = []
        for (key, entry) in entries where isFinal || now - entry.start >= interval {
            if let summary = takeSummary(of: key, entry) { due.append(summary) }
            entries[key] = nil
        }
        return due
    }

    private mutating func takeSummary(of key: Key, _ entry: Entry) -> Summary? {
        guard entry.heldBack > 0 else { return nil }
        heldBack -= entry.heldBack
        return Summary(
            message: key.message.text, level: key.level, context: entry.context, count: entry.heldBack)
    }
}
