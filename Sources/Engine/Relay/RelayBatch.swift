// SPDX-License-Identifier: Apache-2.0

public import Base
public import Storage
import Synchronization

/// A run of records of one partition, laid out as the target wants them: what a ``Relay`` moves.
///
/// A relay's unit is the batch, not the record: at 200,000 records a second nothing may happen per record but the reading
/// itself. Everything that is known of single records is where they end.
public struct RelayBatch: Sendable {
    /// Which checkpoint moves once this batch and all before it are taken; empty for records that come from elsewhere than
    /// the source.
    public var partition: String
    /// Of the last record that has one.
    public var position: UInt64?
    /// Frame and records.
    public var bytes: [UInt8]
    /// Where the first record begins.
    public var start: Int
    /// Where each record ends in ``bytes``; between two of them stands the separator that the format wants.
    public var ends: [Int]
    /// How many bytes separate two records.
    public var separator: Int
    /// Records that were read and can't be sent: they are put aside with this batch's commit.
    public var deadLetters: [DeadLetter] = []
    /// Records that were read and are wanted by nobody: repeats, those before the start.
    public var skipped = 0
    /// Durable work that follows from the records, inserted with this batch's commit.
    public var jobs: [Job] = []
    /// What to tidy up once it is committed.
    public var origin: Item.Origin?
    /// When the last record came to be at its source.
    public var newest: Instant?

    public init(
        partition: String, position: UInt64? = nil, bytes: [UInt8] = [], start: Int = 0, ends: [Int] = [],
        separator: Int = 0
    ) {
        self.partition = partition
        self.position = position
        self.bytes = bytes
        self.start = start
        self.ends = ends
        self.separator = separator
    }

    public var count: Int { ends.count }
    /// Everything that was read for it.
    public var read: Int { ends.count + deadLetters.count + skipped }

    /// The bytes of one record, in the target's form.
    public func range(_ index: Int) -> Range<Int> {
        (index == 0 ? start : ends[index - 1] + separator)..<ends[index]
    }

    /// The bytes of several, with what separates them.
    public func range(_ records: Range<Int>) -> Range<Int> {
        range(records.lowerBound).lowerBound..<ends[records.upperBound - 1]
    }
}

/// What a relay writes to. No method throws: every failure is a result that says what to do with it.
public protocol RelaySink: Sendable {
    /// Appends all records of a batch, in order. Called again with the same batch after ``RecordResult/retry(after:code:reason:)``.
    func append(_ batch: RelayBatch) async -> RecordResult
    /// A record as it came from the source, for the dead-letter table.
    func input(_ index: Int, of batch: RelayBatch) -> [UInt8]
}

/// Buffers of batches that are done, for the next ones: giving a megabyte back to the system and asking for it again costs
/// as much as filling it.
public final class SpareBuffers: Sendable {
    private let limit: Int
    private let largest: Int
    private let buffers = Mutex<[[UInt8]]>([])

    /// - Parameters:
    ///   - limit: how many are kept.
    ///   - largest: bytes of room beyond which one is not kept: what a single long record has made it is seldom needed.
    public init(limit: Int, largest: Int) {
        self.limit = limit
        self.largest = largest
    }

    /// One with room for at least so many bytes, and with some content or other.
    public func take(room: Int) -> [UInt8]? {
        buffers.withLock { buffers in
            guard let last = buffers.popLast() else { return nil }
            return last.capacity >= room ? last : nil
        }
    }

    /// Nobody else may write to it any more.
    public func give(_ buffer: [UInt8]) {
        guard !buffer.isEmpty, buffer.capacity <= largest else { return }
        buffers.withLock { if $0.count < limit { $0.append(buffer) } }
    }
}
