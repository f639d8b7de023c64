// SPDX-License-Identifier: Apache-2.0

import Base
import CrowdSec
import Telemetry

/// What is worth telling: one method a thing, which writes the line and moves the counter, so that they can't drift.
struct Events: Sendable {
    private let log: Log
    private let flow: String
    private let lookups: Family<Counter>
    private let refusals: Family<Counter>
    private let health: HealthComponent?

    init(log: Log, metrics: Metrics, health: HealthComponent?, flow: String) {
        self.log = log
        self.flow = flow
        self.health = health
        lookups = metrics.counter(
            "sallyport_crowdsec_lookups_total", "Answers about addresses; cached ones cost no token.",
            labels: ["flow", "result", "cached"])
        refusals = metrics.counter(
            "sallyport_crowdsec_not_asked_total", "Requests that ended without a look-up, by reason.",
            labels: ["flow", "reason"])
    }

    func answered(_ answer: CTIAnswer, isCached: Bool) {
        let result =
            switch answer {
            case .item: "found"
            case .notFound: "not_found"
            case .empty: "empty"
            }
        lookups.with(flow, result, isCached ? "true" : "false").add()
        if !isCached { health?.report(.ok) }
    }

    func failed(_ error: CrowdSecError) {
        lookups.with(flow, error.code.text, "false").add()
        log.warning("CrowdSec gave no answer", .field("error.code", error.code), .cause(error))
        health?.report(.degraded(error.description))
    }

    func left(_ refusal: CrowdSecHandler.Refusal) {
        refusals.with(flow, refusal.code.text).add()
        log.debug("Not asked about", .field("reason", refusal.code.text))
    }
}
