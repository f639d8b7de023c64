// SPDX-License-Identifier: Apache-2.0

/// Commits that have arrived and are not yet written, in the order of their tickets.
struct CommitQueue: Sendable {
    private var waiting: [(ticket: UInt64, commit: FlowCommit)] = []
    private var lastTicket: UInt64 = 0

    mutating func append(_ commit: FlowCommit) -> UInt64 {
        lastTicket += 1
        waiting.append((lastTicket, commit))
        return lastTicket
    }

    mutating func takeAll() -> [(ticket: UInt64, commit: FlowCommit)] {
        defer { waiting = [] }
        return waiting
    }
}
