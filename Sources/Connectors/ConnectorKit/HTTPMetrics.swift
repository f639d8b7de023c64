// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import Telemetry

/// HTTP calls as metrics. Labels come from closed sets: operations are constants, outcomes are classes or error codes.
struct HTTPMetrics: HTTPObserver {
    private let calls: Family<Counter>
    private let seconds: Family<Histogram>
    private let retries: Family<Counter>
    private let remaining: Family<Gauge>
    private let paused: Family<Counter>
    private let connection: String

    /// - Parameter connection: `opencti`, `falcon`; a label value.
    init(_ metrics: Metrics, connection: String) {
        self.connection = connection
        calls = metrics.counter(
            "sallyport_http_calls_total", "Calls to remote services by outcome",
            labels: ["connection", "operation", "outcome"])
        seconds = metrics.histogram(
            "sallyport_http_call_seconds", "How long calls took, answer included", labels: ["connection", "operation"],
            buckets: Histogram.latencyBuckets)
        retries = metrics.counter(
            "sallyport_http_retries_total", "Calls repeated", labels: ["connection", "operation", "reason"])
        remaining = metrics.gauge(
            "sallyport_rate_limit_remaining", "Requests left in the budget, as the server says", labels: ["budget"])
        paused = metrics.counter(
            "sallyport_rate_limit_pauses_total", "Times the server asked everybody to wait", labels: ["budget"])
    }

    func observe(_ event: HTTPEvent) {
        switch event {
        case .call(let call):
            calls.with(connection, call.operation, call.outcomeLabel).add()
            seconds.with(connection, call.operation).observe(call.duration)
        case .retry(let operation, _, let reason, _): retries.with(connection, operation, reason.text).add()
        case .budget(let name, let left, _): remaining.with(name).set(left)
        case .paused(let budget, _): paused.with(budget).add()
        case .circuit, .token: break
        }
    }
}
