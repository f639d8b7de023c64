// SPDX-License-Identifier: Apache-2.0

import Base

/// Events that went out lately, so that an overlap sends none of them twice. Bounded: beyond it the oldest are forgotten,
/// and merge on the platform by their ids.
struct SeenEvents: Sendable {
    private struct Entry {
        let digest: Int
        let run: Int
    }
    private var entries: [String: Entry] = [:]
    private var order: [String] = []
    private var head = 0
    /// What can't be read has no id.
    private var unreadable: Set<Digest128> = []
    private static let most = 50_000

    /// Whether it went out as it is now.
    func knows(_ alert: Alert) -> Bool { entries[alert.id]?.digest == Self.digest(alert) }

    /// Whether it went out in a run, however it was then.
    func wasSent(_ alert: Alert, in run: Int) -> Bool { entries[alert.id]?.run == run }

    mutating func note(_ alert: Alert, run: Int) {
        let entry = Entry(digest: Self.digest(alert), run: run)
        if entries.updateValue(entry, forKey: alert.id) == nil { order.append(alert.id) }
        guard order.count - head > Self.most else { return }
        entries[order[head]] = nil
        head += 1
        if head > Self.most {
            order.removeFirst(head)
            head = 0
        }
    }

    /// - Returns: whether it is news.
    mutating func noteUnreadable(_ digest: Digest128) -> Bool {
        if unreadable.count >= 1000 { unreadable = [] }
        return unreadable.insert(digest).inserted
    }

    private static func digest(_ alert: Alert) -> Int {
        var hasher = Hasher()
        hasher.combine(alert.status)
        hasher.combine(alert.lastText)
        hasher.combine(alert.level)
        return hasher.finalize()
    }
}
