// SPDX-License-Identifier: Apache-2.0

public import Base

/// The bounds of one flow. Every buffer of the engine is bounded by one of these.
public struct FlowLimits: Sendable, Hashable {
    /// Operations a call.
    public var batchSize = 200
    /// Calls under way at once.
    public var maxInFlight = 10
    /// How long a batch that is not full waits for more.
    public var linger = Duration.milliseconds(250)
    /// Ledger rows that make a commit due, and how long fewer may wait.
    public var commitRows = 4000
    public var commitDelay = Duration.milliseconds(100)
    /// How long a mere move of the checkpoint may wait.
    public var checkpointDelay = Duration.seconds(1)
    /// Items and effects between reading and commit; beyond them reading pauses.
    public var windowItems = 8_000
    public var windowEffects = 16_000
    /// Bytes of input held for them.
    public var windowBytes = 6 << 20
    /// Records a batch, bytes a batch, and batches under way (1 keeps strict order).
    public var recordBatch = 1000
    public var recordBytes = 1 << 20
    public var recordsInFlight = 4
    /// Acts under way at once.
    public var maxActs = 4
    /// Tries after which an operation travels alone, so that it can't hold up its neighbours.
    public var triesBeforeAlone = 4
    /// Tries after which an operation that fails while others succeed becomes a dead letter.
    public var triesBeforeDeadLetter = 12

    public init() {}
}

/// Both clocks at one moment; the core has no clock of its own.
public struct Moment: Sendable, Hashable {
    public var uptime: Duration
    public var wall: Instant

    public init(uptime: Duration, wall: Instant) {
        self.uptime = uptime
        self.wall = wall
    }

    public init(_ time: some TimeSource) {
        uptime = time.uptime
        wall = time.now
    }
}

/// More removals than this within the hour stop a flow until somebody approves.
public struct DeleteCeiling: Sendable, Hashable {
    /// Both must be exceeded.
    public var count: Int
    /// Share of our entries at the target, 0…1.
    public var share: Double
    public var window: Duration

    public init(count: Int = 1000, share: Double = 0.2, window: Duration = .seconds(3600)) {
        self.count = count
        self.share = share
        self.window = window
    }
}
