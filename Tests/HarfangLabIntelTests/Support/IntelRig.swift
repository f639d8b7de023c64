// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import FlowTestKit
import HTTPClient
import HarfangLab
import JSON
import OpenCTI
import Rules
import Storage
import Synchronization
import Telemetry
import TestKit

@testable import Engine
@testable import HarfangLabIntel

/// The connector's parts around a flow core: a real ledger, a console and a platform without a network.
struct IntelRig {
    let console: FakeConsole
    let time: TestTime
    let model: RuleModel
    let sink: RuleSink
    let store: SQLiteStore
    private let gather: IntelGather
    private var flow: DrivenFlow
    var core: FlowCore { flow.core }
    var commits: [FlowCommit] { flow.commits }

    static let sources: [RuleKind: String] = [
        .ioc: "3f6d2a10-6a0e-4d5b-9c1e-0a51c7b1d001", .sigma: "3f6d2a10-6a0e-4d5b-9c1e-0a51c7b1d002",
        .yara: "3f6d2a10-6a0e-4d5b-9c1e-0a51c7b1d003",
    ]

    /// - Parameter platform: what it answers for an indicator.
    init(
        _ console: FakeConsole, removes: Bool = true, maturity: RuleMaturity = .stable, skipsNameWithHash: Bool = false,
        recovery: FlowCore.Recovery = .complete, platform: Platform = Platform()
    ) async throws {
        self.console = console
        time = TestTime(jumping: true, start: Instant(parsing: "2026-06-15T12:00:00Z")!)
        model = RuleModel(removes: removes)
        store = try await SQLiteStore.open(path: ":memory:")
        let client = try platform.client(time)
        let log = Log.silent
        sink = RuleSink(
            console: try console.client(), sources: Self.sources, model: model,
            ledger: .init(store: store, flow: 1, target: 1),
            platform: PlatformHolders(client: client, version: nil, model: model, time: time), concurrency: 4,
            readsBack: false, log: log)
        let translator = IntelTranslator(
            maturity: maturity, skipsNameWithHash: skipsNameWithHash, model: model)
        gather = IntelGather(
            translator,
            .init(
                platform: client, checker: DirectChecks(), store: store, flow: 1, target: 1, time: time,
                status: FlowStatus(), log: log))
        flow = DrivenFlow(model, sink, over: store, on: time, recovery: recovery)
        _ = try await store.number(of: "flow", in: .flow)
        _ = try await store.number(of: "target", in: .target)
    }

    /// Reads one event through and carries out what follows.
    mutating func feed(_ kind: StreamFrame.Kind, _ id: String, _ data: String, label: String) async throws -> Item {
        let position = try requireValue(EventID(position: id))
        let group = SourcePosition(major: position.milliseconds, minor: position.sequence)
        var item = Item(
            group: group, position: group, source: Digest128(high: 0, low: 0), time: position.instant, label: label)
        item.input = InputSlice(Array(data.utf8))
        Array(data.utf8).withUnsafeBytes { gather.translate(kind, $0, into: &item, now: time.now) }
        var items = [item]
        try await gather.complete(&items, now: time.now)
        flow.core.read(items, at: Moment(time))
        try await flow.settle()
        return items[0]
    }

    /// Every owner is known from here on.
    mutating func finishRecovery() { flow.core.recovery = .complete }

    /// Items that come from elsewhere than the stream.
    mutating func read(_ items: [Item]) async throws {
        flow.core.read(items, at: Moment(time))
        try await flow.settle()
    }

    private func requireValue<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw DrivenFlow.Stuck("a value is missing") }
        return value
    }

    /// Everything that was told of the events: `code` or `code: reason`, as `explain` shows it.
    var reasons: [String] { commits.flatMap { $0.history.map(\.reason) } }
    var letters: [DeadLetter] { commits.flatMap(\.deadLetters) }
}

/// A platform that only answers reads of indicators.
final class Platform: Sendable {
    private let records = Mutex<JSONObject>([:])

    /// - Parameter record: as the vectors have it; null for gone.
    func set(_ id: String, _ record: JSONValue) { records.withLock { $0[id] = record } }

    func client(_ time: TestTime) throws -> OpenCTIClient {
        let transport = ScriptedTransport { [self] recorded in
            let id = (try? JSONValue(parsing: recorded.body))?["variables"]?["id"]?.string ?? ""
            let record = records.withLock { $0[id] } ?? .null
            let answer: JSONValue = ["data": ["indicator": record]]
            return .status(200, headers: ["Content-Type": "application/json"], answer.text)
        }
        return OpenCTIClient(
            transport: transport,
            configuration: try .init(url: "https://cti.example", token: Secret("t0ken"), userAgent: "sallyport"),
            time: time)
    }
}

/// Compiles in the test's own process.
struct DirectChecks: RuleChecking {
    func problem(ofYARA source: String) async -> RuleProblem? {
        do throws(RuleProblem) {
            _ = try YARARules(compiling: source)
            return nil
        } catch { return error }
    }
}
