// SPDX-License-Identifier: Apache-2.0

/// A point on the wall clock, to the millisecond, UTC.
///
/// Milliseconds because that is what OpenCTI's event ids and Falcon's expirations carry. For deadlines use
/// ``Deadline``: the wall clock may jump.
public struct Instant: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    public let milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public static func < (left: Instant, right: Instant) -> Bool { left.milliseconds < right.milliseconds }

    public func advanced(by duration: Duration) -> Instant {
        let (seconds, attoseconds) = duration.components
        return Instant(milliseconds: milliseconds + seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }

    public func duration(to other: Instant) -> Duration { .milliseconds(other.milliseconds - milliseconds) }

    /// RFC 3339 with milliseconds: `2026-01-31T10:00:00.000Z`.
    public var description: String { text(hasFraction: true) }

    /// The same without the fraction: `2026-01-31T10:00:00Z`.
    public var secondsDescription: String { text(hasFraction: false) }

    /// Straight into its bytes: an import writes dozens of dates for each event.
    private func text(hasFraction: Bool) -> String {
        let (days, inDay) = milliseconds.quotientAndRemainder(flooredBy: 86_400_000)
        let (year, month, day) = Self.civil(fromDays: days)
        let seconds = inDay / 1000
        // A year has nine digits at most.
        return String(unsafeUninitializedCapacity: 32) { output in
            var used = 0
            func put(_ character: Unicode.Scalar) {
                output[used] = UInt8(ascii: character)
                used += 1
            }
            func put(_ number: Int64, digits: Int) {
                var rest = number
                for place in (used..<(used + digits)).reversed() {
                    output[place] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                }
                used += digits
            }
            if year < 0 { put("-") }
            var digits = 4
            var limit: Int64 = 10_000
            while abs(year) >= limit { (digits, limit) = (digits + 1, limit * 10) }
            put(abs(year), digits: digits)
            put("-")
            put(month, digits: 2)
            put("-")
            put(day, digits: 2)
            put("T")
            put(seconds / 3600, digits: 2)
            put(":")
            put(seconds / 60 % 60, digits: 2)
            put(":")
            put(seconds % 60, digits: 2)
            if hasFraction {
                put(".")
                put(inDay % 1000, digits: 3)
            }
            put("Z")
            return used
        }
    }

    /// Reads RFC 3339 and the ISO 8601 forms that the vendors send: a date alone, `T` or a blank between date and time,
    /// a fraction of any length (cut to milliseconds), `Z`, an offset (`+02:00`, `+0200`, `+02`) or nothing (UTC).
    ///
    /// `nil` for anything else, days that a month does not have included. A leap second reads as the second after :59.
    public init?(parsing text: some StringProtocol) {
        guard
            let parsed = text.utf8.withContiguousStorageIfAvailable({ Self.parse($0) })
                ?? Array(text.utf8).withUnsafeBufferPointer({ Self.parse($0) })
        else { return nil }
        milliseconds = parsed
    }

    /// The same over UTF-8 bytes.
    public init?(parsing bytes: UnsafeBufferPointer<UInt8>) {
        guard let parsed = Self.parse(bytes) else { return nil }
        milliseconds = parsed
    }

    private static func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> Int64? {
        var cursor = DigitCursor(bytes: bytes)
        guard let year = cursor.number(digits: 4), cursor.take(UInt8(ascii: "-")), let month = cursor.number(digits: 2),
            cursor.take(UInt8(ascii: "-")), let day = cursor.number(digits: 2), (1...12).contains(month),
            day >= 1, day <= daysInMonth(month, of: year)
        else { return nil }
        let midnight = days(fromCivil: year, month, day) * 86_400_000
        if cursor.isAtEnd { return midnight }
        guard cursor.take(UInt8(ascii: "T")) || cursor.take(UInt8(ascii: "t")) || cursor.take(UInt8(ascii: " ")),
            let hour = cursor.number(digits: 2), hour < 24, cursor.take(UInt8(ascii: ":")),
            let minute = cursor.number(digits: 2), minute < 60
        else { return nil }
        var second: Int64 = 0
        var fraction: Int64 = 0
        if cursor.take(UInt8(ascii: ":")) {
            guard let read = cursor.number(digits: 2), read <= 60 else { return nil }
            second = read
            if cursor.take(UInt8(ascii: ".")) || cursor.take(UInt8(ascii: ",")) {
                guard let read = cursor.fractionAsMilliseconds() else { return nil }
                fraction = read
            }
        }
        guard let offset = cursor.offsetInMinutes(), cursor.isAtEnd else { return nil }
        let inDay = ((hour * 60 + minute) * 60 + second) * 1000 + fraction
        return midnight + inDay - offset * 60_000
    }

    private static func daysInMonth(_ month: Int64, of year: Int64) -> Int64 {
        let isLeap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
        return switch month {
        case 2: isLeap ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    // Proleptic Gregorian calendar in closed form, with eras of 400 years that start on 1 March.
    private static func days(fromCivil year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = shifted.quotientAndRemainder(flooredBy: 400)
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).quotientAndRemainder(flooredBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}

extension Int64 {
    fileprivate func quotientAndRemainder(flooredBy divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

private struct DigitCursor {
    let bytes: UnsafeBufferPointer<UInt8>
    var index = 0

    var isAtEnd: Bool { index == bytes.count }

    mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    mutating func number(digits: Int) -> Int64? {
        guard index + digits <= bytes.count else { return nil }
        var value: Int64 = 0
        for _ in 0..<digits {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + Int64(digit)
            index += 1
        }
        return value
    }

    mutating func fractionAsMilliseconds() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while index < bytes.count, case let digit = bytes[index] &- UInt8(ascii: "0"), digit < 10 {
            if count < 3 { value = value * 10 + Int64(digit) }
            count += 1
            index += 1
        }
        guard count > 0 else { return nil }
        for _ in count..<max(count, 3) { value *= 10 }
        return value
    }

    mutating func offsetInMinutes() -> Int64? {
        if isAtEnd || take(UInt8(ascii: "Z")) || take(UInt8(ascii: "z")) { return 0 }
        let sign: Int64
        if take(UInt8(ascii: "+")) { sign = 1 } else if take(UInt8(ascii: "-")) { sign = -1 } else { return nil }
        guard let hours = number(digits: 2), hours < 24 else { return nil }
        if isAtEnd { return sign * hours * 60 }
        _ = take(UInt8(ascii: ":"))
        guard let minutes = number(digits: 2), minutes < 60 else { return nil }
        return sign * (hours * 60 + minutes)
    }
}
