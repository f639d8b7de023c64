// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Engine
import HarfangLab
import Hashing
import JSON
import STIX
import Storage
import Synchronization
import Telemetry

/// A console's security events and threats as a source of items: a run every period, each with its passes.
///
/// A run reads threats with their events (where they are wanted), then the other events, then what has changed since the
/// run before. It ends when everything that it read is durable, and its work with it. A fault ends it early, honestly and
/// without moving the checkpoint behind what was not sent.
///
/// Source: HarfangLab ↔ OpenCTI, 3.1 and 6.
actor IncidentSource: FlowSource {
    struct Parts: Sendable {
        var console: HarfangLabClient
        var finder: RuleFinder
        var translator: IncidentTranslator
        var checkpoints: Checkpoints
        var work: RunWork
        var filter: AlertFilter
        var importsThreats: Bool
        var start: StartDate
        var period: Duration
        var runsOnce: Bool
        var status: FlowStatus
        var time: any TimeSource
        var log: Log
        /// Asked before a run: why it must not begin now.
        var holdBack: @Sendable () async -> String? = { nil }
        /// Called at the end of a run, so that the platform knows at once where it stands.
        var tell: @Sendable () async -> Void = {}
        /// Called when a checkpoint has moved, to make it durable.
        var keep: @Sendable (JSONObject) async -> Void = { _ in }
    }

    private enum Stage {
        case waiting
        case threats
        case alerts
        case changes
        case closing
    }

    private let parts: Parts
    private let hasher = KeyHasher()
    private let isClosed = Atomic(false)
    private let wake = StopSignal()

    private var stage = Stage.waiting
    private var page: HarfangLabPage?
    /// Threats of the page at hand that are still to come.
    private var threats: ArraySlice<Threat> = []
    private var nextRun: Duration?
    /// Where the passes of this run begin.
    private var begun: [Checkpoints.Pass: StartDate] = [:]
    private var failure: HarfangLabError?
    private var lastPosition: SourcePosition
    private var readInRun = 0
    /// Events that went out lately, with the digest of what matters of them: late ones are told from known ones.
    private var seen = SeenEvents()
    private var sentWithThreats: Set<String> = []
    /// When the threats that went out lately last changed: the checkpoint counts itself in, so its threat comes again.
    private var seenThreats: [Int64: StartDate] = [:]
    /// Where the search for changes begins; `nil` before the first run is over.
    private var changesSince: StartDate?
    private var changesSeen: StartDate?
    private var hasRun = false
    private var waitingForDurable: CheckedContinuation<Void, Never>?

    /// - Parameter position: where an earlier process stopped counting.
    init(_ parts: Parts, after position: SourcePosition?) {
        self.parts = parts
        lastPosition = position ?? SourcePosition(major: 0)
    }

    func next() async throws -> SourceRead {
        while !isClosed.load(ordering: .relaxed) {
            let items: [Item]
            switch stage {
            case .waiting:
                if hasRun, parts.runsOnce { return .end }
                guard await beginRun() else { continue }
                items = []
            case .threats: items = await readThreats()
            case .alerts: items = await readAlerts()
            case .changes: items = await readChanges()
            case .closing:
                if let mark = closeRun() { return .items([mark]) }
                await endRun()
                items = []
            }
            if !items.isEmpty {
                readInRun += items.count
                return .items(items)
            }
        }
        return .end
    }

    // MARK: Runs

    /// - Returns: false when it is not yet time.
    private func beginRun() async -> Bool {
        if let nextRun, nextRun > parts.time.uptime {
            // Short sleeps, so that a stop is not held up.
            let moment = min(nextRun, parts.time.uptime + .milliseconds(250))
            try? await parts.time.sleep(untilUptime: moment)
            return false
        }
        nextRun = parts.time.uptime + parts.period
        if let reason = await parts.holdBack() {
            parts.log.warning("A run is left out", .field("reason", reason))
            return false
        }
        parts.finder.forget()
        sentWithThreats = []
        readInRun = 0
        failure = nil
        page = nil
        threats = []
        changesSeen = changesSince
        hasMarked = false
        hasReadGrown = false
        // Events can show up late: ten minutes of them are read again. From the very beginning nothing is late.
        let hasBegun = parts.checkpoints.date(of: .alerts) != nil
        begun = parts.checkpoints.beginRun(
            parts.importsThreats ? [.threats, .alerts] : [.alerts], otherwise: parts.start)
        if hasBegun, let alerts = begun[.alerts] { begun[.alerts] = alerts.earlier(by: .seconds(600)) }
        stage = parts.importsThreats ? .threats : .alerts
        return true
    }

    private var hasMarked = false
    private var hasReadGrown = false

    /// The last item of a run: once it is done, the position of the one before can't get company any more.
    private func closeRun() -> Item? {
        guard !hasMarked, readInRun > 0 else { return nil }
        hasMarked = true
        return item("run", StartDate(parts.time.now), source: "run")
    }

    private func endRun() async {
        if readInRun > 0 { await waitUntilDurable() }
        stage = .waiting
        hasRun = true
        if failure == nil { changesSince = changesSeen ?? StartDate(parts.time.now).earlier(by: .seconds(600)) }
        parts.status.source(trouble: failure.map { "\($0.code): \($0.description)" })
        if readInRun > 0 { await parts.tell() }
        do {
            let state = parts.checkpoints.object
            if let failure {
                try await parts.work.end("The run ended early. \(failure.description)", isError: true)
            } else {
                let dates = Checkpoints.Pass.allCases.compactMap { pass in
                    state[pass.rawValue]?.string.map { "\(pass.rawValue) as \($0)" }
                }
                try await parts.work.end(
                    "\(parts.translator.name) connector successfully run, storing \(dates.joined(separator: ", "))",
                    isError: false)
            }
        } catch {
            parts.log.warning("A work could not be closed", .cause(error))
        }
        parts.log.info(
            "A run is over", .field("items", readInRun), .field("failed", failure != nil),
            .field("events", parts.checkpoints.date(of: .alerts)?.description ?? "none"))
    }

    private func waitUntilDurable() async {
        // The mark itself is never durable: nothing comes after it.
        let target = lastPosition
        while !isClosed.load(ordering: .relaxed) {
            if let durable = parts.checkpoints.durable, durable.major > 0, isBehind(durable, target) { return }
            await withCheckedContinuation { waitingForDurable = $0 }
        }
    }

    private func isBehind(_ durable: SourcePosition, _ mark: SourcePosition) -> Bool {
        durable.minor + 1 >= mark.minor
    }

    private func fail(_ error: HarfangLabError) {
        failure = error
        parts.status.source(trouble: "\(error.code): \(error.description)")
        parts.log.warning("A run ends early; the next goes on there", .field("error.code", error.code), .cause(error))
        stage = .closing
    }

    // MARK: Threats

    private func readThreats() async -> [Item] {
        do throws(HarfangLabError) {
            if let threat = threats.popFirst() {
                if let known = seenThreats[threat.id], known == threat.lastUpdate { return [] }
                let items = try await items(of: threat)
                if seenThreats.count >= 10_000 { seenThreats = [:] }
                seenThreats[threat.id] = threat.lastUpdate
                if failure == nil, let last = items.last?.position {
                    parts.checkpoints.move(.threats, to: threat.created, after: last)
                }
                return items
            }
            if let page {
                guard let next = page.next, !page.results.isEmpty else {
                    self.page = nil
                    stage = .alerts
                    return []
                }
                take(threats: try await parts.console.page(next, operation: "list_Threat"))
            } else {
                take(threats: try await parts.console.threats(from: start(of: .threats).description))
            }
            return []
        } catch {
            fail(error)
            return []
        }
    }

    private func take(threats page: HarfangLabPage) {
        self.page = page
        threats = page.results.compactMap { Threat($0) }[...]
    }

    /// A threat's events, a hundred an item, then its case and note.
    private func items(of threat: Threat) async throws(HarfangLabError) -> [Item] {
        var items: [Item] = []
        var ids: [String] = []
        var page = try await parts.console.alerts(parts.filter, ofThreat: threat.id)
        while true {
            let alerts = page.results.compactMap { Alert($0) }
            let (made, failure) = await self.items(of: alerts, label: "threat-event", isOfThreat: true)
            if let failure { throw failure }
            items += made.items
            ids += made.ids
            sentWithThreats.formUnion(alerts.map(\.id))
            guard let last = alerts.last else { break }
            if let next = page.next {
                page = try await parts.console.page(next, operation: "list_Alert")
            } else if page.isCutAtCeiling {
                page = try await parts.console.alerts(
                    parts.filter, ofThreat: threat.id, from: last.time.description)
            } else {
                break
            }
        }
        let note = try await parts.console.note(ofThreat: threat.id)
        let objects = parts.translator.translate(threat, note: note, objects: ids)
        var item = item("threat", threat.created, source: "threat \(threat.id)")
        item.input = InputSlice(threat.json.bytes)
        item.effects = [.record(JSONValue.array(objects.map(\.json)).bytes)]
        return items + [item]
    }

    // MARK: Events

    private func readAlerts() async -> [Item] {
        do throws(HarfangLabError) {
            let page: HarfangLabPage
            if let current = self.page {
                if let next = current.next, !current.results.isEmpty {
                    page = try await parts.console.page(next, operation: "list_Alert")
                } else if current.isCutAtCeiling, let last = current.results.last.flatMap({ Alert($0) }) {
                    // Never past the console's window: a new one begins at the last event.
                    page = try await parts.console.alerts(parts.filter, from: last.time.description)
                } else {
                    self.page = nil
                    stage = hasRun && changesSince != nil ? .changes : .closing
                    return []
                }
            } else {
                page = try await parts.console.alerts(parts.filter, from: start(of: .alerts).description)
            }
            self.page = page
            let alerts = page.results.compactMap { Alert($0) }
            let fresh = alerts.filter { !sentWithThreats.contains($0.id) && !seen.knows($0) }
            let (made, failure) = await items(of: fresh, label: "event", isOfThreat: false)
            advance(alerts, fresh, upTo: failure == nil ? nil : made.count, made.items)
            if let failure { fail(failure) }
            return made.items + unreadable(page.results)
        } catch {
            fail(error)
            return []
        }
    }

    private func start(of pass: Checkpoints.Pass) -> StartDate { begun[pass] ?? parts.start }

    /// The checkpoint follows what was read, also what was skipped or known, but never passes what failed.
    private func advance(_ alerts: [Alert], _ fresh: [Alert], upTo count: Int?, _ items: [Item]) {
        let firstMissing = count.flatMap { $0 < fresh.count ? fresh[$0].id : nil }
        var place = 0
        for alert in alerts {
            if alert.id == firstMissing { return }
            if place < items.count, place < fresh.count, fresh[place].id == alert.id {
                parts.checkpoints.move(.alerts, to: alert.time, after: items[place].position ?? lastPosition)
                place += 1
            } else {
                parts.checkpoints.move(
                    .alerts, to: alert.time,
                    after: place > 0 ? items[place - 1].position ?? lastPosition : firstPosition(of: items))
            }
        }
    }

    private func firstPosition(of items: [Item]) -> SourcePosition { items.first?.position ?? lastPosition }

    /// What has no id or no time can't be imported; it is kept.
    private func unreadable(_ results: [JSONValue]) -> [Item] {
        results.filter { Alert($0) == nil }.map { value in
            var item = item("event", StartDate(parts.time.now), source: "unreadable")
            item.input = InputSlice(value.bytes)
            item.note = .init(
                .deadLettered, code: "harfanglab.event", reason: "The event has no id or no time. It is kept aside.")
            return item
        }
    }

    /// What changed since the run before: a status that was set, a threat that grew.
    private func readChanges() async -> [Item] {
        guard let since = changesSince else {
            stage = .closing
            return []
        }
        do throws(HarfangLabError) {
            let page: HarfangLabPage
            if let current = self.page {
                guard let next = current.next, !current.results.isEmpty else {
                    self.page = nil
                    stage = .closing
                    return []
                }
                page = try await parts.console.page(next, operation: "list_Alert")
            } else {
                page = try await parts.console.alerts(parts.filter, updatedSince: since.description)
            }
            self.page = page
            let grown = try await grownThreats(since: since)
            let alerts = page.results.compactMap { Alert($0) }
            if let last = alerts.map(\.last).max() { changesSeen = max(changesSeen ?? last, last) }
            let changed = alerts.filter { !seen.knows($0) }
            let (made, failure) = await items(of: changed, label: "change", isOfThreat: false)
            if let failure { fail(failure) }
            return grown + made.items
        } catch {
            fail(error)
            return []
        }
    }

    /// Threats that changed after they were imported: their case is sent anew with everything that belongs to it now.
    private func grownThreats(since: StartDate) async throws(HarfangLabError) -> [Item] {
        guard parts.importsThreats, !hasReadGrown else { return [] }
        hasReadGrown = true
        var items: [Item] = []
        let page = try await parts.console.threats(updatedSince: since.description)
        for threat in page.results.compactMap({ Threat($0) }) where seenThreats[threat.id] != threat.lastUpdate {
            items += try await self.items(of: threat)
            seenThreats[threat.id] = threat.lastUpdate
        }
        return items
    }

    /// Items of events in their order, up to the first whose rule could not be looked up.
    private func items(
        of alerts: [Alert], label: String, isOfThreat: Bool
    ) async -> (made: (items: [Item], ids: [String], count: Int), failure: HarfangLabError?) {
        let (rules, failure) = await parts.finder.rules(of: alerts)
        var items: [Item] = []
        var ids: [String] = []
        for (alert, rule) in zip(alerts, rules) {
            var item = item(label, alert.time, source: "event \(alert.id)")
            item.input = InputSlice(alert.json.bytes)
            if let rule {
                let translated = parts.translator.translate(alert, rule)
                ids += translated.objects.map(\.id)
                item.effects = [.record(JSONValue.array(translated.objects.map(\.json)).bytes)]
                for note in translated.notes { item.effects.append(Self.skip(note)) }
            } else {
                let isKnown = ["ioc", "sigma", "yara"].contains(alert.type)
                item.note = .init(
                    .skipped, code: isKnown ? "rule_not_found" : "unknown_alert_type",
                    reason: isKnown ? alert.ruleName : alert.type)
            }
            seen.note(alert)
            items.append(item)
        }
        return ((items, ids, items.count), failure)
    }

    /// `tag_skipped:attack.impact`
    private static func skip(_ note: String) -> Effect {
        let parts = note.split(separator: ":", maxSplits: 1).map(String.init)
        return .skip(code: parts[0], reason: parts.count > 1 ? parts[1] : "")
    }

    private func item(_ label: String, _ date: StartDate, source: String) -> Item {
        // The engine's own positions only have to grow; the passes' checkpoints are dates.
        let now = UInt64(max(0, parts.time.now.milliseconds))
        lastPosition = SourcePosition(major: max(now, lastPosition.major), minor: lastPosition.minor + 1)
        return Item(
            group: lastPosition, position: lastPosition, source: hasher.digest(source),
            time: Instant(milliseconds: date.microseconds / 1000), label: label)
    }

    // MARK: Flow

    func acknowledge(_ position: SourcePosition) async {
        if parts.checkpoints.isDurable(position) { await parts.keep(parts.checkpoints.object) }
        resume()
    }

    func item(from letter: DeadLetter) async -> Item? {
        guard let json = try? JSONValue(parsing: letter.input) else { return nil }
        if let alert = Alert(json) {
            let (made, failure) = await items(of: [alert], label: "event", isOfThreat: false)
            guard failure == nil, var item = made.items.first else { return nil }
            item.position = nil
            return item
        }
        return nil
    }

    nonisolated func close() async {
        isClosed.store(true, ordering: .relaxed)
        await resume()
    }

    private func resume() {
        waitingForDurable?.resume()
        waitingForDurable = nil
    }
}

/// Events that went out lately, so that an overlap sends none of them twice. Bounded: beyond it the oldest are forgotten,
/// and merge on the platform by their ids.
struct SeenEvents: Sendable {
    private var digests: [String: Int] = [:]
    private var order: [String] = []
    private var head = 0
    private static let most = 50_000

    /// Whether it went out as it is now.
    func knows(_ alert: Alert) -> Bool { digests[alert.id] == Self.digest(alert) }

    mutating func note(_ alert: Alert) {
        if digests.updateValue(Self.digest(alert), forKey: alert.id) == nil { order.append(alert.id) }
        guard order.count - head > Self.most else { return }
        digests[order[head]] = nil
        head += 1
        if head > Self.most {
            order.removeFirst(head)
            head = 0
        }
    }

    private static func digest(_ alert: Alert) -> Int {
        var hasher = Hasher()
        hasher.combine(alert.status)
        hasher.combine(alert.lastText)
        hasher.combine(alert.level)
        return hasher.finalize()
    }
}
