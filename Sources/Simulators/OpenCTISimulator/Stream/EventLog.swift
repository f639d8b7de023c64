// SPDX-License-Identifier: Apache-2.0

/// One event of the log, as Redis keeps it.
struct LogEntry: Sendable {
    let id: Position
    /// The name of the server-sent event, which need not be the envelope's type.
    let event: String
    let envelope: Frame.Envelope
    /// The STIX object; shared with the database where nothing changed since.
    let object: [UInt8]
    /// Elements that the object refers to, and those that stand in a relationship to it.
    var references: [Int] = []
    var relations: [Int] = []
    /// Given over the admin endpoint: sent as it is, whatever a recovery covers.
    var isGiven = false
    /// The text of the data line where that is no envelope around an object.
    var raw: [UInt8]?
    /// `raw` is the whole frame.
    var isFrame = false
    var isInferred = false

    func append(to bytes: inout [UInt8]) {
        if let raw, isFrame {
            bytes.append(contentsOf: raw)
        } else if let raw {
            Frame.append(id: id, event: event, data: { $0.append(contentsOf: raw) }, to: &bytes)
        } else {
            Frame.append(id: id, event: event, envelope, object, to: &bytes)
        }
    }
}

/// The platform's log of events, oldest first. Entries are addressed by a number that trimming does not change.
struct EventLog: Sendable {
    private var entries: [LogEntry] = []
    private(set) var trimmed = 0
    /// The oldest id the platform says to have. An untrimmed log begins in 2020, before every feed.
    private(set) var firstID = Position(milliseconds: 1_577_836_800_000)
    /// No event or heartbeat with a later id has been told to anyone.
    private(set) var lastID = Position.beginning

    var end: Int { trimmed + entries.count }
    var last: LogEntry? { entries.last }
    subscript(number: Int) -> LogEntry { entries[number - trimmed] }

    /// Ids never fall.
    mutating func append(_ entry: LogEntry) {
        entries.append(entry)
        issued(entry.id)
    }

    /// An id that was told: later events get later ones.
    mutating func issued(_ id: Position) { lastID = max(lastID, id) }

    /// The number of the first entry after `position`, or of one that was trimmed away meanwhile.
    func firstNumber(after position: Position) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].id > position { high = middle } else { low = middle + 1 }
        }
        return trimmed + low
    }

    /// Drops what is older than `first`.
    mutating func trim(to first: Position) {
        firstID = max(firstID, first)
        let count = entries.prefix { $0.id < first }.count
        entries.removeFirst(count)
        trimmed += count
    }
}
