// SPDX-License-Identifier: Apache-2.0

/// How an effect, and with it an item, ended. Every one of them ends in exactly one; metrics, tables and `explain` use
/// these names.
///
/// The order is “worst last”: an item's outcome is the greatest of its effects'.
public enum Outcome: Int, Sendable, Hashable, Comparable, CaseIterable, CustomStringConvertible {
    /// The target already stood as wanted; nothing was sent.
    case unchanged
    /// A later effect on the same key took its place before it was sent.
    case superseded
    /// Applied at the target.
    case delivered
    /// There was nothing to do for it: unsupported type, object without effect, held for later.
    case skipped
    /// A guard refused it.
    case vetoed
    /// Kept in the dead-letter table for a person.
    case deadLettered

    public static func < (left: Outcome, right: Outcome) -> Bool { left.rawValue < right.rawValue }

    /// Snake case, as in metric labels and the history table.
    public var description: String {
        switch self {
        case .unchanged: "unchanged"
        case .superseded: "superseded"
        case .delivered: "delivered"
        case .skipped: "skipped"
        case .vetoed: "vetoed"
        case .deadLettered: "dead_lettered"
        }
    }
}

/// Sums by outcome. `total` is what has ended; what was read is the total plus what is still open.
public struct OutcomeCounts: Sendable, Hashable {
    private var counts = [Int](repeating: 0, count: Outcome.allCases.count)

    public init() {}

    public subscript(outcome: Outcome) -> Int {
        get { counts[outcome.rawValue] }
        set { counts[outcome.rawValue] = newValue }
    }

    public var total: Int { counts.reduce(0, +) }

    public static func += (left: inout OutcomeCounts, right: OutcomeCounts) {
        for outcome in Outcome.allCases { left[outcome] += right[outcome] }
    }
}
