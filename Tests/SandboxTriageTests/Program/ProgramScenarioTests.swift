// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Testing

@testable import SandboxTriage

@Suite("Triage scenarios, the whole connector", .serialized) struct ProgramScenarioTests {
    // covers: triage:scenarios_connector, triage:scenarios_stored, triage:resume, triage:must_not
    @Test(arguments: try Scenario.all())
    func `does at the servers what the case expects`(_ scenario: Scenario) async throws {
        let world = try await ProgramWorld(scenario)
        try await world.load()
        try await world.seed()
        let isComplete = try await world.run()
        try await compare(scenario, world)
        try await compareReads(scenario, world)
        try await compareState(scenario, world)
        let failures = (scenario.json["expected"]?.array ?? []).filter { $0["retry_next_run"] == true }
        if !failures.isEmpty { #expect(!isComplete) }
        try await world.close()
    }

    private func compare(_ scenario: Scenario, _ world: ProgramWorld) async throws {
        let composite = scenario.json["falcon"]?["alerts_generated"]?["composite_id"]?.string
        let samples = scenario.json["expected"]?.array ?? []
        let wanted = samples.map { sample in
            Deed.merged(
                (sample["effects"]?.array ?? []).map { Deed(expected: $0, composite: composite, isWhole: true) })
        }
        let done = try await world.deeds()
        if wanted.count == 1 {
            #expect(done == wanted[0])
        } else if scenario.name == "quota-400" {
            // Whichever of both is submitted first.
            #expect(done.filter { $0.operation == "vmray_submit" || $0.operation == "sample_download" }.count == 2)
        } else {
            #expect(Set(done) == Set(Deed.merged(wanted.flatMap { $0 })))
        }
        for forbidden in (scenario.json["must_not"]?.array ?? []).compactMap(\.string) {
            switch forbidden {
            case "vmray_poll":
                let paths = try await world.requests(.vmray).compactMap { $0["path"]?.string }
                #expect(!paths.contains { $0.hasPrefix("/rest/submission/") && !$0.contains("/sample/") })
            case "vmray_iocs":
                #expect(try await !world.requests(.vmray).contains { $0["path"]?.string?.contains("/iocs/") == true })
            default: #expect(!done.contains { $0.operation == forbidden })
            }
        }
    }

    private func compareReads(_ scenario: Scenario, _ world: ProgramWorld) async throws {
        for (call, count) in scenario.json["expected_reads"]?.object ?? [:] {
            let found = try await world.count(call)
            #expect(found == count.int.map { Int($0) }, "\(call)")
        }
        for (call, limit) in scenario.json["limits"]?.object ?? [:] {
            #expect(try await world.count(call) == limit["calls"]?.int.map { Int($0) }, "\(call)")
        }
        for (_, answer) in scenario.json["vmray"]?["submit"]?.object ?? [:] {
            guard let waits = answer["waits_s"]?.array?.compactMap(\.int), !waits.isEmpty else { continue }
            #expect(Array(world.time.slept.prefix(waits.count)) == waits.map { .seconds($0) })
        }
    }

    private func compareState(_ scenario: Scenario, _ world: ProgramWorld) async throws {
        let book = try await world.book()
        for sample in scenario.json["expected"]?.array ?? [] {
            let hash = try #require(sample["sha256"]?.string)
            let record = try #require(try await book.record(hash))
            #expect(record.outcome?.rawValue == sample["outcome"]?.string)
            let isRetried = [.found, .failed, .submitted].contains(record.stage)
            #expect(isRetried == (sample["retry_next_run"]?.bool ?? false))
        }
        guard let after = scenario.json["state_after"] else { return }
        var done: Set<String> = []
        for (hash, state) in after["samples"]?.object ?? [:] {
            let record = try #require(try await book.record(hash))
            #expect(record.stage.rawValue == state["stage"]?.string)
            if let attempts = state["attempts"]?.int { #expect(record.attempts == attempts) }
            if let outcome = state["outcome"]?.string { #expect(record.outcome?.rawValue == outcome) }
            if let id = state["submission_id"]?.int { #expect(record.submissionID == id) }
            if let id = state["sample_id"]?.int { #expect(record.findings?.sampleID == id) }
            if let verdict = state["verdict"]?.string { #expect(record.findings?.verdict.rawValue == verdict) }
            done.formUnion(record.effects.filter { $0.value == .done }.map(\.key.text))
        }
        #expect(done == Set((after["effects_done"]?.array ?? []).compactMap(\.string)))
        if let text = after["given_up_at"]?.string, let moment = Instant(parsing: text.prefix(20)) {
            #expect(world.time.now >= moment)
            #expect(moment.duration(to: world.time.now) <= SampleTriage.longestPollInterval)
        }
    }
}
