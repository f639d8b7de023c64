// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// An event as it comes over the admin endpoint: `{"id":"1767225600001-0","event":"create","data":{…}}`, or `raw` with the
/// data line's text in place of `data`, or `frame` with the bytes of a whole frame, line ends included, for frames that no
/// platform would send. Id and event may be left out.
struct GivenEvent: Sendable {
    let id: Position?
    let event: String
    /// The data line, or the whole frame.
    let text: [UInt8]
    let isFrame: Bool
    /// Set when that is an envelope around an object.
    let envelope: JSONValue?

    /// - Throws: what is wrong with it, as text for the caller.
    init(_ value: JSONValue) throws(GivenEventError) {
        guard let object = value.object else { throw GivenEventError("each event is a JSON object") }
        switch object["id"] {
        case nil, .null?: id = nil
        case let given?:
            guard let position = given.string.flatMap({ Position(parsing: $0) }) else {
                throw GivenEventError("an event's id is <milliseconds>-<sequence>")
            }
            id = position
        }
        isFrame = object["frame"] != nil
        if let frame = object["frame"] {
            guard let text = frame.string else { throw GivenEventError("“frame” is the text of a frame") }
            self.text = Array(text.utf8)
            envelope = nil
        } else if let raw = object["raw"] {
            guard let text = raw.string, !text.utf8.contains(0x0A), !text.utf8.contains(0x0D) else {
                throw GivenEventError("“raw” is the text of one data line, without line ends")
            }
            self.text = Array(text.utf8)
            envelope = nil
        } else {
            guard let data = object["data"] else { throw GivenEventError("each event needs “data”, “raw” or “frame”") }
            text = data.bytes
            envelope = data
        }
        event = object["event"]?.string ?? envelope?["type"]?.string ?? "create"
        guard !event.utf8.contains(where: { $0 < 0x20 }) else { throw GivenEventError("an event's name is one line") }
    }
}

struct GivenEventError: Error {
    let message: String
    init(_ message: String) { self.message = message }
}

extension Platform {
    /// Appends events as they are. Ids that are missing are made from the clock; none may be before the last one.
    ///
    /// - Returns: their ids.
    mutating func append(_ events: [GivenEvent], now: Int64) throws(GivenEventError) -> [Position] {
        var ids: [Position] = []
        var last = log.last?.id ?? .beginning
        for event in events {
            let id = event.id ?? max(log.lastID, last).following(at: now)
            guard id >= last else {
                throw GivenEventError("the id \(id) is before \(last): the platform's ids never fall")
            }
            last = id
            ids.append(id)
        }
        for (event, id) in zip(events, ids) {
            var entry = LogEntry(id: id, event: event.event, envelope: Frame.Envelope(""), object: [], isGiven: true)
            entry.raw = event.text
            entry.isFrame = event.isFrame
            log.append(entry)
            if let object = event.envelope?["data"], object.object != nil { store(object, event.event, id) }
        }
        return ids
    }

    /// What an event says of an element is what the database holds from then on.
    private mutating func store(_ object: JSONValue, _ event: String, _ id: Position) {
        guard ["create", "update", "delete", "merge"].contains(event), let stixID = object["id"]?.string else { return }
        let internalID = object["extensions"]?[Self.octi]?["id"]?.string ?? stixID
        var element =
            database.number(of: internalID).map { database[$0] }
            ?? Element(id: internalID, stixID: stixID, object: [], message: "", updated: 0)
        element.stixID = stixID
        element.object = object.bytes
        element.words = Words.searchable(object["pattern"]?.string ?? "", object["name"]?.string ?? "")
        element.updated = id.milliseconds
        element.isDeleted = event == "delete"
        element.given = log.end - 1
        element.message = JSONValue.string("creates a \(object["type"]?.string ?? "object") `\(stixID)`").text
        if let number = database.number(of: internalID) { database[number] = element } else { database.add(element) }
    }

    static let octi = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"
}
