// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import HarfangLab
import JSON
import STIX
import Storage
import Synchronization
import Telemetry
import TestKit

@testable import HarfangLabIncidents

/// What survives a process, and processes one after the other: each reads the console for so many runs. Everything that is
/// read is durable at once, unless a test says otherwise.
final class ImportLife {
    let console: LiveConsole
    let time = TestTime(jumping: true, start: Instant(milliseconds: 1_772_323_200_000 + 86_400_000))
    private(set) var state: JSONObject?
    private(set) var changes: StartDate?
    /// Every item that was read and is no mark.
    private(set) var items: [Item] = []
    private let importsThreats: Bool
    private let kept = Kept()

    /// - Parameter state: what the platform holds from an earlier program.
    init(_ console: LiveConsole, importsThreats: Bool = false, state: JSONObject? = nil) {
        self.console = console
        self.importsThreats = importsThreats
        self.state = state
    }

    /// What the tests do in the middle of a process's life.
    struct Moment {
        let source: IncidentSource
        let checkpoints: Checkpoints
        /// Which batch of items this is.
        let count: Int
        let items: [Item]
    }

    /// - Parameter look: called with each batch; false ends the process there, before anything of it is durable.
    func run(_ runs: Int = 1, look: (Moment) async throws -> Bool = { _ in true }) async throws {
        let checkpoints = Checkpoints(state)
        let begun = Mutex(0)
        let reader = Reader()
        let source = try source(
            checkpoints,
            holdBack: {
                let number = begun.withLock { count in
                    count += 1
                    return count
                }
                guard number > runs else { return nil }
                await reader.close()
                return "that was all"
            })
        await reader.set(source)
        kept.changes.withLock { $0 = changes }
        var last: SourcePosition?
        var count = 0
        while case .items(let batch) = try await source.next() {
            let isMark = batch.count == 1 && batch[0].label == "run"
            if !isMark { items += batch }
            count += 1
            guard try await look(Moment(source: source, checkpoints: checkpoints, count: count, items: batch)) else {
                return
            }
            // A position is durable once the next one has come.
            if isMark, let last { await source.acknowledge(last) }
            last = batch.last?.position ?? last
            state = checkpoints.object
            changes = kept.changes.withLock { $0 }
        }
        state = checkpoints.object
        changes = kept.changes.withLock { $0 }
    }

    private func source(
        _ checkpoints: Checkpoints, holdBack: @escaping @Sendable () async -> String? = { nil }
    ) throws -> IncidentSource {
        let client = try console.client()
        return IncidentSource(
            .init(
                console: client, finder: RuleFinder(client, concurrency: 2), translator: IncidentCases.translator(),
                checkpoints: checkpoints, work: RunWork(RunTests.Platform(), name: "HarfangLab Incidents"),
                filter: AlertFilter(statuses: "new,closed", types: nil), importsThreats: importsThreats,
                start: .beginning, period: .seconds(60), runsOnce: false, status: FlowStatus(), time: time,
                log: .silent,
                changesSince: changes, holdBack: holdBack,
                keepChanges: { [kept] changes in kept.changes.withLock { $0 = changes } }), after: nil)
    }

    /// What an item that was put aside becomes when an operator asks for it again.
    func retried(_ item: Item) async throws -> Item? {
        let letter = DeadLetter(
            flow: 1, source: item.source, fingerprint: item.source, code: item.note?.code ?? "", reason: "",
            position: "",
            input: item.input?.bytes ?? [], attempts: 1, firstSeen: time.now, lastSeen: time.now)
        return await (try source(Checkpoints(nil))).item(from: letter)
    }

    /// Names of the incidents that went out, in order, with repetitions.
    var incidents: [String] { Self.incidents(in: items) }

    static func incidents(in items: [Item]) -> [String] {
        objects(in: items).filter { $0["type"]?.string == "incident" }.compactMap { $0["name"]?.string }
    }

    var cases: [String] {
        Self.objects(in: items).filter { $0["type"]?.string == "case-incident" }.compactMap { $0["name"]?.string }
    }

    static func objects(in items: [Item]) -> [JSONValue] {
        items.flatMap(\.effects).flatMap { effect -> [JSONValue] in
            guard case .record(let bytes) = effect else { return [] }
            return (try? JSONValue(parsing: bytes))?.array ?? []
        }
    }

    /// What was put aside, by its code.
    var putAside: [String] {
        items.compactMap { item in item.note?.outcome == .deadLettered ? item.note?.code : nil }
    }
}

/// What the process at hand has made durable.
private final class Kept: Sendable { let changes = Mutex<StartDate?>(nil) }

/// The source of the process at hand, for what must reach it from inside its own parts.
private actor Reader {
    private var source: IncidentSource?
    func set(_ source: IncidentSource) { self.source = source }
    func close() async { await source?.close() }
}
