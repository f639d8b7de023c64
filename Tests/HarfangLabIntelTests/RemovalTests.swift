// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import OpenCTI
import Storage
import Synchronization
import TestKit
import Testing

@testable import Engine
@testable import HarfangLabIntel

@Suite("Removals that could take too much") struct RemovalTests {
    /// A vector's event, its console before it, and its platform.
    private func rig(
        _ id: String, recovery: FlowCore.Recovery
    ) async throws -> (rig: IntelRig, console: FakeConsole, event: JSONValue, platform: Platform) {
        let vector = try #require(IntelVector.all.first { $0.id == id })
        let console = FakeConsole()
        console.state.withLock { state in
            for (collection, rows) in vector.json["harfanglab_before"]?.object ?? [:] {
                state.rules[collection] = rows.array?.compactMap(\.object)
            }
        }
        let platform = Platform()
        let rig = try await IntelRig(console, recovery: recovery, platform: platform)
        return (rig, console, try #require(vector.json["sse"]), platform)
    }

    private func held(_ console: FakeConsole, _ collection: String = "IOCRule") -> Int {
        console.state.withLock { $0.rules[collection]?.count ?? 0 }
    }

    // covers: intel:held-removals
    @Test(arguments: ["hl-intel-031", "hl-intel-044"])
    func `wait for the end of a recovery where the platform can't say who else wants the rule`(_ id: String)
        async throws
    {
        var (rig, console, event, _) = try await rig(id, recovery: .running)
        let before = held(console) + held(console, "SigmaRule")
        _ = try await rig.feed(.delete, event["id"]?.string ?? "", try #require(event["data"]).text, label: "delete")
        #expect(held(console) + held(console, "SigmaRule") == before)
        let jobs = rig.commits.flatMap(\.jobs)
        #expect(!jobs.isEmpty && jobs.allSatisfy { $0.step == "held" })
        // What the end of the recovery takes up.
        var items: [Item] = []
        for job in jobs {
            let removal = try #require(HeldRemoval(bytes: job.payload))
            items.append(
                Item(
                    group: SourcePosition(major: 0), position: nil, source: removal.source, time: removal.time,
                    label: "held_removal", effects: [.state(key: removal.key, .remove(removal.removal))]))
        }
        rig.finishRecovery()
        try await rig.read(items)
        #expect(held(console) + held(console, "SigmaRule") == before - 1)
    }

    // covers: intel:held-removals
    @Test func `go on where no recovery will come`() async throws {
        var (rig, console, event, _) = try await rig("hl-intel-031", recovery: .none)
        _ = try await rig.feed(.delete, event["id"]?.string ?? "", try #require(event["data"]).text, label: "delete")
        #expect(held(console) == 0)
    }

    // covers: intel:expiry-race
    @Test func `an extension that comes while the end is being carried out stands`() async throws {
        var (rig, console, event, _) = try await rig("hl-intel-001", recovery: .complete)
        let whole = try #require(event["data"])
        let moments = ["2026-03-02T09:00:00.000Z", "2026-06-15T12:30:00.000Z"]
        for (index, end) in ["2026-06-15T12:10:00.000Z", "2030-01-01T00:00:00.000Z"].enumerated() {
            var text = whole.text.replacing("2037-03-02T09:00:00.000Z", with: end)
            text = text.replacing(
                "\"updated_at\":\"2026-03-02T09:00:00.000Z\"", with: "\"updated_at\":\"\(moments[index])\"")
            if index == 1 {
                rig.time.advance(by: .seconds(1800))
                // Read from the ledger before the extension arrives, carried out behind it.
                var items: [Item] = []
                let reconciler = RuleReconciler(
                    console: try console.client(), sources: IntelRig.sources, store: rig.store, model: rig.model,
                    flow: 1,
                    target: 1, time: rig.time)
                #expect(try await reconciler.findEnded { items += $0 } == 1)
                _ = try await rig.feed(.update, "1781526600000-0", text, label: "update")
                try await rig.read(items)
            } else {
                _ = try await rig.feed(.create, event["id"]?.string ?? "", text, label: "create")
            }
        }
        #expect(held(console) == 1)
    }

    // covers: intel:expiry
    @Test func `what ends without an event leaves`() async throws {
        var (rig, console, event, _) = try await rig("hl-intel-001", recovery: .complete)
        let text = try #require(event["data"]).text
            .replacing("2037-03-02T09:00:00.000Z", with: "2026-06-15T12:10:00.000Z")
        _ = try await rig.feed(.create, event["id"]?.string ?? "", text, label: "create")
        #expect(held(console) == 1)
        rig.time.advance(by: .seconds(1800))
        var items: [Item] = []
        let reconciler = RuleReconciler(
            console: try console.client(), sources: IntelRig.sources, store: rig.store, model: rig.model, flow: 1,
            target: 1,
            time: rig.time)
        #expect(try await reconciler.findEnded { items += $0 } == 1)
        try await rig.read(items)
        #expect(held(console) == 0)
    }
}
