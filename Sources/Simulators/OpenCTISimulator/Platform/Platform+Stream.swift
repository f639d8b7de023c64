// SPDX-License-Identifier: Apache-2.0

/// How far one consumer has been served.
struct Cursor: Sendable {
    let parameters: StreamParameters
    fileprivate let generation: Int
    /// Elements of the database to replay.
    fileprivate var replay: ArraySlice<Int> = []
    /// Number of the log's next entry.
    fileprivate var next = 0
    /// Up to here the replay speaks for the log, except for what was given by hand.
    fileprivate var replayEnd = Position.beginning
    /// The id of the last frame.
    var position: Position
    /// Dependencies that this connection has had: the platform sends each once.
    fileprivate var told: Set<Int> = []
}

extension Platform {
    /// Opens a stream. Source: OpenCTI protocol, 4.5.
    mutating func open(_ parameters: StreamParameters, now: Int64) -> Cursor {
        let start = parameters.start ?? max(log.lastID, Position(milliseconds: now))
        var cursor = Cursor(parameters: parameters, generation: generation, position: start)
        cursor.next = log.firstNumber(after: start)
        if parameters.recovers, !configuration.refusesRecovery, let end = parameters.recover {
            cursor.replay = database.changed(from: start.milliseconds, to: end.milliseconds)[...]
            cursor.replayEnd = end
            // What happens from now on is not part of this recovery.
            if end.milliseconds < now + 5_000 { log.issued(end) }
        }
        return cursor
    }

    /// `{"firstEventId":…}`, what the `connected` frame says.
    func welcome(connection: String) -> String {
        let last = max(log.last?.id ?? log.firstID, log.firstID)
        return
            "{\"firstEventId\":\"\(log.firstID)\",\"firstEventDate\":\"\(log.firstID.date)\",\"lastEventId\":\"\(last)\","
            + "\"lastEventDate\":\"\(last.date)\",\"streamSize\":\(log.end - log.trimmed),\"connectionId\":\"\(connection)\"}"
    }

    /// Appends whole groups of frames of one id until `limit` bytes are there or nothing is left. `false` when the stream
    /// is no longer to be had.
    ///
    /// - Parameter ends: receives where each frame ends.
    func gather(_ cursor: inout Cursor, into bytes: inout [UInt8], limit: Int, ends: inout [Int]) -> Bool {
        guard access == .running || access == .public, cursor.generation == generation else { return false }
        cursor.next = max(cursor.next, log.trimmed)
        while bytes.count < limit {
            skipCovered(&cursor)
            let entry = cursor.next < log.end ? log[cursor.next] : nil
            if let number = cursor.replay.first {
                let id = Position(milliseconds: database[number].updated)
                if let entry, entry.id < id {
                    append(entry, &cursor, &bytes, &ends)
                } else {
                    cursor.replay.removeFirst()
                    append(replayed: number, id, &cursor, &bytes, &ends)
                }
            } else if let entry {
                append(entry, &cursor, &bytes, &ends)
            } else {
                break
            }
        }
        return true
    }

    /// Passes over what this consumer is not to see.
    private func skipCovered(_ cursor: inout Cursor) {
        while let number = cursor.replay.first {
            let element = database[number]
            // Changed meanwhile: it comes from the log. Given by hand and still there: the log's own words come.
            let isInLog = element.given.map { $0 >= log.trimmed } ?? false
            guard
                element.isDeleted || element.updated > cursor.replayEnd.milliseconds || isInLog
                    || (element.isInferred && !cursor.parameters.hasInferences)
            else { break }
            cursor.replay.removeFirst()
        }
        while cursor.next < log.end {
            let entry = log[cursor.next]
            guard
                (!entry.isGiven && entry.id <= cursor.replayEnd)
                    || (entry.event == "delete" && !cursor.parameters.listensToDeletes)
                    || (entry.isInferred && !cursor.parameters.hasInferences)
            else { break }
            cursor.next += 1
        }
    }

    private func append(_ entry: LogEntry, _ cursor: inout Cursor, _ bytes: inout [UInt8], _ ends: inout [Int]) {
        append(dependencies: entry.references, entry.relations, entry.id, &cursor, &bytes, &ends)
        // Entries of one id stay together.
        var entry = entry
        while true {
            entry.append(to: &bytes)
            frameEnds(entry.id, bytes.count, &cursor, &ends)
            cursor.next += 1
            skipCovered(&cursor)
            guard cursor.next < log.end, log[cursor.next].id == entry.id else { return }
            entry = log[cursor.next]
        }
    }

    private func append(
        replayed number: Int, _ id: Position, _ cursor: inout Cursor, _ bytes: inout [UInt8], _ ends: inout [Int]
    ) {
        let element = database[number]
        append(dependencies: element.references, element.relations, id, &cursor, &bytes, &ends)
        Frame.append(id: id, event: "create", .recovery(element.message), element.object, to: &bytes)
        frameEnds(id, bytes.count, &cursor, &ends)
    }

    private func append(
        dependencies references: [Int], _ relations: [Int], _ id: Position, _ cursor: inout Cursor,
        _ bytes: inout [UInt8], _ ends: inout [Int]
    ) {
        for number in cursor.parameters.hasNoDependencies ? references : references + relations {
            let element = database[number]
            if element.isDeleted || (element.isInferred && !cursor.parameters.hasInferences) { continue }
            guard cursor.told.insert(number).inserted else { continue }
            Frame.append(id: id, event: "create", .dependency(element.message), element.object, to: &bytes)
            frameEnds(id, bytes.count, &cursor, &ends)
        }
    }

    private func frameEnds(_ id: Position, _ end: Int, _ cursor: inout Cursor, _ ends: inout [Int]) {
        cursor.position = max(cursor.position, id)
        ends.append(end)
    }
}
