// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import HTTPClient
import HarfangLab
import JSON
import Storage
import Synchronization
import TestKit
import Testing

@testable import HarfangLabIncidents

/// Runs and processes one after the other, over a console that changes: what happens there arrives, once.
@Suite("The import over time") struct LifeTests {
    private func console(_ events: Range<Int>, every seconds: Int = 1) -> LiveConsole {
        let console = LiveConsole()
        console.change { $0.alerts = events.map { LiveConsole.alert($0, at: $0 * seconds) } }
        return console
    }
    private func names(_ events: some Sequence<Int>) -> [String] { events.map { "event \($0)" } }

    /// Seconds of the console's day at which the test's clock begins.
    private static let now = 86_400

    // covers: incidents:overlap, hlbug:inc-5
    @Test func `a second run sends nothing again`() async throws {
        let life = ImportLife(console(0..<250))
        try await life.run(3)
        #expect(life.incidents == names(0..<250))
    }

    // covers: incidents:kill
    @Test func `after a kill at any batch nothing is lost`() async throws {
        for moment in 1...4 {
            let life = ImportLife(console(0..<350))
            try await life.run { $0.count < moment }
            try await life.run()
            #expect(Set(life.incidents) == Set(names(0..<350)))
            // Of what was durable only the ten minutes that are read again.
            #expect(life.incidents.count <= 700)
        }
    }

    // covers: incidents:changes-down, hlbug:inc-17
    @Test func `what changes while no process runs arrives with the next one`() async throws {
        let console = console(0..<20, every: 1000)
        let life = ImportLife(console)
        try await life.run()
        // Long after the events themselves, and beyond every overlap.
        console.change { state in
            state.alerts[3]["status"] = "closed"
            state.alerts[3]["last_update"] = .string(LiveConsole.moment(Self.now + 10))
        }
        try await life.run()
        // The last event lies within the overlap.
        #expect(life.incidents == names(0..<20) + names([19, 3]))
    }

    // covers: incidents:changes-first-run
    @Test func `what changes while a long first run reads arrives with the second`() async throws {
        let console = console(0..<150)
        let life = ImportLife(console)
        try await life.run(2) { moment in
            if moment.count == 2 {
                // The first page has been read; the run takes another hour.
                console.change { state in
                    state.alerts[3]["status"] = "closed"
                    state.alerts[3]["last_update"] = .string(LiveConsole.moment(Self.now + 60))
                }
                life.time.advance(by: .seconds(3600))
            }
            return true
        }
        #expect(life.incidents.filter { $0 == "event 3" }.count == 2)
    }

    // covers: incidents:changes-takeover
    @Test func `changes since an original's last run arrive`() async throws {
        let console = console(0..<20)
        let life = ImportLife(
            console, state: [Checkpoints.Pass.alerts.rawValue: .string(LiveConsole.moment(80_000))])
        console.change { state in
            state.alerts[3]["status"] = "closed"
            state.alerts[3]["last_update"] = .string(LiveConsole.moment(81_000))
        }
        try await life.run(2)
        #expect(life.incidents == names([3]))
    }

    // covers: incidents:changes-failure
    @Test func `a fault among the changes takes none of them away`() async throws {
        let console = console(0..<5)
        console.change { $0.threats = (1...3).map { LiveConsole.threat($0) } }
        let life = ImportLife(console, importsThreats: true)
        try await life.run()
        #expect(life.cases == ["threat 1", "threat 2", "threat 3"])
        console.change { state in
            for index in 0..<3 { state.threats[index]["last_update"] = .string(LiveConsole.moment(Self.now + index)) }
            let isBroken = Mutex(true)
            state.interfere = { call, _ in
                guard call.query["threat_key"] == "2", isBroken.withLock({ $0 }) else { return nil }
                isBroken.withLock { $0 = false }
                return .status(503, "")
            }
        }
        try await life.run(2)
        #expect(Set(life.cases.dropFirst(3)) == ["threat 1", "threat 2", "threat 3"])
    }

    // covers: incidents:grown-threats
    @Test func `every threat that grew comes again, not the first hundred alone`() async throws {
        let console = LiveConsole()
        console.change { $0.threats = (1...250).map { LiveConsole.threat($0) } }
        let life = ImportLife(console, importsThreats: true)
        try await life.run()
        console.change { state in
            for index in 0..<250 { state.threats[index]["last_update"] = .string(LiveConsole.moment(Self.now + index)) }
        }
        try await life.run()
        #expect(life.cases.count == 500)
    }

    // covers: incidents:reset, hlbug:inc-6
    @Test func `after a reset everything is sent again`() async throws {
        let life = ImportLife(console(0..<30))
        try await life.run(2) { moment in
            // The operator resets while the first run waits to be durable.
            if moment.count == 2 { moment.checkpoints.replace(nil) }
            return true
        }
        #expect(life.incidents == names(0..<30) + names(0..<30))
    }

    // covers: incidents:poison-lookup, hlbug:inc-3
    @Test func `an event whose look-up the console refuses is put aside and holds nobody up`() async throws {
        let console = console(0..<5)
        console.change { state in
            state.alerts[2]["rule_name"] = "refused"
            state.interfere = { call, _ in
                call.query["rule_name__exact"] == "refused" ? .status(400, "{\"detail\":\"no\"}") : nil
            }
        }
        let life = ImportLife(console)
        try await life.run(2)
        #expect(life.incidents == names([0, 1, 3, 4]))
        #expect(life.putAside == ["harfanglab.refused"])
        #expect(life.state?[Checkpoints.Pass.alerts.rawValue]?.string == LiveConsole.moment(4))
    }

