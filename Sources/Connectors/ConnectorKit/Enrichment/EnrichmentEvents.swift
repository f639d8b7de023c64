// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Messaging
import OpenCTI
import Telemetry

/// What is worth telling of an enrichment: one method a thing, which writes the line and moves the counter.
final class EnrichmentEvents: Sendable {
    private let log: Log
    private let items: Family<Counter>
    private let flow: String
    private let seconds: Histogram
    private let repeats: Counter
    private let jobs: Counter
    private let runs: Counter
    private let errors: Counter
    private let bundles: Counter
    private let records: Counter
    private let pings: Counter
    private let pingErrors: Counter

    init(log: Log, metrics: Metrics, flow: String) {
        self.log = log
        self.flow = flow
        items = metrics.counter(
            "sallyport_enrichments_total", "Enrichment requests by outcome", labels: ["flow", "outcome"])
        seconds = metrics.histogram(
            "sallyport_enrichment_seconds", "From the receipt of a request to its acknowledgement", labels: ["flow"],
            buckets: Histogram.latencyBuckets
        ).with(flow)
        repeats = metrics.counter(
            "sallyport_enrichment_repeats_total", "Requests that came again and had been done", labels: ["flow"]
        ).with(flow)
        jobs = metrics.counter(
            "sallyport_enrichment_jobs_total", "Requests that could not be done in time and wait in our own store",
            labels: ["flow"]
        ).with(flow)
        // The original's own names. Source: OpenCTI protocol, 2.2.
        runs = metrics.counter("runs_total", "Number of runs")
        errors = metrics.counter("errors_total", "Number of errors")
        bundles = metrics.counter("bundles_sent_total", "Number of bundles sent")
        records = metrics.counter("records_sent_total", "Number of records (objects per bundle) sent")
        pings = metrics.counter("ping_api_total", "Number of pings to the API")
        pingErrors = metrics.counter("ping_api_errors_total", "Number of errors when pinging the API")
    }

    func ended(_ outcome: Outcome, after duration: Duration, records count: Int = 0) {
        items.with(flow, outcome.description).add()
        seconds.observe(duration)
        runs.add()
        if count > 0 { bundles.add() }
        records.add(count)
        if outcome == .deadLettered { errors.add() }
    }

    func refused(_ code: ErrorCode, _ message: String, work: String?) {
        errors.add()
        log.warning(
            "An enrichment ended in error", .field("error.code", code), .field("reason", message),
            .field("work", work ?? ""))
    }

    func deadLettered(_ code: ErrorCode, _ reason: String, work: String?) {
        log.error(
            "A request was put aside as a dead letter", .field("error.code", code), .field("reason", reason),
            .field("work", work ?? ""))
    }

    func isDone(work: String?) {
        repeats.add()
        log.info("A request came again that had been done", .field("work", work ?? ""))
    }

    func becameJob(_ reason: String) {
        jobs.add()
        log.warning("A request waits in our own store and is tried again", .field("reason", reason))
    }

    func waits(for error: any Error) {
        log.warning("A call failed and is tried again", .cause(error))
    }

    func reportFailed(_ error: any Error, work: String?) {
        log.warning("A work could not be reported", .field("work", work ?? ""), .cause(error))
    }

    func pinged(_ event: PingLoop.Event) {
        pings.add()
        switch event {
        case .ok, .replaced: break
        case .registered: log.warning("The platform had forgotten this connector; it is registered again")
        case .failed(let error):
            pingErrors.add()
            log.warning("A ping failed", .field("error.code", error.code), .cause(error))
        }
    }

    func queueWasReset() {
        log.warning("The connector was reset on the platform: attempts and waiting requests go too")
    }

    func listening(_ change: BrokerState) {
        switch change {
        case .connected: log.info("Reading requests from RabbitMQ")
        case .blocked(let reason): log.warning("RabbitMQ is short of resources", .field("reason", reason))
        case .disconnected(let error, let wait):
            log.warning(
                "Requests can't be read from RabbitMQ; trying again", .field("error.code", error.code),
                .field("reason", error.description), .field("wait", wait))
        case .connecting, .closed: break
        }
    }
}
