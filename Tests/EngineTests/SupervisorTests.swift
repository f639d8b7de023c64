// SPDX-License-Identifier: Apache-2.0

import Base
import Settings
import Storage
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import Engine

/// A connector whose run is a closure.
private struct FakeConnector: Connector {
    static let declaration = ConnectorSettings(name: "fake", title: "Fake", summary: "", settings: [])
    static func declareMetrics(in metrics: Metrics) {}

    let body: @Sendable (StopSignal) async throws -> Void

    init(_ body: @escaping @Sendable (StopSignal) async throws -> Void) { self.body = body }
    init(_ context: ConnectorContext) throws { body = { _ in } }

    var flowName: String { "fake" }
    var targetName: String { "fake" }
    func run(until stop: StopSignal) async throws { try await body(stop) }
    func check(_ report: @Sendable (CheckLine) -> Void) async {}
    func plan(_ report: @escaping @Sendable (PlannedChange) -> Void, until stop: StopSignal) async throws -> Accounting
    {
        Accounting()
    }
}

@Suite("Supervisor", .timeLimit(.minutes(2))) struct SupervisorTests {
    struct Fault: Error {}

    private let time = TestTime(jumping: true)
    private let health: Health
    private let stop = StopSignal()

    init() { health = Health(time: time) }

    private func supervise(_ members: [Supervisor.Member]) async -> [String: Supervisor.End] {
        await Supervisor(log: .silent, health: health, time: time).run(members, until: stop)
    }

    private func member(
        _ name: String = "a", _ body: @escaping @Sendable (_ run: Int, StopSignal) async throws -> Void
    ) -> Supervisor.Member {
        let runs = Mutex(0)
        return .init(name: name) {
            let run = runs.withLock {
                $0 += 1
                return $0
            }
            return FakeConnector { stop in try await body(run, stop) }
        }
    }

    @Test func `starts a failed connector again, ever later, and stops when it is told to`() async {
        let ends = await supervise([
            member { [stop] run, _ in
                if run == 9 { stop.raise() }
                throw Fault()
            }
        ])
        #expect(time.slept.map(\.components.seconds) == [1, 2, 4, 8, 16, 32, 60, 60])
        guard case .stopped = ends["a"] else {
            Issue.record("\(ends)")
            return
        }
        guard case .notReady = health.report().components.first?.status else {
            Issue.record("health must say so")
            return
        }
    }

    @Test func `a run that lasted begins the back-off anew`() async {
        _ = await supervise([
            member { [time, stop] run, _ in
                if run == 3 { time.advance(by: .seconds(61)) }
                if run == 5 { stop.raise() }
                throw ConnectorError.refused(code: "x", reason: "no")
            }
        ])
        #expect(time.slept.map(\.components.seconds) == [1, 2, 1, 2])
    }

    @Test func `an end without a reason is one to start again from`() async {
        let count = Mutex(0)
        _ = await supervise([
            member { [stop] run, _ in
                count.withLock { $0 = run }
                if run == 3 { stop.raise() }
            }
        ])
        #expect(count.withLock { $0 } == 3)
    }

    @Test func `a connector that asks for it starts again soon, however often`() async {
        _ = await supervise([
            member { [stop] run, _ in
                if run == 4 { stop.raise() }
                throw ConnectorError.restart(reason: "reset")
            }
        ])
        #expect(time.slept.map(\.components.seconds) == [1, 1, 1])
    }

    @Test func `settings that only a person can mend end it`() async {
        let ends = await supervise([
            member { _, _ in throw ConnectorError.configuration(setting: "X", reason: "is wrong") },
            .init(name: "unmade") { throw ConnectorError.configuration(setting: "Y", reason: "can't be read") },
        ])
        for (name, text) in [("a", "X: is wrong"), ("unmade", "Y: can't be read")] {
            guard case .misconfigured(let reason) = ends[name] else {
                Issue.record("\(name): \(ends)")
                continue
            }
            #expect(reason == text)
        }
        #expect(time.slept.isEmpty)
    }

    @Test func `one that fails takes no other down`() async {
        let good = Mutex(0)
        let ends = await supervise([
            member("bad") { [stop] run, _ in
                if run == 5 { stop.raise() }
                throw Fault()
            },
            member("wrong") { _, _ in throw ConnectorError.configuration(setting: "X", reason: "is wrong") },
            member("good") { run, stop in
                good.withLock { $0 = run }
                await stop.wait()
            },
        ])
        #expect(good.withLock { $0 } == 1 && ends.count == 3)
        guard case .stopped = ends["good"], case .stopped = ends["bad"], case .misconfigured = ends["wrong"] else {
            Issue.record("\(ends)")
            return
        }
    }

    @Test func `a stop ends a pause`() async {
        let time = TestTime()
        let supervisor = Supervisor(log: .silent, health: health, time: time)
        async let ends = supervisor.run([member { _, _ in throw Fault() }], until: stop)
        await time.waitForSleepers(1)
        stop.raise()
        guard case .stopped = await ends["a"] else {
            Issue.record("it goes on")
            return
        }
    }
}

@Suite("Stop signal") struct StopSignalTests {
    @Test func `reaches all who wait, and those who come later`() async {
        let stop = StopSignal()
        async let first: Void = stop.wait()
        async let second: Void = stop.wait()
        stop.raise()
        _ = await (first, second)
        await stop.wait()
        stop.raise()
        #expect(stop.isRaised)
    }

    @Test func `a cancelled wait ends`() async {
        let stop = StopSignal()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await stop.wait() }
            group.cancelAll()
            await group.waitForAll()
        }
        #expect(!stop.isRaised)
    }
}

@Suite("Shared parts") struct SharedPartsTests {
    @Test func `are made once a name`() {
        let parts = SharedParts()
        #expect(parts.part("a") { 1 } == 1 && parts.part("a") { 2 } == 1 && parts.part("b") { 2 } == 2)
    }
}

@Suite("Outcomes") struct OutcomeTests {
    @Test func `an item ends as badly as the worst of its effects`() {
        #expect(Outcome.allCases.sorted().last == .deadLettered && Outcome.unchanged < .superseded)
        #expect(Outcome.delivered < .skipped && Outcome.skipped < .vetoed)
        var counts = OutcomeCounts()
        counts[.delivered] = 2
        counts[.vetoed] = 1
        var more = counts
        more += counts
        #expect(counts.total == 3 && more.total == 6 && more[.delivered] == 4)
        #expect(Set(Outcome.allCases.map(\.description)).count == Outcome.allCases.count)
    }
}
