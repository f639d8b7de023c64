// SPDX-License-Identifier: Apache-2.0

import Base
import Synchronization

/// Stands still, and goes on only where somebody wants to sleep: so long waits take no time and can be told exactly. Its
/// uptime is an hour ahead of the machine's: transfers compare their deadlines with that, and none is to end by it.
final class VirtualTime: TimeSource {
    private struct State {
        var passed: Duration = .zero
        var slept: [Duration] = []
    }
    private let start: Instant
    private let startUptime: Duration
    private let state = Mutex(State())

    init(start: Instant) {
        self.start = start
        startUptime = SystemTime().uptime + .seconds(3600)
    }

    var now: Instant { start.advanced(by: state.withLock { $0.passed }) }
    var uptime: Duration { startUptime + state.withLock { $0.passed } }
    /// Every pause so far.
    var slept: [Duration] { state.withLock { $0.slept } }

    func sleep(untilUptime moment: Duration) async throws {
        try Task.checkCancellation()
        state.withLock { state in
            let pause = moment - startUptime - state.passed
            guard pause > .zero else { return }
            state.slept.append(pause)
            state.passed += pause
        }
        await Task.yield()
    }

    /// For the servers beside it: the same wall clock, but they wait in real time.
    var forServers: any TimeSource { Servers(time: self) }

    private struct Servers: TimeSource {
        let time: VirtualTime
        var now: Instant { time.now }
        var uptime: Duration { SystemTime().uptime }
        func sleep(untilUptime moment: Duration) async throws { try await SystemTime().sleep(untilUptime: moment) }
    }
}
