// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import HTTPClient

/// How one connection to a feed ended.
struct FeedEnd: Sendable {
    /// `nil` when the server ended it in order.
    var error: (any ActionableError)?
    /// The session could not be prolonged.
    var isSessionOver = false
    /// The target took nothing for so long that the connection was given up.
    var isPaused = false
    /// How long it was open; zero when it never was.
    var lasted: Duration
}

/// Where a connection to a feed begins.
struct FeedBeginning: Sendable, Hashable {
    /// Falcon's clock may be behind ours by so much.
    static let tolerance = Duration.seconds(60)

    var start: FeedStart
    /// Milliseconds.
    var notBefore: Int64?

    /// - Parameter wanted: where a feed begins that has no offset.
    init(_ pipe: FeedPipe.Snapshot, wanted: FeedStart) {
        start = pipe.lastOffset > 0 ? .offset(pipe.lastOffset) : wanted
        // No event has come since the first connection, so there is no offset to go on from: asking for the newest once
        // more would pass over what came while there was no connection.
        if case .newest = start, let first = pipe.firstConnected {
            start = .oldest
            notBefore = first.advanced(by: .zero - Self.tolerance).milliseconds
        }
    }
}

/// One connection to a feed, with the prolonging of its session beside it.
struct FeedReader: Sendable {
    /// A connection that nobody reads is closed after this; the feed's events wait at the tenant, not in its buffers.
    static let longestPause = Duration.seconds(600)

    let falcon: FalconClient
    let feed: EventFeed
    let appID: String
    let pipe: FeedPipe
    let begin: FeedBeginning
    let eventTypes: [String]
    let idle: Duration
    let events: Events
    let time: any TimeSource

    func run() async -> FeedEnd {
        let stream: any HTTPStream
        do {
            stream = try await falcon.open(feed, from: begin.start, eventTypes: eventTypes, idle: idle)
        } catch {
            pipe.disconnected(error.description, at: time.uptime)
            return FeedEnd(error: error, lasted: .zero)
        }
        let opened = time.uptime
        pipe.connected(at: time.now)
        events.connected(pipe.root, begin.start)
        let end = await withTaskGroup(of: FeedEnd?.self) { group in
            group.addTask { await read(stream, since: opened) }
            group.addTask { await prolong(since: opened) }
            group.addTask { await watch(since: opened) }
            var end: FeedEnd?
            for await ended in group {
                if end == nil { end = ended }
                group.cancelAll()
            }
            return end
        }
        stream.cancel()
        if end?.isPaused == true {
            let reason = "nothing is taken from it: it was closed and is opened again at its offset"
            pipe.disconnected(reason, at: time.uptime)
            events.paused(pipe.root)
        }
        // Only when everything of this connection has been taken in is it known where the next one begins.
        let seen = BoundedChannel<Void>(capacity: 1)
        if (try? await pipe.inputs.send(.ended(seen))) != nil { _ = await seen.receive() }
        let result = end ?? FeedEnd(lasted: time.uptime - opened)
        pipe.disconnected(result.error?.description ?? "the server ended the stream", at: time.uptime)
        return result
    }

    private func read(_ stream: any HTTPStream, since opened: Duration) async -> FeedEnd? {
        do {
            try await pipe.inputs.send(.connected(notBefore: begin.notBefore))
            while let piece = try await stream.next() {
                pipe.isWaiting(since: time.uptime)
                try await pipe.inputs.send(.piece(piece))
                pipe.isWaiting(since: nil)
            }
            return FeedEnd(lasted: time.uptime - opened)
        } catch let error as HTTPError {
            return FeedEnd(error: error, lasted: time.uptime - opened)
        } catch {
            return FeedEnd(lasted: time.uptime - opened)
        }
    }

    /// Ends when a piece has waited too long to be taken.
    private func watch(since opened: Duration) async -> FeedEnd? {
        while true {
            let waiting = pipe.waitingSince.map { time.uptime - $0 } ?? .zero
            if waiting >= Self.longestPause { return FeedEnd(isPaused: true, lasted: time.uptime - opened) }
            do { try await time.sleep(for: Self.longestPause - waiting) } catch { return nil }
        }
    }

    /// Three tries within 30 s; then the stream is opened anew before its session ends.
    private func prolong(since opened: Duration) async -> FeedEnd? {
        while true {
            do { try await time.sleep(for: feed.refreshPeriod) } catch { return nil }
            var tries = 0
            while true {
                do {
                    try await falcon.refresh(feed, appID: appID)
                    events.prolonged(pipe.root)
                    break
                } catch {
                    if Task.isCancelled { return nil }
                    tries += 1
                    events.notProlonged(pipe.root, error, tries)
                    guard tries < 3 else {
                        return FeedEnd(error: error, isSessionOver: true, lasted: time.uptime - opened)
                    }
                    do { try await time.sleep(for: .seconds(10)) } catch { return nil }
                }
            }
        }
    }
}
