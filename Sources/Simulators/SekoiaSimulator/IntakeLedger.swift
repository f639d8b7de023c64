// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Synchronization

/// What the simulated intake has taken: counts at least, and on demand each event.
final class IntakeLedger: Sendable {
    struct State: Sendable {
        var batches = 0
        var events = 0
        var bytes = 0
        var refusedEvents = 0
        /// Offsets by stream-less number: how many times each came.
        var seen: [UInt64: Int] = [:]
        var withoutOffset = 0
        var keptEvents: [[UInt8]] = []
        var keptBytes = 0
        var lastArrival: Duration = .zero
        /// Milliseconds from an event's time to its arrival, for those that were kept.
        var delays: [Int64] = []
    }
    static let maxKeptBytes = 64 << 20

    private let state = Mutex(State())

    func reset() { state.withLock { $0 = State() } }

    func count(bytes: Int, at now: Duration) {
        state.withLock { state in
            state.batches += 1
            state.bytes += bytes
            state.lastArrival = now
        }
    }

    func refused(_ count: Int) { state.withLock { $0.refusedEvents += count } }

    /// - Parameter lines: whole events; `offsets` of each, nil where it has none.
    func take(_ lines: [[UInt8]], offsets: [UInt64?], created: [Int64?], keeps: Bool, at wall: Int64) {
        state.withLock { state in
            state.events += lines.count
            for (index, line) in lines.enumerated() {
                if let offset = offsets[index] {
                    state.seen[offset, default: 0] += 1
                } else {
                    state.withoutOffset += 1
                }
                guard keeps, state.keptBytes + line.count <= Self.maxKeptBytes else { continue }
                state.keptEvents.append(line)
                state.keptBytes += line.count
                if let moment = created[index] { state.delays.append(wall - moment) }
            }
        }
    }

    func take(events: Int) { state.withLock { $0.events += events } }

    var kept: [[UInt8]] { state.withLock { $0.keptEvents } }

    func json() -> JSONValue {
        state.withLock { state in
            let delays = state.delays.sorted()
            func at(_ share: Double) -> JSONValue {
                delays.isEmpty ? .null : .int(delays[min(delays.count - 1, Int(Double(delays.count) * share))])
            }
            return [
                "batches": .int(state.batches), "events": .int(state.events), "bytes": .int(state.bytes),
                "refused": .int(state.refusedEvents), "distinct_offsets": .int(state.seen.count),
                "repeats": .int(state.seen.values.reduce(0) { $0 + $1 - 1 }),
                "without_offset": .int(state.withoutOffset), "kept": .int(state.keptEvents.count),
                "delay_ms": ["p50": at(0.5), "p99": at(0.99), "max": at(1)],
            ]
        }
    }
}
