// SPDX-License-Identifier: Apache-2.0

public import Base

/// Dates as HTTP header fields carry them.
public enum HTTPDate {
    /// Reads the three forms of RFC 9110, 5.6.7; `nil` for anything else.
    ///
    /// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`. The name of the
    /// day is not checked.
    public static func parse(_ text: some StringProtocol) -> Instant? {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == "-" })
        return switch words.count {
        case 6 where words[5] == "GMT":
            instant(year: words[3], month: words[2], day: words[1], time: words[4])
        case 5: instant(year: words[4], month: words[1], day: words[2], time: words[3])
        default: nil
        }
    }

    private static func instant(
        year: some StringProtocol, month: some StringProtocol, day: some StringProtocol, time: some StringProtocol
    ) -> Instant? {
        guard let month = months.firstIndex(where: { $0 == month }), (1...2).contains(day.utf8.count),
            time.utf8.count == 8
        else { return nil }
        let fullYear: String
        switch year.utf8.count {
        case 4: fullYear = String(year)
        case 2: fullYear = (year < "70" ? "20" : "19") + year
        default: return nil
        }
        let twoDigits = { (text: String) in text.utf8.count == 1 ? "0" + text : text }
        return Instant(parsing: "\(fullYear)-\(twoDigits(String(month + 1)))-\(twoDigits(String(day)))T\(time)Z")
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
}
