// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Storage

/// A stand-in for the source: events that were made up from a seed, and the truth that they add up to.
struct Platform {
    struct Event {
        let group: SourcePosition
        let source: Digest128
        let time: Instant
        let change: Change
        var records: [[UInt8]] = []
        var act: String?
    }
    enum Change {
        /// A dependency: it shares its id with the event that follows, and has no effect.
        case dependency
        case upsert([UInt8: UInt8])
        case delete
        case heartbeat
    }

    /// The key that the guard refuses once it is in force.
    static let vetoed: UInt8 = 9

    let events: [Event]
    /// Deletes that nobody was told of: they happened while the connector's position was lost.
    let unseen: Set<Int>
    let resetAt: Int?

    init(random: inout SeededRandom) {
        var events: [Event] = []
        var unseen: Set<Int> = []
        var alive: Set<UInt8> = []
        let count = Int.random(in: 20...70, using: &random)
        let reset = random.chance(0.3) ? Int.random(in: count / 2...count, using: &random) : nil
        for number in 1...count {
            let group = SourcePosition(major: UInt64(number) * 10, minor: UInt64.random(in: 0...1, using: &random))
            let time = Instant(milliseconds: Int64(number) * 10)
            let name = UInt8.random(in: 1...7, using: &random)
            let source = Self.source(name)
            for _ in 0..<(random.chance(0.4) ? Int.random(in: 1...2, using: &random) : 0) {
                events.append(Event(group: group, source: Self.source(99), time: time, change: .dependency))
            }
            if random.chance(0.1) {
                events.append(Event(group: group, source: Self.source(99), time: time, change: .heartbeat))
                continue
            }
            if alive.contains(name), random.chance(0.3) {
                alive.remove(name)
                if let reset, number < reset, random.chance(0.3) { unseen.insert(events.count) }
                events.append(Event(group: group, source: source, time: time, change: .delete))
                continue
            }
            alive.insert(name)
            var wants: [UInt8: UInt8] = [:]
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                wants[UInt8.random(in: 1...9, using: &random)] = UInt8.random(in: 1...4, using: &random)
            }
            var event = Event(group: group, source: source, time: time, change: .upsert(wants))
            if random.chance(0.3) { event.records = [[UInt8(number), 1], [UInt8(number), 2]] }
            if random.chance(0.2) { event.act = "act-\(number)" }
            events.append(event)
        }
        // Something must follow, or the last id could still get company.
        events.append(
            Event(
                group: SourcePosition(major: UInt64(count + 1) * 10), source: Self.source(99),
                time: Instant(milliseconds: Int64(count + 1) * 10), change: .heartbeat))
        self.events = events
        self.unseen = unseen
        resetAt = reset.map { number in events.firstIndex { $0.group.major >= UInt64(number) * 10 } ?? events.count }
    }

    static func source(_ name: UInt8) -> Digest128 { Digest128(high: 0x50, low: UInt64(name)) }
    static func key(_ name: UInt8) -> Digest128 { Digest128(high: 0x4B, low: UInt64(name)) }

    func item(_ event: Event) -> Item {
        var item = Item(
            group: event.group, position: event.group, source: event.source, time: event.time, label: "event")
        switch event.change {
        case .dependency, .heartbeat: break
        case .upsert(let wants):
            item.label = "upsert"
            item.replacesSource = true
            item.removal = [100]
            item.effects = wants.sorted { $0.key < $1.key }.map {
                .state(key: Self.key($0.key), .upsert([$0.key, $0.value]))
            }
        case .delete:
            item.label = "delete"
            item.replacesSource = true
            item.removal = [101]
        }
        item.effects += event.records.map { .record($0) }
        if let act = event.act {
            item.effects.append(
                .act(Act(id: act, flow: 1, kind: "comment", payload: [], intended: event.time)))
        }
        return item
    }

    /// Who wants what after the first `count` events.
    func owners(after count: Int) -> [Digest128: [(source: Digest128, time: Instant, variant: UInt8)]] {
        var wants: [Digest128: (time: Instant, wants: [UInt8: UInt8])] = [:]
        for event in events[..<count] {
            switch event.change {
            case .dependency, .heartbeat: break
            case .upsert(let keys): wants[event.source] = (event.time, keys)
            case .delete: wants[event.source] = nil
            }
        }
        var owners: [Digest128: [(source: Digest128, time: Instant, variant: UInt8)]] = [:]
        for (source, entry) in wants {
            for (key, variant) in entry.wants {
                owners[Self.key(key), default: []].append((source, entry.time, variant))
            }
        }
        return owners
    }

    /// What a recovery after `count` events sends: every live source as it is now, then the marker.
    func recovery(after count: Int) -> [Item] {
        var latest: [Digest128: Event] = [:]
        for event in events[..<count] {
            switch event.change {
            case .dependency, .heartbeat: break
            case .upsert: latest[event.source] = event
            case .delete: latest[event.source] = nil
            }
        }
        var items = latest.values.sorted { $0.group < $1.group }.map { event in
            var event = event
            event.records = []
            event.act = nil
            return item(event)
        }
        let end = count > 0 ? events[count - 1].group : SourcePosition(major: 0)
        var marker = Item(
            group: SourcePosition(major: end.major, minor: end.minor + 1),
            position: SourcePosition(major: end.major, minor: end.minor + 1), source: Self.source(99),
            time: Instant(milliseconds: Int64(end.major)), label: "marker")
        marker.marker = .recoveryEnd
        items.append(marker)
        return items
    }
}
