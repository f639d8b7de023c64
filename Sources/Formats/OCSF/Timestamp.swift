// SPDX-License-Identifier: Apache-2.0

/// A moment to the microsecond, written as seconds since 1970.
public struct Timestamp: Sendable, Hashable, Comparable {
    public let microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }

    public static let zero = Timestamp(microseconds: 0)

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    public var seconds: Double { Double(microseconds) / 1_000_000 }

    /// Without the fraction.
    public var wholeSeconds: Timestamp {
        Timestamp(microseconds: microseconds - (microseconds % 1_000_000 + 1_000_000) % 1_000_000)
    }

    /// Reads ISO 8601 as Python's `dateutil.parser.isoparse` does: a year, month, day, week or day of the year, with or without
    /// hyphens; any one character; hours to seconds with or without colons; a fraction, cut to microseconds; `Z`, an offset,
    /// or nothing, which is UTC. `nil` for anything else.
    public init?(parsing text: String) {
        var text = text
        let parsed = text.withUTF8 { bytes -> Int64? in
            var reader = ISOReader(bytes)
            return reader.read()
        }
        guard let parsed else { return nil }
        microseconds = parsed
    }
}

/// One pass over the text.
private struct ISOReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var at = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func read() -> Int64? {
        guard let days = date() else { return nil }
        var time: Int64 = 0
        var offset: Int64 = 0
        if at < bytes.count {
            at += 1  // whatever separates
            guard let read = timeOfDay(), let zone = zone(), at == bytes.count else { return nil }
            time = read
            offset = zone
        }
        return (days * 86_400 - offset * 60) * 1_000_000 + time
    }

    private mutating func date() -> Int64? {
        guard let year = number(4), year > 0 else { return nil }
        if at == bytes.count { return Self.days(year, 1, 1) }
        let isHyphenated = take("-")
        if take("W") { return week(of: year, isHyphenated: isHyphenated) }
        let run = digits
        if run == 3 {
            guard let day = number(3), (1...(Self.isLeap(year) ? 366 : 365)).contains(day) else { return nil }
            return Self.days(year, 1, 1) + day - 1
        }
        guard let month = number(2), (1...12).contains(month) else { return nil }
        if at == bytes.count { return isHyphenated ? Self.days(year, month, 1) : nil }
        guard !isHyphenated || take("-"), let day = number(2), day >= 1, day <= Self.length(of: month, year)
        else { return nil }
        return Self.days(year, month, day)
    }

    /// Week 1 holds 4 January; weeks begin on Monday.
    private mutating func week(of year: Int64, isHyphenated: Bool) -> Int64? {
        guard let week = number(2), (1...53).contains(week) else { return nil }
        var weekday: Int64 = 1
        if at < bytes.count, isHyphenated ? take("-") : digits > 0 {
            guard let read = number(1), (1...7).contains(read) else { return nil }
            weekday = read
        }
        let fourth = Self.days(year, 1, 4)
        let monday = fourth - ((fourth + 3) % 7 + 7) % 7
        return monday + (week - 1) * 7 + weekday - 1
    }

    private mutating func timeOfDay() -> Int64? {
        guard let hour = number(2), hour <= 24 else { return nil }
        var minute: Int64 = 0
        var second: Int64 = 0
        var fraction: Int64 = 0
        let hasColons = take(":")
        if hasColons || digits >= 2 {
            guard let read = number(2), read < 60 else { return nil }
            minute = read
            if hasColons ? take(":") : digits >= 2 {
                guard let read = number(2), read < 60 else { return nil }
                second = read
                if take(".") || take(",") {
                    guard digits > 0 else { return nil }
                    var scale: Int64 = 100_000
                    while let digit = number(1) {
                        fraction += digit * scale
                        scale /= 10
                    }
                }
            }
        }
        guard hour < 24 || minute + second + fraction == 0 else { return nil }
        return ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction
    }

    /// Minutes east of Greenwich.
    private mutating func zone() -> Int64? {
        if at == bytes.count || take("Z") || take("z") { return 0 }
        let isEast = take("+")
        guard isEast || take("-"), let hours = number(2), hours < 24 else { return nil }
        var minutes: Int64 = 0
        if at < bytes.count {
            _ = take(":")
            guard let read = number(2), read < 60 else { return nil }
            minutes = read
        }
        return (hours * 60 + minutes) * (isEast ? 1 : -1)
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
        at += 1
        return true
    }

    /// How many digits follow.
    private var digits: Int {
        var end = at
        while end < bytes.count, bytes[end] &- UInt8(ascii: "0") < 10 { end += 1 }
        return end - at
    }

    private mutating func number(_ count: Int) -> Int64? {
        guard digits >= count else { return nil }
        var value: Int64 = 0
        for _ in 0..<count {
            value = value * 10 + Int64(bytes[at] - UInt8(ascii: "0"))
            at += 1
        }
        return value
    }

    private static func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    private static func length(of month: Int64, _ year: Int64) -> Int64 {
        month == 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    /// Days since 1970-01-01. Source: howardhinnant.github.io/date_algorithms.html, `days_from_civil`.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
