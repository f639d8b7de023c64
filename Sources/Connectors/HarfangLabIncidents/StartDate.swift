// SPDX-License-Identifier: Apache-2.0

import Base
import STIX

/// A moment of the console's clock with its microseconds, as the checkpoint keeps it: Python's `isoformat()`.
struct StartDate: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// `2026-03-02T07:26:01.276000+00:00`
    let description: String
    let microseconds: Int64

    /// RFC 3339, or a bare date, which means its beginning in UTC. `nil` when it is neither.
    init?(_ text: String) {
        let whole = text.count == 10 ? text + "T00:00:00Z" : text
        guard let iso = PythonDate.isoformat(whole), let instant = Instant(parsing: iso) else { return nil }
        description = iso
        var micros: Int64 = 0
        if let point = iso.firstIndex(of: ".") {
            micros = Int64(iso[iso.index(after: point)...].prefix(6)) ?? 0
        }
        microseconds = instant.milliseconds / 1000 * 1_000_000 + micros
    }

    static let beginning = StartDate(Instant(milliseconds: 0))

    init(_ instant: Instant) {
        description = PythonDate.isoformat(instant)
        microseconds = instant.milliseconds * 1000
    }

    var instant: Instant { Instant(milliseconds: microseconds / 1000) }

    /// So much earlier, to the millisecond; never before 1970.
    func earlier(by duration: Duration) -> StartDate {
        let milliseconds = max(0, microseconds / 1000 - duration.milliseconds)
        return StartDate(Instant(milliseconds: milliseconds))
    }

    /// A microsecond later.
    var next: StartDate {
        let (seconds, rest) = (microseconds + 1).quotientAndRemainder(dividingBy: 1_000_000)
        let whole = PythonDate.isoformat(Instant(milliseconds: seconds * 1000)).dropLast("+00:00".count)
        return StartDate("\(whole).\(String(rest + 1_000_000).dropFirst())+00:00") ?? self
    }

    static func < (left: StartDate, right: StartDate) -> Bool { left.microseconds < right.microseconds }
    static func == (left: StartDate, right: StartDate) -> Bool { left.microseconds == right.microseconds }
    func hash(into hasher: inout Hasher) { hasher.combine(microseconds) }
}
