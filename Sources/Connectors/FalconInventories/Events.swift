// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Sekoia
import Synchronization
import Telemetry

/// What is worth telling of an inventory: each line with its counter, and what health says.
final class InventoryEvents: Sendable {
    private let log: Log
    private let assets: Family<Counter>
    private let cycles: Counter
    private let gone: Counter
    private let flow: String
    private let pulse: SymphonyPulse?
    private let health: HealthComponent?
    private let hints = Mutex<[String: String]>([:])

    init(log: Log, metrics: Metrics, flow: String, pulse: SymphonyPulse? = nil, health: HealthComponent? = nil) {
        self.log = log
        self.flow = flow
        self.pulse = pulse
        self.health = health
        assets = metrics.counter(
            "sallyport_inventory_assets_total", "Assets by how they ended", labels: ["flow", "outcome"])
        cycles = metrics.counter(
            "sallyport_inventory_cycles_total", "Looks at the whole inventory that ended", labels: ["flow"]
        ).with(flow)
        gone = metrics.counter(
            "sallyport_inventory_gone_total", "Devices that Falcon has taken out of its lists", labels: ["flow"]
        ).with(flow)
    }

    func delivered(_ count: Int) {
        assets.with(flow, "delivered").add(count)
        pulse?.pushed()
        settleHealth()
    }

    func skipped(_ id: String) {
        assets.with(flow, "skipped").add()
        log.warning("An asset has no id or name and is not sent", .field("asset.id", id))
    }

    func refused(_ status: Int) {
        assets.with(flow, "dead_lettered").add()
        log.warning("Sekoia refuses an asset; it was put aside", .field("http.status", status))
    }

    func held(_ error: SekoiaError) {
        pulse?.failed()
        health?.report(.notReady("\(error.code): \(error.description)"))
        log.warning("Assets wait until Sekoia takes them", .field("error.code", error.code), .cause(error))
    }

    func settled(_ outcome: SekoiaAssets.Outcome) {
        switch outcome {
        case .finished: break
        case .failed(let status):
            assets.with(flow, "failed_later").add()
            log.error("Sekoia took assets and failed to work on them", .field("task.status", status))
        case .unknown: log.warning("Sekoia still works on assets")
        }
    }

    func ended(new count: Int) {
        cycles.add()
        pulse?.beat()
        settleHealth()
        if count == 0 {
            log.info("No asset has been added")
        } else {
            log.info("The inventory was sent", .field("assets", count))
        }
    }

    /// The first ids are named.
    func disappeared(_ ids: [String]) {
        guard !ids.isEmpty else { return }
        gone.add(ids.count)
        log.info(
            "Devices have left Falcon's lists and are no longer managed", .field("devices", ids.count),
            .field("first", ids.prefix(10).joined(separator: " ")))
    }

    func failed(_ error: any Error) {
        pulse?.failed()
        health?.report(.notReady("\(error)"))
        log.error("The inventory could not be read; it is tried again", .cause(error))
    }

    /// Said once, and shown in health until it is over.
    func hint(_ key: String, _ text: String?) {
        let isNew = hints.withLock { hints in
            let isNew = hints[key] != text
            hints[key] = text
            return isNew
        }
        guard isNew, let text else { return }
        log.warning("A part of the inventory is read another way", .field("reason", text))
    }

    private func settleHealth() {
        let hint = hints.withLock { $0.values.first }
        health?.report(hint.map { .degraded($0) } ?? .ok)
    }
}
