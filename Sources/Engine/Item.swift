// SPDX-License-Identifier: Apache-2.0

public import Base
public import Storage

/// A place in a source, ordered: OpenCTI's `<ms>-<seq>`, a Falcon offset, a delivery number.
public struct SourcePosition: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let major: UInt64
    public let minor: UInt64

    public init(major: UInt64, minor: UInt64 = 0) {
        self.major = major
        self.minor = minor
    }

    /// Reads `<major>-<minor>` or `<major>`.
    public init?(parsing text: some StringProtocol) {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard let major = UInt64(parts[0]) else { return nil }
        guard parts.count == 2 else {
            self.init(major: major)
            return
        }
        guard let minor = UInt64(parts[1]) else { return nil }
        self.init(major: major, minor: minor)
    }

    public static func < (left: SourcePosition, right: SourcePosition) -> Bool {
        left.major != right.major ? left.major < right.major : left.minor < right.minor
    }

    public var description: String { "\(major)-\(minor)" }
}

/// A part of a chunk that was read: kept as it came, for the dead-letter table, without a copy.
public struct InputSlice: Sendable {
    public let chunk: [UInt8]
    public let range: Range<Int>

    public init(chunk: [UInt8], range: Range<Int>) {
        self.chunk = chunk
        self.range = range
    }

    public init(_ bytes: [UInt8]) { self.init(chunk: bytes, range: 0..<bytes.count) }

    public var bytes: [UInt8] { Array(chunk[range]) }
}

/// One thing that was read, already translated: the facts and the effects that follow from them.
public struct Item: Sendable {
    /// The source's own id. Ids repeat (OpenCTI sends dependencies before their object under one id), so a checkpoint
    /// stays before an id until a different one has arrived.
    public var group: SourcePosition
    /// What a checkpoint may say once this item and its whole group are done; `nil` for items that come from elsewhere
    /// than the source (retried dead letters, sweeps).
    public var position: SourcePosition?
    /// Who contributes: the stable id of the indicator.
    public var source: Digest128
    /// When the source's object last changed; of two contributions by one source the later stands.
    public var time: Instant
    /// The event's name, for history: `create`, `update`, `delete`.
    public var label: String
    public var effects: [Effect]
    /// The effects name everything this source wants: what it owned and no longer names is removed with ``removal``.
    public var replacesSource = false
    /// How values leave that this item no longer names; the connector's contribution encoding.
    public var removal: [UInt8] = []
    /// Why there is no effect; nil when there are effects or the item only moves the position.
    public var note: Note?
    public var input: InputSlice?
    public var marker: Marker?
    /// What to tidy up once this item is committed.
    public var origin: Origin?

    /// The reason of an item without effects.
    public struct Note: Sendable {
        public var outcome: Outcome
        public var code: String
        public var reason: String
        /// Worth a row in the history? Dependencies of indicators, for example, are not.
        public var isQuiet: Bool
        public init(_ outcome: Outcome, code: String, reason: String, isQuiet: Bool = false) {
            self.outcome = outcome
            self.code = code
            self.reason = reason
            self.isQuiet = isQuiet
        }
    }

    public enum Marker: Sendable, Hashable {
        /// Everything before this item belongs to the recovery, which is complete once that is done.
        case recoveryEnd
    }

    /// Where an item comes from that the source did not send.
    public enum Origin: Sendable, Hashable {
        case deadLetter(id: Int64)
        case job(runner: String, id: String)
    }

    public init(
        group: SourcePosition, position: SourcePosition?, source: Digest128, time: Instant, label: String,
        effects: [Effect] = []
    ) {
        self.group = group
        self.position = position
        self.source = source
        self.time = time
        self.label = label
        self.effects = effects
    }
}

/// What follows from an item.
public enum Effect: Sendable {
    /// How a key shall stand at the target. Effects on one key fold to the last.
    case state(key: Digest128, StateChange)
    /// Bytes to append: never folded, in order within a batch.
    case record([UInt8])
    /// Changes the world once; its intent is durable before the call.
    case act(Act)
    /// Durable work, inserted with the item's commit.
    case job(Job)
    /// A part of the item that gives nothing, with its reason.
    case skip(code: String, reason: String)
}

public enum StateChange: Sendable {
    /// This source wants the key to stand, with this contribution.
    case upsert([UInt8])
    /// This source no longer wants it. The contribution says how it leaves (tags of a soft delete).
    case remove([UInt8])
    /// The complete recovery has not shown it any more: removed if it was last seen before that recovery.
    case sweep
}
