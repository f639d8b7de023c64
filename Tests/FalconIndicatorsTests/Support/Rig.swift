// SPDX-License-Identifier: Apache-2.0

import Base
import FlowTestKit
import Storage
import Telemetry
import TestKit

@testable import Engine
@testable import FalconIndicators

/// The connector's parts around a flow core: a real ledger, a tenant without a network, and a clock that jumps.
struct Rig {
    let tenant: FakeTenant
    let time: TestTime
    let model: IOCModel
    let sink: FalconSink
    let store: SQLiteStore
    private var flow: DrivenFlow
    var core: FlowCore { flow.core }
    var commits: [FlowCommit] { flow.commits }
    /// What the platform answers when it is asked whether others want a value.
    var holding = FlowCore.Holding.free

    /// - Parameter policy: of the ledger's contents: permanent or soft deletes.
    init(
        _ tenant: FakeTenant, _ policy: IOCModel.Policy = .init(), owns: [String] = [], adoptsAny: Bool = false,
        recovery: FlowCore.Recovery = .complete, ceiling: Int = 1_000_000, guards: GuardPolicy = .off
    ) async throws {
        self.tenant = tenant
        time = tenant.time
        model = IOCModel(policy)
        store = try await SQLiteStore.open(path: ":memory:")
        let falcon = try tenant.client()
        let own = [FakeTenant.clientID] + owns
        let quota = Quota(ceiling: ceiling, count: 0, ownClientIDs: own, time: time, log: .silent)
        sink = FalconSink(
            falcon: falcon, policy: .init(ownClientIDs: Set(own), adoptsAny: adoptsAny, ceiling: ceiling),
            model: model, platform: PlatformQuestions(client: try FakePlatform().client, version: nil, time: time),
            quota: quota, time: time, log: .silent)
        flow = DrivenFlow(model, sink, over: store, on: time, guards: guards, recovery: recovery)
        _ = try await store.number(of: "flow", in: .flow)
        _ = try await store.number(of: "target", in: .target)
        _ = try await Reconciler(
            falcon: falcon, store: store, model: model, creators: adoptsAny ? nil : own, log: .silent
        ).buildIndex(flow: 1, target: 1, fencingToken: 0)
    }

    mutating func feed(_ items: [Item]) { flow.core.read(items, at: Moment(time)) }
    mutating func observe(_ entries: [ObservedEntry]) { flow.core.observe(entries, at: Moment(time)) }

    /// Carries out what the core asks for, in order, until nothing is left to do; at most so many batches.
    mutating func settle(batches: Int = 100) async throws { try await flow.settle(batches: batches, holding: holding) }
}
