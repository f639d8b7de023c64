// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import SimulatorKit

/// The feed as the platform's elements and events.
extension Platform {
    /// Loads the feed's indicators into database and log.
    mutating func startFeed() {
        guard let configuration = configuration.feed else { return }
        var feed = Feed(configuration, seed: self.configuration.options.seed)
        feed.makeInitial()
        common = CommonObjects.authorAndMarking.map { database.add($0) }
        for (number, indicator) in feed.indicators.enumerated() {
            let shift: Int64 = number % 7 == 6 ? 1_000 : 0
            let id = Position(milliseconds: Feed.firstMilliseconds + Int64(number) * 1_000 - shift)
            let element = element(of: indicator, id.milliseconds, number: number)
            feedElements.append(database.add(element))
            log.append(
                LogEntry(
                    id: id, event: "create", envelope: Self.live("create", element.message, id), object: element.object,
                    references: element.references, relations: element.relations))
        }
        self.feed = feed
    }

    /// Lets the live steps of the feed begin, if they have not.
    mutating func startLive(at uptime: Duration) {
        if feed != nil, liveSince == nil { liveSince = uptime }
    }

    /// When the next live step is due, on the clock's uptime; `nil` when none will be.
    var nextStepDue: Duration? {
        guard let feed, let liveSince, feed.liveLeft > 0 else { return nil }
        guard let rate = feed.configuration.rate, rate > 0 else { return liveSince }
        return liveSince + .seconds(Double(feed.liveTotal - feed.liveLeft + 1) / rate)
    }

    /// Lets happen what is due. Events of one moment get ids a millisecond apart, so that their order is in their times
    /// too.
    mutating func advance(uptime: Duration, now: Int64) {
        while let due = nextStepDue, due <= uptime {
            let id = Position(milliseconds: max(now, log.lastID.milliseconds + 1))
            guard let step = feed?.next(at: id.milliseconds) else { return }
            happen(step, id)
        }
    }

    private mutating func happen(_ step: Feed.Step, _ id: Position) {
        guard let index = step.indicator, let indicator = feed?.indicators[index] else {
            log.append(
                LogEntry(id: id, event: step.event, envelope: Frame.Envelope(""), object: [], raw: step.text))
            return
        }
        var element = element(of: indicator, id.milliseconds, number: index)
        element.isDeleted = step.isDeletion
        if index < feedElements.count {
            element.relations = database[feedElements[index]].relations
            database[feedElements[index]] = element
        } else {
            feedElements.append(database.add(element))
        }
        log.append(
            LogEntry(
                id: id, event: step.event, envelope: Self.live(step.type, element.message, id, changed: step.before),
                object: element.object, references: element.references, relations: element.relations))
    }

    private mutating func element(of indicator: FeedIndicator, _ milliseconds: Int64, number: Int) -> Element {
        var element = Element(
            id: indicator.id, stixID: indicator.stixID,
            object: indicator.object(
                updated: milliseconds, author: "\(CommonObjects.authorID)", marking: "\(CommonObjects.markingID)"),
            message: JSONValue.string("creates a Indicator `\(indicator.name)`").text, updated: milliseconds)
        element.words = Words.searchable(indicator.pattern.text, indicator.name)
        element.references = common
        if number % 10 == 3, number >= feedElements.count { element.relations = relations(of: indicator) }
        return element
    }

    /// A relationship to a malware, an inferred one, and the malware.
    private mutating func relations(of indicator: FeedIndicator) -> [Int] {
        let tail = indicator.id.dropFirst(8)
        return ["malware", "relationship", "relationship"].enumerated().map { index, type in
            let isInferred = index == 2
            let id = "\(type)--0000000\(index)\(tail)"
            let ends =
                type == "malware"
                ? #""name":"Malware \#(indicator.name)","is_family":false"#
                : #""relationship_type":"indicates","source_ref":"\#(indicator.stixID)","target_ref":"malware--00000000\#(tail)""#
            let text =
                #"{"id":"\#(id)","spec_version":"2.1","type":"\#(type)",\#(ends),"extensions":{"\#(Self.octi)":{"extension_type":"property-extension","id":"1000000\#(index)\#(tail)","is_inferred":\#(isInferred)}}}"#
            return database.add(
                Element(
                    id: "1000000\(index)\(tail)", stixID: id, object: Array(text.utf8),
                    message: JSONValue.string("creates a \(type)").text, updated: indicator.created, isInStream: false,
                    isInferred: isInferred))
        }
    }

    /// The envelope of an event that somebody caused (OpenCTI protocol, 4.4).
    private static func live(
        _ type: String, _ message: String, _ id: Position,
        changed: [(path: String, old: JSONValue, new: JSONValue)] = []
    ) -> Frame.Envelope {
        let head =
            #"{"version":"4","type":"\#(type)","scope":"external","message":\#(message),"origin":{"socket":"query","ip":"::ffff:10.0.0.5","user_id":"\#(userID)","group_ids":[],"organization_ids":[],"user_metadata":{}},"data":"#
        var tail = ""
        if !changed.isEmpty {
            let context: JSONValue = [
                "patch": patch(changed.map { ($0.path, $0.new) }),
                "reverse_patch": patch(changed.map { ($0.path, $0.old) }),
            ]
            tail = ",\"context\":" + context.text
        }
        return Frame.Envelope(head, tail + ",\"event_id\":\"\(id)\"}")
    }

    private static func patch(_ values: [(path: String, value: JSONValue)]) -> JSONValue {
        .array(values.map { ["op": "replace", "path": .string($0.path), "value": $0.value] })
    }
}
