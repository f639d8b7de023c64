// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import Synchronization

/// All feeds of a tenant: finds them, keeps one reader each, finds them again when they change or a session dies.
struct Feeds: Sendable {
    struct Options: Sendable {
        var appID: String
        var start: FeedStart
        var eventTypes: [String]
        var idle: Duration
    }

    let falcon: FalconClient
    let options: Options
    /// Where a feed goes on that is seen for the first time in this run; 0 for nowhere.
    let resume: @Sendable (String) -> UInt64
    /// Feeds that an earlier run has read.
    let known: Set<String>
    let board: FeedBoard
    let events: Events
    let time: any TimeSource

    private enum Message: Sendable {
        case listed(Int, Result<[EventFeed], FalconError>)
        case ended(String, FeedEnd)
        case due(Int)
        case tick
        case stop
    }

    /// Reads until `stop`, handing each new feed to `opened`.
    func run(until stop: StopSignal, opened: BoundedChannel<FeedPipe>) async {
        await withTaskGroup(of: Message.self) { group in
            var loop = Loop(plan: ListingPlan(known: known))
            group.addTask {
                await stop.wait()
                return .stop
            }
            group.addTask { await tick() }
            list(&loop, &group)
            while let message = await group.next() {
                switch message {
                case .stop:
                    group.cancelAll()
                    return
                case .tick:
                    for pipe in board.pipes { _ = pipe.inputs.offer(.tick) }
                    group.addTask { await tick() }
                case .due(let number):
                    if number == loop.timer, !loop.isListing { list(&loop, &group) }
                case .listed(let slot, let result): await listed(slot, result, &loop, &group, opened)
                case .ended(let root, let end):
                    loop.live[root] = nil
                    events.disconnected(root, end)
                    let asked = (end.error as? FalconError)?.retryAfter
                    wait(loop.plan.ended(after: end.lasted, asking: asked), &loop, &group)
                }
            }
        }
    }

    private struct Loop {
        var plan: ListingPlan
        /// Root → slot.
        var live: [String: Int] = [:]
        var isListing = false
        var timer = 0
    }

    private func tick() async -> Message {
        try? await time.sleep(for: .milliseconds(100))
        return .tick
    }

    private func list(_ loop: inout Loop, _ group: inout TaskGroup<Message>) {
        loop.isListing = true
        let slot = loop.plan.slot(used: Set(loop.live.values))
        group.addTask {
            do throws(FalconError) {
                return .listed(slot, .success(try await falcon.eventFeeds(appID: appID(slot))))
            } catch {
                return .listed(slot, .failure(error))
            }
        }
    }

    private func wait(_ duration: Duration, _ loop: inout Loop, _ group: inout TaskGroup<Message>) {
        loop.timer += 1
        let number = loop.timer
        group.addTask {
            // Many readers that lost their connections at once do not come back at once.
            let jitter = Duration.milliseconds(Int.random(in: 0...250))
            if duration > .zero { try? await time.sleep(for: duration + jitter) }
            return .due(number)
        }
    }

    private func appID(_ slot: Int) -> String { options.appID + ["a", "b", "c", "d"][slot] }

    private func listed(
        _ slot: Int, _ result: Result<[EventFeed], FalconError>, _ loop: inout Loop, _ group: inout TaskGroup<Message>,
        _ opened: BoundedChannel<FeedPipe>
    ) async {
        loop.isListing = false
        let decision: ListingPlan.Decision
        switch result {
        case .failure(let error):
            decision = loop.plan.failed(error)
            events.notListed(error, decision.wait)
        case .success(let feeds):
            decision = loop.plan.listed(
                feeds.map(\.rootURL), live: Set(loop.live.keys), used: Set(loop.live.values))
            events.listed(feeds.count, slot: slot)
            for feed in feeds where decision.start.contains(feed.rootURL) && loop.live[feed.rootURL] == nil {
                loop.live[feed.rootURL] = slot
                await start(feed, slot, &group, opened)
            }
        }
        board.trouble(decision.trouble)
        wait(decision.wait, &loop, &group)
    }

    private func start(
        _ feed: EventFeed, _ slot: Int, _ group: inout TaskGroup<Message>, _ opened: BoundedChannel<FeedPipe>
    ) async {
        let root = feed.rootURL
        let pipe: FeedPipe
        if let known = board.pipe(root) {
            pipe = known
        } else {
            pipe = FeedPipe(root: root, lastOffset: resume(root), now: time.uptime)
            board.add(pipe)
            try? await opened.send(pipe)
        }
        let reader = FeedReader(
            falcon: falcon, feed: feed, appID: appID(slot), pipe: pipe,
            begin: FeedBeginning(pipe.snapshot, wanted: options.start), eventTypes: options.eventTypes,
            idle: options.idle,
            events: events, time: time)
        group.addTask { .ended(root, await reader.run()) }
    }
}

/// The feeds as metrics and health see them.
final class FeedBoard: Sendable {
    private struct State {
        var pipes: [String: FeedPipe] = [:]
        var trouble: String?
    }
    private let state = Mutex(State())

    var pipes: [FeedPipe] { state.withLock { $0.pipes.values.sorted { $0.root < $1.root } } }
    func pipe(_ root: String) -> FeedPipe? { state.withLock { $0.pipes[root] } }
    func add(_ pipe: FeedPipe) { state.withLock { $0.pipes[pipe.root] = pipe } }
    func trouble(_ text: String?) { state.withLock { $0.trouble = text } }

    /// What keeps us from reading; a feed without a connection counts after 30 s.
    func trouble(at now: Duration) -> String? {
        let (pipes, trouble) = state.withLock { ($0.pipes.values.map(\.snapshot), $0.trouble) }
        if pipes.isEmpty { return trouble ?? "The tenant's feeds have not been found yet." }
        let lost = pipes.filter { !$0.isConnected && now - $0.disconnectedSince > .seconds(30) }
        if let first = lost.first {
            return
                "\(lost.count) of \(pipes.count) feeds have no connection: \(first.end ?? trouble ?? "not opened yet")"
        }
        return pipes.contains(where: \.isConnected) ? nil : trouble
    }
}
