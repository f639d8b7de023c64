// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// The registry of everything that is counted, and its Prometheus text.
///
/// Ask for an instrument once and keep the handle: it is one atomic or one short lock, without look-ups. Asking again
/// with the same name, type and labels gives the same instrument, so that several flows can share a family.
///
/// Names: `sallyport_<noun>_<unit>_total`. Label values come from small closed sets and never hold a secret; a family
/// that grows beyond ``maxSeries`` counts the rest under the label value `other`.
///
/// Format: Prometheus text exposition 0.0.4.
public final class Metrics: Sendable {
    /// `Content-Type` of ``text()``.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Label combinations a family may have.
    public static let maxSeries = 1000

    private let families = Mutex<[String: any MetricFamily]>([:])
    let time: any TimeSource

    public init(time: any TimeSource = SystemTime()) { self.time = time }

    /// A count that only grows, without labels. The name ends in `_total`.
    public func counter(_ name: String, _ help: String) -> Counter {
        counter(name, help, labels: []).series(for: [])
    }

    /// - Parameter hasCreated: adds a gauge `<name without _total>_created` with the time each series began, in seconds
    ///   since 1970, as Prometheus' Python client does.
    public func counter(
        _ name: String, _ help: String, labels: [String], hasCreated: Bool = false
    ) -> Family<Counter> {
        family(name, help, labels, "counter", hasCreated: hasCreated) { Counter() }
    }

    /// A value that goes up and down.
    public func gauge(_ name: String, _ help: String) -> Gauge { gauge(name, help, labels: []).series(for: []) }

    public func gauge(_ name: String, _ help: String, labels: [String]) -> Family<Gauge> {
        family(name, help, labels, "gauge") { Gauge() }
    }

    /// How often an observation fell into which range.
    ///
    /// - Parameter buckets: upper bounds in rising order, without infinity. ``Histogram/latencyBuckets`` for calls.
    public func histogram(_ name: String, _ help: String, buckets: [Double]) -> Histogram {
        histogram(name, help, labels: [], buckets: buckets).series(for: [])
    }

    public func histogram(
        _ name: String, _ help: String, labels: [String], buckets: [Double]
    ) -> Family<Histogram> {
        precondition(
            zip(buckets, buckets.dropFirst()).allSatisfy { $0 < $1 } && buckets.allSatisfy(\.isFinite),
            "\(name): buckets are finite and rise")
        return family(name, help, labels, "histogram") { Histogram(buckets: buckets) }
    }

    /// Values that are read when somebody asks for the text: ages, sizes of queues, what the kernel knows.
    ///
    /// - Parameters:
    ///   - owner: whose series these are. Another owner adds its own, the same one replaces what it gave before.
    ///   - read: gives label values and value of each series; it must not block.
    public func collect(
        _ name: String, _ help: String, _ kind: CollectedKind = .gauge, labels: [String] = [], owner: String = "",
        read: @escaping Reader
    ) {
        Self.check(name, labels)
        families.withLock { families in
            var family = CollectedFamily(name: name, help: help, kind: kind, labels: labels)
            if let existing = families[name] {
                guard let known = existing as? CollectedFamily, known.labels == labels, known.kind == kind else {
                    preconditionFailure("the metric \(name) is declared twice with different types or labels")
                }
                family = known
            }
            family.readers[owner] = read
            families[name] = family
        }
    }

    public typealias Reader = @Sendable () -> [(labels: [String], value: Double)]

    /// A single value that is read when somebody asks for the text; `nil` leaves the series out.
    public func collect(
        _ name: String, _ help: String, _ kind: CollectedKind = .gauge, value: @escaping @Sendable () -> Double?
    ) {
        collect(name, help, kind) { value().map { [([], $0)] } ?? [] }
    }

    public enum CollectedKind: String, Sendable {
        case counter
        case gauge
    }

    /// Everything that was declared so far, in the order of the names, with or without a value.
    public var declarations: [MetricDeclaration] {
        families.withLock { $0 }.values.flatMap(\.declarations).sorted { $0.name < $1.name }
    }

    /// The exposition, families and series in the order of their names.
    public func text() -> String {
        let families = families.withLock { $0 }
        var text = ExpositionText()
        for (_, family) in families.sorted(by: { $0.key < $1.key }) { family.append(to: &text) }
        return text.text
    }

    private func family<Instrument: MetricInstrument>(
        _ name: String, _ help: String, _ labels: [String], _ kind: StaticString, hasCreated: Bool = false,
        make: @escaping @Sendable () -> Instrument
    ) -> Family<Instrument> {
        Self.check(name, labels)
        return families.withLock { families in
            if let existing = families[name] {
                guard let family = existing as? Family<Instrument>, family.labels == labels else {
                    preconditionFailure("the metric \(name) is declared twice with different types or labels")
                }
                return family
            }
            let family = Family(
                name: name, help: help, kind: kind, labels: labels, hasCreated: hasCreated, time: time, make: make)
            families[name] = family
            return family
        }
    }

    // Names are literals of this program, so a wrong one is found by the first test that touches it.
    private static func check(_ name: String, _ labels: [String]) {
        func isName(_ text: String, colons: Bool) -> Bool {
            guard let first = text.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
                return false
            }
            return text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                case UInt8(ascii: ":"): colons
                default: false
                }
            }
        }
        precondition(isName(name, colons: true), "“\(name)” is no metric name")
        for label in labels {
            precondition(isName(label, colons: false) && !label.hasPrefix("__"), "“\(label)” is no label name")
        }
    }
}
