// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// A clock that stands until it is told to go on; or, `jumping`, goes at once to where somebody wants to sleep until.
public final class TestTime: TimeSource {
    private struct Sleeper {
        let id: Int
        let moment: Duration
        let continuation: CheckedContinuation<Bool, Never>
    }
    private struct State {
        var uptime: Duration = .seconds(1000)
        var sleepers: [Sleeper] = []
        var slept: [Duration] = []
        var nextID = 0
        var cancelled: Set<Int> = []
    }
    private let jumping: Bool
    private let start: Instant
    private let state = Mutex(State())

    /// - Parameter start: the wall clock's time at the beginning; 2026-11-21T10:00:00Z.
    public init(jumping: Bool = false, start: Instant = Instant(milliseconds: 1_795_255_200_000)) {
        self.jumping = jumping
        self.start = start
    }

    public var now: Instant { start.advanced(by: uptime - .seconds(1000)) }
    public var uptime: Duration { state.withLock { $0.uptime } }

    /// How long each sleep so far was to last.
    public var slept: [Duration] { state.withLock { $0.slept } }
    public var sleepers: Int { state.withLock { $0.sleepers.count } }

    public func sleep(untilUptime moment: Duration) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            state.slept.append(moment - state.uptime)
            if jumping { state.uptime = max(state.uptime, moment) }
            return state.nextID
        }
        let isOver = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.cancelled.contains(id) { return false }
                    if moment <= state.uptime { return true }
                    state.sleepers.append(Sleeper(id: id, moment: moment, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                state.cancelled.insert(id)
                return state.sleepers.firstIndex { $0.id == id }.map { state.sleepers.remove(at: $0) }
            }
            sleeper?.continuation.resume(returning: false)
        }
        if !isOver { throw CancellationError() }
    }

    public func advance(by duration: Duration) {
        let woken = state.withLock { state in
            state.uptime += duration
            let uptime = state.uptime
            defer { state.sleepers.removeAll { $0.moment <= uptime } }
            return state.sleepers.filter { $0.moment <= uptime }.sorted { $0.moment < $1.moment }
        }
        for sleeper in woken { sleeper.continuation.resume(returning: true) }
    }

    /// Returns once that many tasks sleep.
    public func waitForSleepers(_ count: Int) async { while sleepers < count, !Task.isCancelled { await Task.yield() } }
}

/// Keeps what it is told.
public final class Recorder<Element: Sendable>: Sendable {
    private let state = Mutex<[Element]>([])

    public init() {}

    public var elements: [Element] { state.withLock { $0 } }
    public func append(_ element: Element) { state.withLock { $0.append(element) } }
    public func wait(for count: Int) async { while elements.count < count, !Task.isCancelled { await Task.yield() } }
}
