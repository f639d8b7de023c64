// SPDX-License-Identifier: Apache-2.0

import Base

/// A position in the platform's log of events: a Redis stream id, `<milliseconds>-<sequence>`.
struct Position: Sendable, Hashable, Comparable, CustomStringConvertible {
    var milliseconds: Int64
    var sequence: Int64 = 0

    static let beginning = Position(milliseconds: 0)

    /// `<milliseconds>-<sequence>` and nothing else.
    init?(parsing text: some StringProtocol) {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let first = Self.number(parts[0]), let second = Self.number(parts[1]) else {
            return nil
        }
        self.init(milliseconds: first, sequence: second)
    }

    /// What the platform takes as a position: an event id, `0` and `0-0` for the beginning, milliseconds, or a date, which
    /// means `<epoch ms>-0`. Source: OpenCTI protocol, 4.1.
    init?(parameter text: String) {
        if let position = Position(parsing: text) {
            self = position
        } else if let milliseconds = Self.number(text[...]) {
            self.init(milliseconds: milliseconds)
        } else if let moment = Instant(parsing: text), moment.milliseconds >= 0 {
            self.init(milliseconds: moment.milliseconds)
        } else {
            return nil
        }
    }

    init(milliseconds: Int64, sequence: Int64 = 0) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// The next id that is not before `milliseconds`.
    func following(at milliseconds: Int64) -> Position {
        milliseconds > self.milliseconds
            ? Position(milliseconds: milliseconds) : Position(milliseconds: self.milliseconds, sequence: sequence + 1)
    }

    static func < (left: Position, right: Position) -> Bool {
        left.milliseconds != right.milliseconds
            ? left.milliseconds < right.milliseconds : left.sequence < right.sequence
    }

    var description: String { "\(milliseconds)-\(sequence)" }

    /// RFC 3339 with milliseconds.
    var date: String { Instant(milliseconds: milliseconds).description }

    private static func number(_ text: some StringProtocol) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(text)
    }
}
