// SPDX-License-Identifier: Apache-2.0

import Base
public import Engine
public import Storage
public import TestKit

/// A flow core over a real ledger and a connector's sink, driven by hand: what it asks for is carried out in order, on a
/// clock that jumps.
public struct DrivenFlow {
    public struct Stuck: Error, CustomStringConvertible {
        public let description: String
        public init(_ description: String) { self.description = description }
    }

    public var core: FlowCore
    /// In their order.
    public private(set) var commits: [FlowCommit] = []
    private let store: SQLiteStore
    private let sink: any FlowSink
    private let time: TestTime

    /// - Parameter model: of the ledger's contents.
    public init(
        _ model: any StateModel, _ sink: any FlowSink, over store: SQLiteStore, on time: TestTime,
        guards: GuardPolicy = .off, recovery: FlowCore.Recovery
    ) {
        core = FlowCore(
            identity: .init(flow: 1, target: 1, partition: "live", fencingToken: 0), model: model, guards: guards,
            recovery: recovery)
        self.store = store
        self.sink = sink
        self.time = time
    }

    /// Carries out what the core asks for until nothing is left to do; at most so many batches.
    ///
    /// - Parameter holding: what the platform answers when it is asked whether others want a value; `nil`: the sink asks.
    public mutating func settle(batches: Int = .max, holding: FlowCore.Holding? = nil) async throws {
        var left = batches
        while true {
            let actions = core.takeActions()
            guard core.accounting.holds else { throw Stuck("the sums do not hold: \(core.accounting)") }
            if actions.isEmpty {
                if core.isIdle || core.accounting.itemsOpen == 0 && core.nextTick() == nil { return }
                guard let next = core.nextTick() else { throw Stuck("nothing can happen any more") }
                if next > time.uptime { time.advance(by: next - time.uptime) }
                core.tick(at: Moment(time))
                continue
            }
            for action in actions {
                switch action {
                case .lookUp(let id, let query):
                    core.resolved(id, entries: try await store.lookUp(query), at: Moment(time))
                case .ask(let key, let removal, let source):
                    var answer = holding
                    if answer == nil { answer = await sink.holding(key, removal: removal, source: source) }
                    core.answered(key, answer ?? .unknown, at: Moment(time))
                case .send(let batch):
                    guard left > 0 else { return }
                    left -= 1
                    core.delivered(batch.id, results: await sink.deliver(batch), at: Moment(time))
                case .commit(let commit):
                    try await store.commit(commit)
                    commits.append(commit)
                    core.committed(at: Moment(time))
                case .append, .perform: throw Stuck("this connector neither appends nor acts")
                case .acknowledge, .tidy, .recoveryFinished, .ceilingReached: break
                }
            }
        }
    }
}
