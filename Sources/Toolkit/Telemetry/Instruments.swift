// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// A count that only grows.
public final class Counter: MetricInstrument {
    private let sum = AtomicDouble()

    public func add(_ amount: Int = 1) { if amount > 0 { sum.add(Double(amount)) } }

    /// For counters of seconds or other fractions. Negative amounts are ignored: a counter never falls.
    public func add(_ amount: Double) { if amount > 0, amount.isFinite { sum.add(amount) } }

    public var value: Double { sum.value }

    public func append(to text: inout ExpositionText, name: String, labels: [(name: String, value: String)]) {
        text.sample(name, labels, value)
    }
}

/// A value that goes up and down.
public final class Gauge: MetricInstrument {
    private let current = AtomicDouble()

    public func set(_ value: Double) { current.set(value) }
    public func set(_ value: some BinaryInteger) { current.set(Double(value)) }
    public func set(_ isTrue: Bool) { current.set(isTrue ? 1 : 0) }
    /// Seconds since 1970, as Prometheus wants times.
    public func set(_ time: Instant) { current.set(Double(time.milliseconds) / 1000) }
    public func add(_ amount: Double) { current.add(amount) }

    public var value: Double { current.value }

    public func append(to text: inout ExpositionText, name: String, labels: [(name: String, value: String)]) {
        text.sample(name, labels, value)
    }
}

/// Counts observations by range.
public final class Histogram: MetricInstrument {
    /// Upper bounds in seconds that fit calls over a network, 5 ms to 60 s.
    public static let latencyBuckets: [Double] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

    private struct State {
        var counts: [UInt64]
        var sum = 0.0
    }

    private let buckets: [Double]
    private let state: Mutex<State>

    init(buckets: [Double]) {
        self.buckets = buckets
        state = Mutex(State(counts: Array(repeating: 0, count: buckets.count + 1)))
    }

    public func observe(_ value: Double) {
        guard !value.isNaN else { return }
        let bucket = buckets.firstIndex { value <= $0 } ?? buckets.count
        state.withLock { state in
            state.counts[bucket] += 1
            state.sum += value
        }
    }

    public func observe(_ duration: Duration) { observe(duration.inSeconds) }

    public var count: UInt64 { state.withLock { $0.counts.reduce(0, +) } }
    public var sum: Double { state.withLock { $0.sum } }

    public func append(to text: inout ExpositionText, name: String, labels: [(name: String, value: String)]) {
        let state = state.withLock { $0 }
        var total: UInt64 = 0
        for (bound, count) in zip(buckets + [.infinity], state.counts) {
            total += count
            text.sample(name + "_bucket", labels + [(name: "le", value: ExpositionText.number(bound))], Double(total))
        }
        text.sample(name + "_sum", labels, state.sum)
        text.sample(name + "_count", labels, Double(total))
    }
}

/// A floating-point number that many threads change.
final class AtomicDouble: Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (isDone, found) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if isDone { return }
            old = found
        }
    }
}
