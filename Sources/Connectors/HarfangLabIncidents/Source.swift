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
/// run before. Each pass waits until everything before it is durable, so that a later state of an event never overtakes an
/// earlier one. A fault ends the run early, honestly and without moving the checkpoint behind what was not sent.
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
        /// Where the search for changes goes on, from an earlier process.
        var changesSince: StartDate?
        /// Asked before a run: why it must not begin now.
        var holdBack: @Sendable () async -> String? = { nil }
        /// Called at the end of a run, so that the platform knows at once where it stands.
        var tell: @Sendable () async -> Void = {}
        /// Called when a checkpoint has moved, to make it durable.
        var keep: @Sendable (JSONObject) async -> Void = { _ in }
        /// Called when the search for changes has moved, to make it durable.
        var keepChanges: @Sendable (StartDate?) async -> Void = { _ in }
    }

    /// The passes of a run in their order.
    enum Pass {
        case threats
        case events
        case changedThreats
        case changedEvents
        case end
    }

    let parts: Parts
    private let hasher = KeyHasher()
    private let isClosed = Atomic(false)

    // The run at hand.
    private var pass: Pass?
    private var run = 0
    private var nextRun: Duration?
    private var hasRun = false
    private var readInRun = 0
    private var failure: HarfangLabError?
    /// Where its passes begin.
    private var begun: [Checkpoints.Pass: StartDate] = [:]
    private var listing: Listing?
    /// Threats that were listed and are still to come.
    var threats: ArraySlice<Threat> = []
    /// The threat whose events are being read.
    var threat: ThreatReading?

    // What went out.
    var seen = SeenEvents()
    /// When the threats that went out lately last changed: the checkpoint counts itself in, so its threat comes again.
    var seenThreats: [Int64: StartDate?] = [:]
    private var lastPosition: SourcePosition

    // The search for changes.
    /// Where it begins; `nil` before the first run is over.
    private var changesSince: StartDate?
    /// Where it begins after a first run.
    private var firstChanges: StartDate?
    /// The last change that was read, and when this run began to look for them.
    private var lastChange: StartDate?
    private var changesBegan: StartDate?

    // Waiting for what is under way.
    private var mustSettle = false
    private var unmarked: SourcePosition?
    private var awaited: SourcePosition?
    private var waiting: CheckedContinuation<Void, Never>?

    /// Events and changes can show up late: so much is read again.
    static let overlap = Duration.seconds(600)

    /// - Parameter position: where an earlier process stopped counting.
    init(_ parts: Parts, after position: SourcePosition?) {
        self.parts = parts
        changesSince = parts.changesSince
        lastPosition = position ?? SourcePosition(major: 0)
    }

    func next() async throws -> SourceRead {
        while !isClosed.load(ordering: .relaxed) {
            guard let pass else {
                if hasRun, parts.runsOnce { return .end }
                await beginRun()
                continue
            }
            if mustSettle {
                if let mark = mark() { return .items([mark]) }
                await waitUntilDurable()
                mustSettle = false
                continue
            }
            let items: [Item]
            switch pass {
            case .threats, .changedThreats: items = await readThreats(pass)
            case .events, .changedEvents: items = await readEvents(pass)
            case .end:
                await endRun()
                items = []
            }
            guard !items.isEmpty else { continue }
            readInRun += items.count
            unmarked = lastPosition
            return .items(items)
        }
        return .end
    }

    // MARK: Runs

    private func beginRun() async {
        if let nextRun, nextRun > parts.time.uptime {
            // Short sleeps, so that a stop is not held up.
            let moment = min(nextRun, parts.time.uptime + .milliseconds(250))
            try? await parts.time.sleep(untilUptime: moment)
            return
        }
        nextRun = parts.time.uptime + parts.period
        if let reason = await parts.holdBack() {
            parts.log.warning("A run is left out", .field("reason", reason))
            return
        }
        parts.finder.forget()
        run += 1
        readInRun = 0
        failure = nil
        listing = nil
        threats = []
        threat = nil
        lastChange = nil
        changesBegan = nil
        let hasBegun = parts.checkpoints.date(of: .alerts) != nil
        let beginning = parts.checkpoints.beginRun(
            parts.importsThreats ? [.threats, .alerts] : [.alerts], otherwise: parts.start)
        begun = beginning.begun
        // From the very beginning nothing is late. Threats that are come with the changes.
        if hasBegun { begun[.alerts] = begun[.alerts]?.earlier(by: Self.overlap) }
        if beginning.isReplaced { await forget() }
        // What changes while a first run reads is read as it was, or as it is; what changed before it, as it is.
        firstChanges = StartDate(parts.time.now).earlier(by: Self.overlap)
        if hasBegun, let start = begun[.alerts], let now = firstChanges {
            firstChanges = min(start, now)
        }
        pass = parts.importsThreats ? .threats : .events
    }

    /// An operator wants it all again from another place.
    private func forget() async {
        seen = SeenEvents()
        seenThreats = [:]
        changesSince = nil
        await parts.keepChanges(nil)
    }

    /// A pass is through.
    func finish(_ pass: Pass) {
        listing = nil
        mustSettle = true
        self.pass =
            switch pass {
            case .threats: .events
            case .events: changesSince == nil ? .end : parts.importsThreats ? .changedThreats : .changedEvents
            case .changedThreats: .changedEvents
            case .changedEvents, .end: .end
            }
    }

    func fail(_ error: HarfangLabError) {
        failure = error
        parts.status.source(trouble: "\(error.code): \(error.description)")
        parts.log.warning("A run ends early; the next goes on there", .field("error.code", error.code), .cause(error))
        listing = nil
        mustSettle = true
        pass = .end
    }

    private func endRun() async {
        hasRun = true
        pass = nil
        if failure == nil { await moveChanges() }
        parts.status.source(trouble: failure.map { "\($0.code): \($0.description)" })
        if readInRun > 0 { await parts.tell() }
        let message: String
        if let failure {
            message = "The run ended early. \(failure.description)"
        } else {
            let state = parts.checkpoints.object
            let dates = Checkpoints.Pass.allCases.compactMap { pass in
                state[pass.rawValue]?.string.map { "\(pass.rawValue) as \($0)" }
            }
            message = "\(parts.translator.name) connector successfully run, storing \(dates.joined(separator: ", "))"
        }
        do { try await parts.work.end(message, isError: failure != nil) } catch {
            parts.log.warning("A work could not be closed; the next run tries again", .cause(error))
        }
        parts.log.info(
            "A run is over", .field("items", readInRun), .field("failed", failure != nil),
            .field("events", parts.checkpoints.date(of: .alerts)?.description ?? "none"))
    }

    /// The next search begins at the last change that this one has seen, less the overlap. What this search itself took is
    /// behind its own beginning.
    private func moveChanges() async {
        if let began = changesBegan {
            guard let last = lastChange else { return }
            changesSince = max(changesSince ?? .beginning, min(last, began).earlier(by: Self.overlap))
        } else {
            changesSince = firstChanges
        }
        await parts.keepChanges(changesSince)
    }

    /// Closes the position of what was read: nothing else can join it then.
    private func mark() -> Item? {
        guard let last = unmarked else { return nil }
        unmarked = nil
        awaited = last
        return item("run", StartDate(parts.time.now), source: "run")
    }

    private func waitUntilDurable() async {
        while !isClosed.load(ordering: .relaxed), let awaited {
            if let durable = parts.checkpoints.durable, durable >= awaited {
                self.awaited = nil
                return
            }
            await withCheckedContinuation { waiting = $0 }
        }
    }

    // MARK: Events

    private func readEvents(_ pass: Pass) async -> [Item] {
        do throws(HarfangLabError) {
            let listing = events(pass)
            guard let results = try await listing.next() else {
                finish(pass)
                return []
            }
            // First, so that the checkpoint passes them only when they are kept.
            let parsed = results.map { Alert($0) }
            var items = zip(results, parsed).compactMap { $1 == nil ? unreadable($0, "event") : nil }
            if let moment = listing.overfull { items.append(overfull(moment)) }
            let alerts = parsed.compactMap { $0 }
            let fresh = alerts.filter { alert in
                // An event that changes while it is read comes with the changes.
                !seen.knows(alert) && (pass == .changedEvents || !seen.wasSent(alert, in: run))
            }
            let before = lastPosition
            let made = await self.items(of: fresh, label: pass == .events ? "event" : "change")
            if pass == .events {
                advance(over: alerts, fresh, made.items, after: before)
            } else {
                note(changes: alerts.map(\.last))
            }
            if let failure = made.failure { fail(failure) }
            items += made.items
            return items
        } catch {
            fail(error)
            return []
        }
    }

    private func events(_ pass: Pass) -> Listing {
        let (console, filter) = (parts.console, parts.filter)
        return listing {
            if pass == .events {
                return Listing(
                    console, operation: "list_Alert", from: start(of: .alerts), moment: Alert.time(of:),
                    open: { (start) async throws(HarfangLabError) in
                        try await console.alerts(filter, from: (start ?? .beginning).description)
                    })
            }
            return Listing(
                console, operation: "list_Alert", from: changes(), isRestless: true, moment: Alert.change(of:),
                open: { (start) async throws(HarfangLabError) in
                    try await console.alerts(filter, updatedSince: (start ?? .beginning).description)
                })
        }
    }

    /// The list that is being read.
    func listing(orMaking make: () -> Listing) -> Listing {
        if let listing { return listing }
        let made = make()
        listing = made
        return made
    }

    func start(of pass: Checkpoints.Pass) -> StartDate { begun[pass] ?? parts.start }

    /// Where this run looks for changes from.
    func changes() -> StartDate {
        if changesBegan == nil { changesBegan = StartDate(parts.time.now) }
        return changesSince ?? .beginning
    }

    func note(changes: [StartDate]) {
        if let last = changes.max() { lastChange = lastChange.map { max($0, last) } ?? last }
    }

    /// The checkpoint follows what was read, also what was skipped or known, but never passes what failed.
    private func advance(
        over alerts: [Alert], _ fresh: [Alert], _ items: [Item], after before: SourcePosition
    ) {
        var place = 0
        var position = before
        for alert in alerts {
            if place < fresh.count, fresh[place].id == alert.id {
                guard place < items.count else { return }
                position = items[place].position ?? position
                place += 1
            }
            parts.checkpoints.move(.alerts, to: alert.time, after: position)
        }
    }

    /// Items of events in their order, up to the first whose rule could not be looked up; and the ids of all their objects.
    ///
    /// - Parameter leavesOutKnown: what went out as it is now gives ids alone.
    func items(
        of alerts: [Alert], label: String, leavesOutKnown: Bool = false
    ) async -> (items: [Item], ids: [String], failure: HarfangLabError?) {
        let (answers, failure) = await parts.finder.rules(of: alerts)
        var items: [Item] = []
        var ids: [String] = []
        for (alert, answer) in zip(alerts, answers) {
            let content = content(of: alert, answer)
            ids += content.ids
            if leavesOutKnown, seen.knows(alert) { continue }
            var item = item(label, alert.time, source: "event \(alert.id)")
            item.input = InputSlice(alert.json.bytes)
            item.effects = content.effects
            item.note = content.note
            seen.note(alert, run: run)
            items.append(item)
        }
        return (items, ids, failure)
    }

    /// What follows from an event and its rule.
    func content(
        of alert: Alert, _ answer: RuleFinder.Answer
    ) -> (effects: [Effect], ids: [String], note: Item.Note?) {
        switch answer {
        case .success(let rule?):
            let translated = parts.translator.translate(alert, rule)
            let record = Effect.record(JSONValue.array(translated.objects.map(\.json)).bytes)
            return ([record] + translated.notes.map(Self.skip), translated.objects.map(\.id), nil)
        case .success(nil):
            let isKnown = ["ioc", "sigma", "yara"].contains(alert.type)
            return (
                [], [],
                .init(
                    .skipped, code: isKnown ? "rule_not_found" : "unknown_alert_type",
                    reason: isKnown ? alert.ruleName : alert.type)
            )
        case .failure(let error):
            return ([], [], .init(.deadLettered, code: error.code.text, reason: error.description))
        }
    }

    /// `tag_skipped:attack.impact`
    private static func skip(_ note: String) -> Effect {
        let parts = note.split(separator: ":", maxSplits: 1).map(String.init)
        return .skip(code: parts[0], reason: parts.count > 1 ? parts[1] : "")
    }

    /// What has no id or no time can't be imported; it is kept, once.
    func unreadable(_ value: JSONValue, _ label: String) -> Item? {
        let bytes = value.bytes
        let digest = hasher.digest(bytes)
        guard seen.noteUnreadable(digest) else { return nil }
        var item = item(label, StartDate(parts.time.now), source: "unreadable \(digest)")
        item.input = InputSlice(bytes)
        item.note = .init(
            .deadLettered, code: "harfanglab.event", reason: "It has no id or no time. It is kept aside.")
        return item
    }

    /// More than the console shows happened at one moment: said, not passed over in silence.
    func overfull(_ moment: StartDate) -> Item {
        var item = item("event", moment, source: "moment \(moment)")
        item.note = .init(
            .deadLettered, code: "harfanglab.window",
            reason: "The console shows no more than \(HarfangLabPage.ceiling) of what happened at \(moment).")
        return item
    }

    /// An item of the stream of runs, with the next position.
    func item(_ label: String, _ date: StartDate, source: String) -> Item {
        // The engine's own positions only have to grow; the passes' checkpoints are dates.
        let now = UInt64(max(0, parts.time.now.milliseconds))
        lastPosition = SourcePosition(major: max(now, lastPosition.major), minor: lastPosition.minor + 1)
        return Item(
            group: lastPosition, position: lastPosition, source: hasher.digest(source), time: date.instant, label: label
        )
    }

    // MARK: Flow

    func acknowledge(_ position: SourcePosition) async {
        if parts.checkpoints.isDurable(position) { await parts.keep(parts.checkpoints.object) }
        resume()
    }

    /// Outside the stream of runs: no position is spent on it.
    func item(from letter: DeadLetter) async -> Item? {
        guard let json = try? JSONValue(parsing: letter.input) else { return nil }
        var item = Item(
            group: SourcePosition(major: 0), position: nil, source: letter.source, time: parts.time.now, label: "event")
        item.input = InputSlice(letter.input)
        if let alert = Alert(json) {
            let (answers, failure) = await parts.finder.rules(of: [alert])
            guard failure == nil, let answer = answers.first else { return nil }
            (item.effects, _, item.note) = content(of: alert, answer)
            return item
        }
        guard let threat = Threat(json) else { return nil }
        do throws(HarfangLabError) {
            item.label = "threat"
            item.effects = try await effects(of: threat)
            return item
        } catch {
            parts.log.warning("A threat can't be read again", .field("error.code", error.code), .cause(error))
            return nil
        }
    }

    nonisolated func close() async {
        isClosed.store(true, ordering: .relaxed)
        await resume()
    }

    private func resume() {
        waiting?.resume()
        waiting = nil
    }
}
