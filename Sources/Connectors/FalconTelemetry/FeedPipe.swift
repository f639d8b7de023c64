// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import Synchronization

/// What reaches the batching of a feed.
enum FeedInput: Sendable {
    /// Events before that moment (milliseconds) are left out from now on.
    case connected(notBefore: Int64?)
    case piece([UInt8])
    /// The connection is over; said back through the channel once everything before it has been taken in.
    case ended(BoundedChannel<Void>)
    case tick
}

/// One feed from its first listing to the end of the run, whatever connections it has in between.
final class FeedPipe: Sendable {
    struct Snapshot: Sendable {
        var counts = LineBatcher.Counts()
        var lastOffset: UInt64 = 0
        var isConnected = false
        var connections = 0
        /// Milliseconds: when the newest event of the last batch came to be.
        var newest: Instant?
        /// When it last lost its connection, or was made.
        var disconnectedSince: Duration
        var end: String?
        /// When the first of its connections was made.
        var firstConnected: Instant?
        /// When the piece came that waits to be taken in.
        var waitingSince: Duration?
    }

    let root: String
    /// Small: the pieces in it are all that is read ahead of the batching.
    let inputs = BoundedChannel<FeedInput>(capacity: 2)
    private let state: Mutex<Snapshot>

    init(root: String, lastOffset: UInt64, now: Duration) {
        self.root = root
        var snapshot = Snapshot(disconnectedSince: now)
        snapshot.lastOffset = lastOffset
        state = Mutex(snapshot)
    }

    var snapshot: Snapshot { state.withLock { $0 } }
    var lastOffset: UInt64 { state.withLock { $0.lastOffset } }
    var waitingSince: Duration? { state.withLock { $0.waitingSince } }

    func isWaiting(since moment: Duration?) { state.withLock { $0.waitingSince = moment } }

    func connected(at now: Instant) {
        state.withLock { state in
            if state.firstConnected == nil { state.firstConnected = now }
            state.isConnected = true
            state.connections += 1
            state.end = nil
            state.waitingSince = nil
        }
    }

    func disconnected(_ reason: String, at now: Duration) {
        state.withLock { state in
            if state.isConnected { state.disconnectedSince = now }
            state.isConnected = false
            state.end = reason
        }
    }

    func note(_ batcher: borrowing LineBatcher, newest: Instant?) {
        let counts = batcher.counts
        let offset = batcher.lastOffset
        state.withLock { state in
            state.counts = counts
            state.lastOffset = offset
            if let newest { state.newest = newest }
        }
    }

    /// Batches until the inputs are finished. One task runs it; nothing else touches the batcher.
    func batch(
        _ policy: LineBatcher.Policy, linger: Duration, into output: BoundedChannel<RelayBatch>, events: Events,
        time: any TimeSource
    ) async {
        var batcher = LineBatcher(policy, lastOffset: lastOffset)
        var ready: [RelayBatch] = []
        var reported = LineBatcher.Counts()
        while let input = await inputs.receive() {
            let now = Moment(time)
            var seen: BoundedChannel<Void>?
            switch input {
            case .connected(let moment): batcher.connected(notBefore: moment)
            case .piece(let piece): batcher.take(piece, at: now) { ready.append($0) }
            case .ended(let channel): seen = channel
            case .tick: break
            }
            batcher.flush(olderThan: linger, at: now) { ready.append($0) }
            note(batcher, newest: ready.last?.newest)
            if let gap = batcher.takeGap() { events.gap(root, gap) }
            if batcher.counts != reported {
                events.read(batcher.counts, since: reported, root: root)
                reported = batcher.counts
            }
            if let seen { _ = seen.offer(()) }
            // Here a slow target slows the reading.
            for batch in ready { try? await output.send(batch) }
            ready.removeAll(keepingCapacity: true)
        }
        batcher.flush(olderThan: .zero, at: Moment(time)) { ready.append($0) }
        for batch in ready { try? await output.send(batch) }
    }
}
