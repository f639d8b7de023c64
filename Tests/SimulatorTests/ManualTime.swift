// SPDX-License-Identifier: Apache-2.0

import Base
import Synchronization

/// A clock that stands still until a test moves it.
final class ManualTime: TimeSource {
    private struct Sleeper {
        let id: UInt64
        let moment: Duration
        let continuation: CheckedContinuation<Void, any Error>
    }
    private struct State {
        var uptime: Duration = .zero
        var nextID: UInt64 = 0
        var sleepers: [Sleeper] = []
        var cancelled: Set<UInt64> = []
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }
    private let state = Mutex(State())

    var uptime: Duration { state.withLock { $0.uptime } }
    var now: Instant { Instant(milliseconds: 1_767_225_600_000).advanced(by: uptime) }

    func sleep(untilUptime moment: Duration) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let (result, watchers): (Result<Void, any Error>?, [CheckedContinuation<Void, Never>]) = state.withLock
                {
                    state in
                    if state.cancelled.remove(id) != nil { return (.failure(CancellationError()), []) }
                    if moment <= state.uptime { return (.success(()), []) }
                    state.sleepers.append(Sleeper(id: id, moment: moment, continuation: continuation))
                    let ready = state.watchers.filter { $0.count <= state.sleepers.count }
                    state.watchers.removeAll { $0.count <= state.sleepers.count }
                    return (nil, ready.map(\.continuation))
                }
                for watcher in watchers { watcher.resume() }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let sleeper: Sleeper? = state.withLock { state in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: index)
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Returns once so many tasks sleep.
    func sleepers(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.sleepers.count < count { state.watchers.append((count, continuation)) }
                return state.sleepers.count >= count
            }
            if isThere { continuation.resume() }
        }
    }

    func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.uptime += duration
            let due = state.sleepers.filter { $0.moment <= state.uptime }
            state.sleepers.removeAll { $0.moment <= state.uptime }
            return due
        }
        for sleeper in due { sleeper.continuation.resume() }
    }
}