    // covers: incidents:poison-threat
    @Test func `a threat whose events the console refuses is put aside, and can be asked for again`() async throws {
        let console = console(0..<0)
        console.change { state in
            state.alerts = [LiveConsole.alert(0, threat: 1), LiveConsole.alert(1, threat: 2)]
            state.threats = [LiveConsole.threat(1), LiveConsole.threat(2)]
            state.interfere = { call, _ in call.query["threat_key"] == "1" ? .status(400, "{\"detail\":\"no\"}") : nil }
        }
        let life = ImportLife(console, importsThreats: true)
        try await life.run(2)
        #expect(life.cases == ["threat 2"] && life.putAside == ["harfanglab.refused"])
        let letter = try #require(life.items.first { $0.note?.outcome == .deadLettered })
        console.change { $0.interfere = { _, _ in nil } }
        let again = try #require(try await life.retried(letter))
        let objects = ImportLife.objects(in: [again])
        #expect(again.position == nil && again.note == nil)
        #expect(objects.contains { $0["name"]?.string == "threat 1" && $0["type"]?.string == "case-incident" })
        #expect(ImportLife.incidents(in: [again]) == ["event 0"])
    }

    // covers: incidents:retry-position
    @Test func `a dead letter that is retried in the middle of a run does not hold the run up`() async throws {
        let console = console(0..<150)
        let life = ImportLife(console)
        let letter = DeadLetter(
            flow: 1, source: Digest128(high: 0, low: 1), fingerprint: Digest128(high: 0, low: 1), code: "x", reason: "",
            position: "",
            input: JSONValue.object(LiveConsole.alert(7)).bytes, attempts: 1, firstSeen: life.time.now,
            lastSeen: life.time.now)
        try await life.run(2) { moment in
            // Before the mark of the run and after it.
            let item = try #require(await moment.source.item(from: letter))
            #expect(item.effects.count == 1 && item.position == nil)
            return true
        }
        #expect(life.incidents == names(0..<150))
    }

    // covers: incidents:unreadable, hlbug:inc-2
    @Test func `what has no id or no time is put aside once`() async throws {
        let console = console(0..<3)
        console.change { state in
            state.alerts[1]["id"] = .null
            state.threats = [LiveConsole.threat(1), LiveConsole.threat(2)]
            state.threats[0]["id"] = .null
        }
        let life = ImportLife(console, importsThreats: true)
        try await life.run(3)
        #expect(life.incidents == names([0, 2]) && life.cases == ["threat 2"])
        #expect(life.putAside == ["harfanglab.event", "harfanglab.event"])
    }

    // covers: incidents:big-threat
    @Test func `a threat of many pages gives one case with everything of it`() async throws {
        let console = LiveConsole()
        console.change { state in
            state.ceiling = 300
            state.alerts = (0..<720).map { LiveConsole.alert($0, threat: 1) }
            state.threats = [LiveConsole.threat(1)]
        }
        let life = ImportLife(console, importsThreats: true)
        try await life.run(2)
        #expect(life.incidents == names(0..<720))
        let cases = ImportLife.objects(in: life.items).filter { $0["type"]?.string == "case-incident" }
        let ids = (cases.first?["object_refs"]?.array ?? []).compactMap(\.string)
        #expect(cases.count == 1 && Set(ids).count == ids.count)
        #expect(ids.filter { $0.hasPrefix("incident--") }.count == 720)
    }

    // covers: incidents:order
    @Test func `a change waits until the event itself is durable`() async throws {
        let console = console(0..<3, every: 1000)
        let life = ImportLife(console)
        try await life.run()
        console.change { state in
            state.alerts.append(LiveConsole.alert(3, at: 3000))
            state.alerts[0]["last_update"] = .string(LiveConsole.moment(Self.now))
        }
        var labels: [String] = []
        try await life.run { moment in
            labels += moment.items.map(\.label)
            return true
        }
        // Between the passes stands a mark, behind which nothing is read until all before it is durable.
        let change = try #require(labels.firstIndex(of: "change"))
        #expect(labels[..<change].last == "run")
    }

    // covers: incidents:rule-cache
    @Test func `a look-up that is forgotten in the middle of a page is no missing rule`() async throws {
        let console = console(0..<0)
        let finder = RuleFinder(try console.client(), concurrency: 1, capacity: 3)
        let alerts = (0..<8).compactMap { number in
            var alert = LiveConsole.alert(number)
            alert["rule_name"] = .string("Rule \(number)")
            return Alert(.object(alert))
        }
        _ = await finder.rules(of: Array(alerts.prefix(2)))
        let (found, failure) = await finder.rules(of: alerts)
        let rules = found.compactMap { if case .success(let rule?) = $0 { rule } else { nil } }
        #expect(failure == nil && rules.count == 8)
    }

    // covers: incidents:work-cut-off, hlbug:inc-7
    @Test func `the work of a run that was cut off is closed in error, however late`() async throws {
        let platform = RunTests.Platform()
        let kept = Mutex<[String?]>([])
        let work = RunWork(platform, name: "import", unfinished: "work-0") { id in kept.withLock { $0.append(id) } }
        platform.isDown.withLock { $0 = true }
        await #expect(throws: (any Error).self) { try await work.end("", isError: true) }
        platform.isDown.withLock { $0 = false }
        #expect(try await work.current() == "work-1")
        try await work.end("done", isError: false)
        #expect(platform.ends.withLock { $0.map(\.isError) } == [true, false])
        #expect(kept.withLock { $0 } == ["work-1", nil])
    }
}
