// SPDX-License-Identifier: Apache-2.0

import Base
import Synchronization

/// A flow as others may look at it while it runs: metrics, health, the demo's progress.
public final class FlowStatus: Sendable {
    public struct Snapshot: Sendable {
        public var accounting = Accounting()
        public var trouble: FlowCore.Trouble?
        public var storageTrouble: String?
        public var sourceTrouble: String?
        public var isAwaitingApproval = false
        public var recovery = FlowCore.Recovery.none
        public var durablePosition: SourcePosition?
        public var entryCount = 0
        public var batchesInFlight = 0
        /// When something last moved, and when the position last became durable.
        public var lastProgress: Duration = .zero
        public var lastCommit: Duration = .zero
        public init() {}
    }

    private let state = Mutex(Snapshot())

    public init() {}

    public var snapshot: Snapshot { state.withLock { $0 } }
    var isAwaitingApproval: Bool { state.withLock { $0.isAwaitingApproval } }

    func update(_ core: borrowing FlowCore, at now: Moment) {
        let accounting = core.accounting
        let trouble = core.trouble
        let isAwaitingApproval = core.isAwaitingApproval
        let recovery = core.recovery
        let position = core.durablePosition
        let entryCount = core.entryCount
        let inFlight = core.batchesInFlight
        state.withLock { state in
            if state.accounting != accounting { state.lastProgress = now.uptime }
            if state.durablePosition != position { state.lastCommit = now.uptime }
            state.accounting = accounting
            state.trouble = trouble
            state.isAwaitingApproval = isAwaitingApproval
            state.recovery = recovery
            state.durablePosition = position
            state.entryCount = entryCount
            state.batchesInFlight = inFlight
        }
    }

    func update(_ core: borrowing RelayCore, at now: Moment) {
        let accounting = core.accounting
        let trouble = core.trouble
        let inFlight = core.batchesInFlight
        state.withLock { state in
            if state.accounting != accounting { state.lastProgress = now.uptime }
            if state.accounting.itemsCommitted != accounting.itemsCommitted { state.lastCommit = now.uptime }
            state.accounting = accounting
            state.trouble = trouble
            state.batchesInFlight = inFlight
            state.recovery = .complete
        }
    }

    func storage(trouble: String?) { state.withLock { $0.storageTrouble = trouble } }
    /// Said by a source that can't reach its platform; nil once it can.
    public func source(trouble: String?) { state.withLock { $0.sourceTrouble = trouble } }
}
