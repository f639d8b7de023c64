// SPDX-License-Identifier: Apache-2.0

extension Duration: SettingValue {
    public static var kind: SettingKind {
        SettingKind("duration", expectation: "a duration such as 30s, 5m, 1h30m, PT1H, or a number of seconds")
    }

    /// Reads `500ms`, `30s`, `5m`, `2h`, `1d`, `1w` and sums of them, ISO 8601 (`PT1H30M`, `P1D`), `[D ]HH:MM:SS`, and a
    /// plain number of seconds. Years and months have no fixed length and are refused.
    public init(reading raw: RawSetting) throws(InvalidValue) {
        let text = try raw.text()
        if let duration = Self.units(text) ?? Self.clock(text) ?? Self.iso8601(text) {
            self = duration
        } else {
            throw InvalidValue("is no duration")
        }
    }

    /// The largest unit that holds it without a remainder.
    public var settingText: String {
        let (seconds, attoseconds) = components
        guard attoseconds == 0 else { return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)ms" }
        for (unit, length) in [("d", 86_400), ("h", 3600), ("m", 60)] as [(String, Int64)]
        where seconds != 0 && seconds % length == 0 {
            return "\(seconds / length)\(unit)"
        }
        return "\(seconds)s"
    }

    private static func units(_ text: String) -> Duration? {
        let isAllNumber = text.utf8.allSatisfy { isDigit($0) || $0 == UInt8(ascii: ".") }
        if isAllNumber { return milliseconds(text, of: 1000) }
        return sum(text.lowercased()) { unit in
            switch unit {
            case "ms": 1
            case "s", "sec": 1000
            case "m", "min": 60_000
            case "h": 3_600_000
            case "d": 86_400_000
            case "w": 604_800_000
            default: nil
            }
        }
    }

    private static func iso8601(_ text: String) -> Duration? {
        let text = text.uppercased()
        guard text.hasPrefix("P"), !text.hasSuffix("T") else { return nil }
        let halves = text.dropFirst().split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
        var total: Duration = .zero
        if !halves[0].isEmpty {
            let days = sum(halves[0]) { $0 == "D" ? 86_400_000 : $0 == "W" ? 604_800_000 : nil }
            guard let days else { return nil }
            total += days
        }
        if halves.count == 2 {
            let time = sum(halves[1]) { $0 == "H" ? 3_600_000 : $0 == "M" ? 60_000 : $0 == "S" ? 1000 : nil }
            guard let time else { return nil }
            total += time
        }
        return halves[0].isEmpty && halves.count == 1 ? nil : total
    }

    /// `[D ]HH:MM:SS`, the form of Python's `timedelta`.
    private static func clock(_ text: String) -> Duration? {
        let words = text.split(separator: " ")
        guard (1...2).contains(words.count), let last = words.last else { return nil }
        let parts = last.split(separator: ":", omittingEmptySubsequences: false)
        let days = words.count == 2 ? milliseconds(words[0], of: 86_400_000) : .zero
        guard parts.count == 3, let days, let hours = milliseconds(parts[0], of: 3_600_000),
            let minutes = milliseconds(parts[1], of: 60_000), let seconds = milliseconds(parts[2], of: 1000),
            minutes < .seconds(3600), seconds < .seconds(60)
        else { return nil }
        return days + hours + minutes + seconds
    }

    /// Numbers with units behind them; `length` gives a unit's milliseconds.
    private static func sum(_ text: some StringProtocol, length: (String) -> Int64?) -> Duration? {
        var total: Duration = .zero
        var rest = text[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            let unit = rest.dropFirst(number.count).prefix { $0.isLetter }
            guard let length = length(String(unit)), let part = milliseconds(number, of: length) else { return nil }
            total += part
            rest = rest.dropFirst(number.count + unit.count)
        }
        return total
    }

    private static func milliseconds(_ number: some StringProtocol, of length: Int64) -> Duration? {
        guard !number.isEmpty, number.utf8.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: ".") }),
            let count = Double(String(number))
        else { return nil }
        let total = (count * Double(length)).rounded()
        // A thousand years: beyond it is a slip of the keyboard, and arithmetic on it would overflow.
        return total <= 3.2e13 ? .milliseconds(Int64(total)) : nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
