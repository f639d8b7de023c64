// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import HarfangLab
import JSON
import STIX

/// A threat on its way: its events page by page, and then its case with everything that was made of them.
struct ThreatReading {
    let threat: Threat
    let events: Listing
    /// Of everything that was made of its events, each once.
    private(set) var ids: [String] = []
    private var known: Set<String> = []

    init(_ threat: Threat, events: Listing) {
        self.threat = threat
        self.events = events
    }

    mutating func add(_ more: [String]) { ids += more.filter { known.insert($0).inserted } }
}

extension IncidentSource {
    func readThreats(_ pass: Pass) async -> [Item] {
        do throws(HarfangLabError) {
            if let reading = threat { return try await read(reading, pass) }
            if let next = threats.popFirst() {
                begin(next, pass)
                return []
            }
            let listing = threats(pass)
            guard let results = try await listing.next() else {
                finish(pass)
                return []
            }
            let parsed = results.map { Threat($0) }
            let listed = parsed.compactMap { $0 }
            threats = listed[...]
            if pass == .changedThreats { note(changes: listed.compactMap(\.lastUpdate)) }
            var items = zip(results, parsed).compactMap { $1 == nil ? unreadable($0, "threat") : nil }
            if let moment = listing.overfull { items.append(overfull(moment)) }
            return items
        } catch {
            fail(error)
            return []
        }
    }

    private func threats(_ pass: Pass) -> Listing {
        let console = parts.console
        return listing {
            if pass == .threats {
                return Listing(
                    console, operation: "list_Threat", from: start(of: .threats), moment: { Threat($0)?.created },
                    open: { (start) async throws(HarfangLabError) in
                        try await console.threats(from: (start ?? .beginning).description)
                    })
            }
            return Listing(
                console, operation: "list_Threat", from: changes(), isRestless: true,
                moment: { Threat($0)?.lastUpdate },
                open: { (start) async throws(HarfangLabError) in
                    try await console.threats(updatedSince: (start ?? .beginning).description)
                })
        }
    }

    private func begin(_ next: Threat, _ pass: Pass) {
        if let known = seenThreats[next.id], known == next.lastUpdate { return }
        threat = ThreatReading(next, events: events(of: next))
    }

    private func events(of threat: Threat) -> Listing {
        let (console, filter) = (parts.console, parts.filter)
        return Listing(
            console, operation: "list_Alert", from: nil, moment: Alert.time(of:),
            open: { (start) async throws(HarfangLabError) in
                guard let start else { return try await console.alerts(filter, ofThreat: threat.id) }
                return try await console.alerts(filter, ofThreat: threat.id, from: start.description)
            })
    }

    /// Goes on with a threat. What is sent of it before a fault comes again with the next run, under the same ids.
    private func read(_ reading: ThreatReading, _ pass: Pass) async throws(HarfangLabError) -> [Item] {
        var reading = reading
        let threat = reading.threat
        do throws(HarfangLabError) {
            if let results = try await reading.events.next() {
                let made = await items(
                    of: results.compactMap { Alert($0) }, label: "threat-event", leavesOutKnown: true)
                reading.add(made.ids)
                self.threat = reading
                if let failure = made.failure { fail(failure) }
                return made.items
            }
            let note = try await parts.console.note(ofThreat: threat.id)
            return [finished(threat, pass, effect: caseEffect(threat, note, reading.ids))]
        } catch {
            guard error.isAboutSubject else { throw error }
            // The next threat may be readable: this one is kept.
            return [finished(threat, pass, failure: error)]
        }
    }

    private func finished(
        _ threat: Threat, _ pass: Pass, effect: Effect? = nil, failure: HarfangLabError? = nil
    ) -> Item {
        self.threat = nil
        // Bounded: beyond it some come again, and merge on the platform.
        if seenThreats.count >= 10_000 { seenThreats = [:] }
        seenThreats[threat.id] = .some(threat.lastUpdate)
        var item = item("threat", threat.created, source: "threat \(threat.id)")
        item.input = InputSlice(threat.json.bytes)
        if let effect { item.effects = [effect] }
        if let failure {
            item.note = .init(.deadLettered, code: failure.code.text, reason: failure.description)
        }
        if pass == .threats, let position = item.position {
            parts.checkpoints.move(.threats, to: threat.created, after: position)
        }
        return item
    }

    private func caseEffect(_ threat: Threat, _ note: JSONValue?, _ ids: [String]) -> Effect {
        let objects = parts.translator.translate(threat, note: note, objects: ids)
        return .record(JSONValue.array(objects.map(\.json)).bytes)
    }

    /// Everything of a threat at once, for one that was put aside.
    func effects(of threat: Threat) async throws(HarfangLabError) -> [Effect] {
        var reading = ThreatReading(threat, events: events(of: threat))
        var effects: [Effect] = []
        while let results = try await reading.events.next() {
            let alerts = results.compactMap { Alert($0) }
            let (answers, failure) = await parts.finder.rules(of: alerts)
            if let failure { throw failure }
            for (alert, answer) in zip(alerts, answers) {
                let content = content(of: alert, answer)
                effects += content.effects
                reading.add(content.ids)
            }
        }
        return effects + [caseEffect(threat, try await parts.console.note(ofThreat: threat.id), reading.ids)]
    }
}
