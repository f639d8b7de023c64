// SPDX-License-Identifier: Apache-2.0

public import Base
public import Engine
public import Telemetry

/// A flow's status as metrics and health.
public enum FlowReports {
    /// Registers the flow's metrics; the values are read from `status` when somebody asks.
    public static func register(_ status: FlowStatus, flow: String, in metrics: Metrics, time: any TimeSource) {
        metrics.collect(
            "sallyport_items_total", "Items by outcome", .counter, labels: ["flow", "outcome"], owner: flow
        ) {
            let counts = status.snapshot.accounting.items
            return Outcome.allCases.map { (labels: [flow, $0.description], value: Double(counts[$0])) }
        }
        metrics.collect(
            "sallyport_effects_total", "Effects by outcome", .counter, labels: ["flow", "outcome"], owner: flow
        ) {
            let counts = status.snapshot.accounting.effects
            return Outcome.allCases.map { (labels: [flow, $0.description], value: Double(counts[$0])) }
        }
        metrics.collect(
            "sallyport_dead_letters_total", "Items put aside for a person", .counter, labels: ["flow"], owner: flow
        ) {
            [(labels: [flow], value: Double(status.snapshot.accounting.items[.deadLettered]))]
        }
        gauge("sallyport_items_open", "Items read and not yet ended") { Double($0.accounting.itemsOpen) }
        gauge("sallyport_effects_open", "Effects not yet ended") { Double($0.accounting.effectsOpen) }
        gauge("sallyport_batches_in_flight", "Calls to the target under way") { Double($0.batchesInFlight) }
        gauge("sallyport_entries", "Our entries at the target") { Double($0.entryCount) }
        gauge("sallyport_awaiting_approval", "1 while the ceiling of deletes has stopped the flow") {
            $0.isAwaitingApproval ? 1 : 0
        }
        gauge("sallyport_lag_seconds", "Age of the durable position") { snapshot in
            snapshot.durablePosition.map { Double(time.now.milliseconds - Int64(clamping: $0.major)) / 1000 } ?? 0
        }
        gauge("sallyport_checkpoint_age_seconds", "Time since the position last became durable") { snapshot in
            (time.uptime - snapshot.lastCommit).inSeconds
        }
        func gauge(_ name: String, _ help: String, _ value: @escaping @Sendable (FlowStatus.Snapshot) -> Double) {
            metrics.collect(name, help, labels: ["flow"], owner: flow) {
                [(labels: [flow], value: value(status.snapshot))]
            }
        }
    }

    /// What health says of a flow.
    public static func health(_ snapshot: FlowStatus.Snapshot, isStateEphemeral: Bool) -> ComponentStatus {
        if let trouble = snapshot.storageTrouble { return .notReady(trouble) }
        if let trouble = snapshot.trouble { return .notReady("\(trouble.code): \(trouble.reason)") }
        if let trouble = snapshot.sourceTrouble { return .notReady(trouble) }
        if snapshot.isAwaitingApproval {
            return .notReady(
                "The ceiling of deletes was reached. Look at `sallyport plan`, then run `sallyport approve`.")
        }
        if snapshot.recovery == .running {
            return .degraded("recovering: \(snapshot.accounting.itemsOpen) items open, \(snapshot.entryCount) entries")
        }
        if isStateEphemeral {
            return .degraded("The state folder does not outlive this container: give it a volume.")
        }
        return .ok
    }
}
