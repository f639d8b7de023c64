// SPDX-License-Identifier: Apache-2.0

import Base
import Synchronization

/// All series of one metric name.
protocol MetricFamily: Sendable {
    /// Its metrics: one, or with the time of creation two.
    var declarations: [MetricDeclaration] { get }
    func append(to text: inout ExpositionText)
}

/// What a metric is, for the reference.
public struct MetricDeclaration: Sendable, Hashable {
    public let name: String
    /// `counter`, `gauge` or `histogram`.
    public let kind: String
    public let labels: [String]
    public let help: String
}

/// What a series is made of.
public protocol MetricInstrument: Sendable {
    /// Writes the samples of one series.
    func append(to text: inout ExpositionText, name: String, labels: [(name: String, value: String)])
}

/// The series of one name, one for each combination of label values.
public final class Family<Instrument: MetricInstrument>: MetricFamily {
    private struct Series {
        let instrument: Instrument
        let created: Instant
    }

    let labels: [String]
    private let name: String
    private let help: String
    private let kind: StaticString
    private let hasCreated: Bool
    private let time: any TimeSource
    private let make: @Sendable () -> Instrument
    private let series = Mutex<[[String]: Series]>([:])

    init(
        name: String, help: String, kind: StaticString, labels: [String], hasCreated: Bool, time: any TimeSource,
        make: @escaping @Sendable () -> Instrument
    ) {
        self.name = name
        self.help = help
        self.kind = kind
        self.labels = labels
        self.hasCreated = hasCreated
        self.time = time
        self.make = make
    }

    /// The handle of one series; keep it. Values come in the order of the declared labels.
    public func with(_ values: String...) -> Instrument { series(for: values) }

    public func series(for values: [String]) -> Instrument {
        precondition(values.count == labels.count, "\(name) has the labels \(labels), not \(values.count) values")
        return series.withLock { series in
            var values = values
            if series[values] == nil, series.count >= Metrics.maxSeries, !values.isEmpty {
                values = values.map { _ in "other" }
            }
            if let existing = series[values] { return existing.instrument }
            let made = Series(instrument: make(), created: time.now)
            series[values] = made
            return made.instrument
        }
    }

    /// Forgets a series, for example of a flow that was taken out of the configuration.
    public func remove(_ values: String...) { series.withLock { _ = $0.removeValue(forKey: values) } }

    func append(to text: inout ExpositionText) {
        let sorted = series.withLock { $0 }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        guard !sorted.isEmpty else { return }
        text.header(name, help, kind)
        for (values, series) in sorted {
            series.instrument.append(to: &text, name: name, labels: pairs(values))
        }
        guard hasCreated else { return }
        text.header(createdName, help, "gauge")
        for (values, series) in sorted {
            text.sample(createdName, pairs(values), Double(series.created.milliseconds) / 1000)
        }
    }

    var declarations: [MetricDeclaration] {
        let own = MetricDeclaration(name: name, kind: kind.description, labels: labels, help: help)
        guard hasCreated else { return [own] }
        return [own, MetricDeclaration(name: createdName, kind: "gauge", labels: labels, help: help)]
    }

    private var createdName: String { (name.hasSuffix("_total") ? String(name.dropLast(6)) : name) + "_created" }

    private func pairs(_ values: [String]) -> [(name: String, value: String)] {
        zip(labels, values).map { (name: $0, value: $1) }
    }
}

/// Series that are read at exposition.
struct CollectedFamily: MetricFamily {
    let name: String
    let help: String
    let kind: Metrics.CollectedKind
    let labels: [String]
    /// By owner: each has series of its own.
    var readers: [String: Metrics.Reader] = [:]

    var declarations: [MetricDeclaration] {
        [MetricDeclaration(name: name, kind: kind.rawValue, labels: labels, help: help)]
    }

    func append(to text: inout ExpositionText) {
        let samples = readers.values.flatMap { $0() }.filter { $0.labels.count == labels.count }
        guard !samples.isEmpty else { return }
        text.header(name, help, kind == .counter ? "counter" : "gauge")
        for sample in samples.sorted(by: { $0.labels.lexicographicallyPrecedes($1.labels) }) {
            text.sample(name, zip(labels, sample.labels).map { (name: $0, value: $1) }, sample.value)
        }
    }
}
