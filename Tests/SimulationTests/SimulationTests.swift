// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The flow core against made-up histories: each seed is one history with its own faults, and replays exactly.
/// One after the other: they only compute, and on two cores would keep the tests that wait for a network from running.
@Suite("Deterministic simulation", .serialized) struct SimulationTests {
    /// In groups, so that a failing seed is named and the others still run.
    static let groups = Array(0..<40)
    static let seedsPerGroup = 50

    // covers: fault:kill, better:order, better:parallel, reference:count, state:delete-during-recovery, better:fold, stream:shared-ids
    @Test(arguments: groups) func `nothing is lost, doubled or out of order`(_ group: Int) async throws {
        for index in 0..<Self.seedsPerGroup {
            // Seeds only compute: without a pause they would starve the tests that wait for a network.
            await Task.yield()
            var world = World(seed: UInt64(group * Self.seedsPerGroup + index))
            _ = try world.run()
        }
    }

    // covers: better:shared-target
    @Test func `two flows into one tenant end with what both want`() async throws {
        var meetings = 0
        for seed in 0..<UInt64(1500) {
            await Task.yield()
            var shared = SharedTarget(seed: seed)
            try shared.run()
            meetings += shared.meetings
        }
        #expect(meetings > 1500, "they hardly ever met: \(meetings)")
    }

    /// For a person: `SALLYPORT_SEED=17 swift test --filter "one seed"` prints what happens.
    @Test func `one seed, told`() throws {
        let seed = ProcessInfo.processInfo.environment["SALLYPORT_SEED"].flatMap { UInt64($0) }
        var world = World(seed: seed ?? 0)
        world.isTelling = seed != nil
        _ = try world.run()
        var shared = SharedTarget(seed: seed ?? 0)
        shared.isTelling = seed != nil
        try shared.run()
    }

    @Test func `most seeds contain a crash and a remote fault`() async throws {
        var crashed = 0
        var faulty = 0
        let count = 300
        for seed in 0..<count {
            await Task.yield()
            var world = World(seed: UInt64(seed))
            let report = try world.run()
            crashed += report.crashes > 0 ? 1 : 0
            faulty += report.remoteFaults > 0 ? 1 : 0
        }
        #expect(crashed * 10 >= count * 6, "\(crashed) of \(count) crashed")
        #expect(faulty * 10 >= count * 6, "\(faulty) of \(count) saw a remote fault")
    }

    @Test func `a seed replays exactly`() throws {
        for seed in UInt64(0)..<20 {
            var first = World(seed: seed)
            var second = World(seed: seed)
            let one = try first.run()
            let other = try second.run()
            #expect(one.crashes == other.crashes && one.remoteFaults == other.remoteFaults)
        }
    }
}
