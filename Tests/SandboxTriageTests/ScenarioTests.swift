// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Testing

@testable import SandboxTriage

@Suite("Triage scenarios") struct ScenarioTests {
    // covers: triage:scenarios, triage:effect_order, triage:texts, triage:must_not, triage:resume
    @Test(arguments: try Scenario.all())
    func `ends as the case expects`(_ scenario: Scenario) throws {
        var world = World(scenario)
        try world.run()
        let expected = scenario.json["expected"]?.array ?? []
        for sample in expected {
            let hash = try #require(sample["sha256"]?.string)
            #expect(world.outcomes[hash]?.rawValue == sample["outcome"]?.string)
            let composite = scenario.json["falcon"]?["alerts_generated"]?["composite_id"]?.string
            let wanted = (sample["effects"]?.array ?? []).map { Deed(expected: $0, composite: composite) }
            #expect(Deed.merged(world.deeds[hash] ?? []) == Deed.merged(wanted))
            let record = try #require(world.records[hash])
            let isRetried = [.found, .failed, .submitted].contains(record.stage)
            #expect(isRetried == (sample["retry_next_run"]?.bool ?? false))
        }
        #expect(Set(world.outcomes.keys) == Set(expected.compactMap { $0["sha256"]?.string }))
        let done = Set(world.deeds.values.joined().map(\.operation)).union(world.reads)
        for forbidden in (scenario.json["must_not"]?.array ?? []).compactMap(\.string) where !forbidden.contains(" ") {
            #expect(!done.contains(forbidden))
        }
        try check(scenario, world)
    }

    private func check(_ scenario: Scenario, _ world: World) throws {
        guard let after = scenario.json["state_after"] else { return }
        var done: Set<String> = []
        for (hash, state) in after["samples"]?.object ?? [:] {
            let record = try #require(world.records[hash])
            #expect(record.stage.rawValue == state["stage"]?.string)
            if let attempts = state["attempts"]?.int { #expect(record.attempts == attempts) }
            if let outcome = state["outcome"]?.string { #expect(record.outcome?.rawValue == outcome) }
            if let id = state["submission_id"]?.int { #expect(record.submissionID == id) }
            if let id = state["sample_id"]?.int { #expect(record.findings?.sampleID == id) }
            if let verdict = state["verdict"]?.string { #expect(record.findings?.verdict.rawValue == verdict) }
            done.formUnion(record.effects.filter { $0.value == .done }.map(\.key.text))
        }
        #expect(done == Set((after["effects_done"]?.array ?? []).compactMap(\.string)))
        // Given up when the deadline passes, whatever the polling interval.
        if let text = after["given_up_at"]?.string, let moment = Instant(parsing: text.prefix(20)) {
            #expect(world.now == moment)
        }
    }

    // covers: triage:crash_everywhere
    @Test(arguments: ["crash-before-record", "find-other-hosts", "same-hash-three-hosts", "clean-release-opt-in"])
    func `ends the same with each effect once, wherever it is killed`(_ name: String) throws {
        let scenario = try Scenario.named(name)
        var undisturbed = World(scenario)
        try undisturbed.run()
        var crashes = 0
        for stores in 0... {
            var world = World(scenario)
            world.storesUntilCrash = stores
            do {
                try world.run()
                break
            } catch is World.Crash {
                crashes += 1
                world.storesUntilCrash = nil
                try world.run()
            }
            #expect(world.outcomes == undisturbed.outcomes)
            for (hash, deeds) in undisturbed.deeds {
                let again = world.deeds[hash] ?? []
                for deed in deeds where !["sample_download", "host_lookup", "vetoed"].contains(deed.operation) {
                    // A repeated comment on a file that is kept does no harm (VMRay, 3.1).
                    if deed.operation == "quarantine_update", deed.fields[0] == "unrelease" { continue }
                    #expect(again.filter { $0 == deed }.count == 1, "after \(stores) stores: \(deed)")
                }
            }
        }
        #expect(crashes > 3)
    }
}
