// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Storage
import Telemetry
import TestKit
import Testing

@testable import Engine
@testable import FalconIndicators

@Suite("Ledger and tenant") struct ReconcileTests {
    private func item(_ rig: Rig, _ number: UInt64, _ change: StateChange, of content: IOCContent) -> Item {
        var item = Item(
            group: SourcePosition(major: number), position: SourcePosition(major: number),
            source: Digest128(high: 1, low: 1), time: Instant(milliseconds: Int64(number)), label: "update",
            effects: [.state(key: rig.model.key(content.type, content.value), change)])
        item.replacesSource = true
        return item
    }

    private func upsert(_ rig: Rig, _ number: UInt64, _ content: IOCContent = .sample()) -> Item {
        item(rig, number, .upsert(content.encoded), of: content)
    }

    private func reconciler(_ rig: Rig) throws -> Reconciler {
        Reconciler(
            falcon: try rig.tenant.client(), store: rig.store, model: rig.model, creators: [FakeTenant.clientID],
            log: .silent)
    }

    private func drift(_ rig: inout Rig) async throws -> Int {
        var seen: [ObservedEntry] = []
        let count = try await reconciler(rig).findDrift(flow: 1, target: 1, time: rig.time) { seen += $0 }
        rig.observe(seen)
        try await rig.settle()
        return count
    }

    // covers: better:reconcile, key:CROWDSTRIKE_CLIENT_ID
    @Test func `at the first start what is ours and as wanted is not written again`() async throws {
        let tenant = FakeTenant()
        tenant.add("domain", "a.example")
        tenant.add("domain", "b.example", by: FakeTenant.clientID, [("severity", "low")])
        tenant.add("domain", "theirs.example", by: "somebody")
        var rig = try await Rig(tenant, recovery: .running)
        #expect(try await rig.store.countEntries(target: 1) == [.found: 2])
        rig.feed([upsert(rig, 1)])
        try await rig.settle()
        #expect(tenant.count("POST") == 0 && tenant.count("PATCH") == 0)
        #expect(rig.core.accounting.effects[.unchanged] == 1)
        var second = upsert(rig, 2, .sample("b.example"))
        second.source = Digest128(high: 1, low: 2)
        rig.feed([second])
        try await rig.settle()
        #expect(tenant.count("POST") == 0 && tenant.count("PATCH") == 1)
        #expect(tenant.ioc("b.example")?["severity"] == "medium")
        #expect(try await rig.store.countEntries(target: 1) == [.present: 2])
    }

    // covers: reference:never-seen
    @Test func `a deletion of what was never seen takes away what the tenant holds of ours`() async throws {
        let tenant = FakeTenant()
        tenant.add("domain", "a.example")
        tenant.add("domain", "theirs.example", by: "somebody")
        var rig = try await Rig(tenant, .init(isPermanent: true))
        let removals = [IOCContent.sample(), .sample("theirs.example"), .sample("none.example")].enumerated()
        rig.feed(removals.map { item(rig, UInt64($0 + 1), .remove($1.encoded), of: $1) })
        try await rig.settle()
        #expect(tenant.iocs.count == 1 && tenant.ioc("theirs.example") != nil)
    }

    // covers: state:delete-during-recovery
    @Test(arguments: [FlowCore.Holding.held, .free, .unknown])
    func `before the first recovery is through, a deletion asks the platform`(_ holding: FlowCore.Holding) async throws
    {
        let tenant = FakeTenant()
        tenant.add("domain", "a.example")
        var rig = try await Rig(tenant, .init(isPermanent: true), recovery: .running)
        rig.holding = holding
        rig.feed([item(rig, 1, .remove(IOCContent.sample().encoded), of: .sample())])
        try await rig.settle()
        #expect(tenant.iocs.isEmpty == (holding == .free))
        let held = try await rig.store.dueJobs(
            runner: HeldRemoval.runner(flow: 1), at: rig.time.now, limit: 10)
        #expect(held.count == (holding == .unknown ? 1 : 0))
    }

    @Test func `what somebody changed or deleted at the tenant is written again`() async throws {
        let tenant = FakeTenant()
        var rig = try await Rig(tenant)
        let values = ["a.example", "b.example", "c.example", "d.example"]
        rig.feed(
            values.enumerated().map { number, value in
                var item = upsert(rig, UInt64(number + 1), .sample(value))
                item.source = Digest128(high: 1, low: UInt64(number))
                return item
            })
        try await rig.settle()
        #expect(try await drift(&rig) == 0)
        func change(_ value: String, _ name: String, _ to: JSONValue) {
            guard var ioc = tenant.ioc(value) else { return }
            ioc[name] = to
            tenant.add(.object(ioc))
        }
        change("a.example", "severity", "critical")
        tenant.remove(tenant.ioc("b.example")?["id"]?.string ?? "")
        // After its end Falcon takes the action away by itself.
        change("c.example", "action", "no_action")
        change("c.example", "expired", true)
        let posts = tenant.count("POST")
        #expect(try await drift(&rig) == 2)
        #expect(tenant.ioc("a.example")?["severity"] == "medium")
        #expect(tenant.ioc("b.example") != nil && tenant.count("POST") == posts + 1)
        #expect(tenant.ioc("c.example")?["action"] == "no_action")
        #expect(try await drift(&rig) == 0)
    }

    // covers: state:crash-in-recovery
    @Test func `what another listing shows to be different is written again by a repeated event`() async throws {
        let tenant = FakeTenant()
        var rig = try await Rig(tenant)
        rig.feed([upsert(rig, 1)])
        try await rig.settle()
        var ioc = try #require(tenant.ioc("a.example"))
        ioc["severity"] = "critical"
        tenant.add(.object(ioc))
        _ = try await reconciler(rig).buildIndex(flow: 1, target: 1, fencingToken: 0)
        let before = tenant.count("PATCH")
        rig.feed([upsert(rig, 1)])
        try await rig.settle()
        #expect(tenant.ioc("a.example")?["severity"] == "medium" && tenant.count("PATCH") == before + 1)
    }

    // covers: better:fold
    @Test func `states of one value fold to the last before they are sent`() async throws {
        let tenant = FakeTenant()
        var rig = try await Rig(tenant)
        rig.feed(
            (1...20).map { number in
                upsert(rig, UInt64(number), .sample { $0.description = "\(number)" })
            })
        try await rig.settle()
        #expect(tenant.count("POST") == 1 && tenant.count("PATCH") == 0)
        #expect(tenant.ioc("a.example")?["description"] == "20")
        #expect(rig.core.accounting.effects[.superseded] == 19)
    }
}
