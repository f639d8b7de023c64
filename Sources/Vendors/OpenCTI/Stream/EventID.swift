// SPDX-License-Identifier: Apache-2.0

public import Base

/// The id of a stream event: a Redis stream id, `<milliseconds>-<sequence>`.
///
/// Ids order events but do not name them: an element and its dependencies share one id, and so do elements updated in
/// the same millisecond during a recovery. Source: OpenCTI protocol, 4.3 and 4.5.
public struct EventID: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let milliseconds: UInt64
    public let sequence: UInt64

    public init(milliseconds: UInt64, sequence: UInt64 = 0) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// Before the first event of any stream.
    public static let beginning = EventID(milliseconds: 0)

    /// `<milliseconds>-<sequence>`, nothing else.
    public init?(parsing bytes: UnsafeBufferPointer<UInt8>) {
        var parts: (UInt64, UInt64) = (0, 0)
        var digits = 0
        var isSecond = false
        for byte in bytes {
            if byte == UInt8(ascii: "-"), !isSecond, digits > 0 {
                isSecond = true
                digits = 0
                continue
            }
            let digit = UInt64(byte &- UInt8(ascii: "0"))
            // 19 digits always fit 64 bits; Redis itself never needs more than 16.
            guard digit < 10, digits < 19 else { return nil }
            if isSecond { parts.1 = parts.1 * 10 + digit } else { parts.0 = parts.0 * 10 + digit }
            digits += 1
        }
        guard isSecond, digits > 0 else { return nil }
        milliseconds = parts.0
        sequence = parts.1
    }

    public init?(parsing text: some StringProtocol) {
        var text = String(text)
        guard let parsed = text.withUTF8({ EventID(parsing: $0) }) else { return nil }
        self = parsed
    }

    /// What the platform takes as a position: an event id, `0`, milliseconds alone, or a date, which means `<epoch ms>-0`.
    /// Source: OpenCTI protocol, 4.1.
    public init?(position text: some StringProtocol) {
        if let parsed = EventID(parsing: text) {
            self = parsed
        } else if !text.isEmpty, text.utf8.count < 19, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let milliseconds = UInt64(text)
        {
            self.init(milliseconds: milliseconds)
        } else if let instant = Instant(parsing: text), instant.milliseconds >= 0 {
            self.init(milliseconds: UInt64(instant.milliseconds))
        } else {
            return nil
        }
    }

    /// The start of a millisecond; moments before 1970 are the beginning.
    public init(_ instant: Instant) { self.init(milliseconds: UInt64(max(0, instant.milliseconds))) }

    public static func < (left: EventID, right: EventID) -> Bool {
        left.milliseconds != right.milliseconds
            ? left.milliseconds < right.milliseconds : left.sequence < right.sequence
    }

    /// The wall-clock part.
    public var instant: Instant { Instant(milliseconds: Int64(clamping: milliseconds)) }

    /// The position that far back, at the start of its millisecond.
    public func earlier(by duration: Duration) -> EventID {
        let cut = UInt64(max(0, duration.milliseconds))
        return EventID(milliseconds: milliseconds > cut ? milliseconds - cut : 0)
    }

    public var description: String { "\(milliseconds)-\(sequence)" }
}
