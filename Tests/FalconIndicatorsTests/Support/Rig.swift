// SPDX-License-Identifier: Apache-2.0

import Base
import Storage
import Telemetry
import TestKit

@testable import Engine
@testable import FalconIndicators

/// The connector's parts around a flow core: a real ledger, a tenant without a network, and a clock that jumps.
struct Rig {
    struct Stuck: Error, CustomStringConvertible { let description: String }

    let tenant: FakeTenant
    let time: TestTime
    let model: IOCModel
    let sink: FalconSink
    let store: SQLiteStore
    private(set) var core: FlowCore
    private(set) var commits: [FlowCommit] = []
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
        core = FlowCore(
            identity: .init(flow: 1, target: 1, partition: "live", fencingToken: 0), model: model, guards: guards,
            recovery: recovery)
        _ = try await store.number(of: "flow", in: .flow)
        _ = try await store.number(of: "target", in: .target)
        _ = try await Reconciler(
            falcon: falcon, store: store, model: model, creators: adoptsAny ? nil : own, log: .silent
        ).buildIndex(flow: 1, target: 1, fencingToken: 0)
    }

    mutating func feed(_ items: [Item]) { core.read(items, at: Moment(time)) }
    mutating func observe(_ entries: [ObservedEntry]) { core.observe(entries, at: Moment(time)) }

    /// Carries out what the core asks for, in order, until nothing is left to do; at most so many batches.
    mutating func settle(batches: Int = 100) async throws {
        var left = batches
        while true {
            let actions = core.takeActions()
            guard core.accounting.holds else { throw Stuck(description: "the sums do not hold: \(core.accounting)") }
            if actions.isEmpty {
                if core.isIdle { return }
                guard let next = core.nextTick() else { throw Stuck(description: "nothing can happen any more") }
                if next > time.uptime { time.advance(by: next - time.uptime) }
                core.tick(at: Moment(time))
                continue
            }
            for action in actions {
                switch action {
                case .lookUp(let id, let query):
                    core.resolved(id, entries: try await store.lookUp(query), at: Moment(time))
                case .ask(let key, _, _): core.answered(key, holding, at: Moment(time))
                case .send(let batch):
                    guard left > 0 else { return }
                    left -= 1
                    core.delivered(batch.id, results: await sink.deliver(batch), at: Moment(time))
                case .commit(let commit):
                    try await store.commit(commit)
                    commits.append(commit)
                    core.committed(at: Moment(time))
                case .append, .perform: throw Stuck(description: "this connector neither appends nor acts")
                case .acknowledge, .tidy, .recoveryFinished, .ceilingReached: break
                }
            }
        }
    }
}
