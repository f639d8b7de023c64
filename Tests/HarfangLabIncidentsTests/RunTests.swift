// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import HTTPClient
import HarfangLab
import JSON
import STIX
import Storage
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import Engine
@testable import HarfangLabIncidents

/// The shared runs: a console with all events and threats, and one run from a state.
@Suite("Whole runs of the import") struct RunTests {
    struct Run: Sendable, CustomTestStringConvertible {
        let json: JSONValue
        var testDescription: String { json["title"]?.string ?? "" }
    }
    static let runs = (IncidentCases.expected["runs"]?.array ?? []).map { Run(json: $0) }

    /// A console that lists as the cases say.
    final class Console: Sendable {
        let calls = Mutex<[(path: String, query: [String: String])]>([])
        let pageCap: Int?
        let faults: [JSONValue]
        init(_ run: JSONValue) {
            pageCap = run["server_page_cap"]?.int.map { Int($0) }
            faults = run["faults"]?.array ?? []
        }

        func client() throws -> HarfangLabClient {
            let transport = ScriptedTransport { [self] recorded in answer(recorded.request.url) }
            return try HarfangLabClient(transport: transport, url: "https://hl.example:8443", token: { Secret("t") })
        }

        private func answer(_ url: String) -> ScriptedTransport.Answer {
            let target = url.dropFirst("https://hl.example:8443".count)
            let path = String(target.prefix { $0 != "?" })
            var query: [String: String] = [:]
            for pair in target.drop(while: { $0 != "?" }).dropFirst().split(separator: "&") {
                let parts = pair.split(separator: "=", maxSplits: 1).map { String($0).removingPercentEncoding ?? "" }
                query[parts[0]] = parts.count > 1 ? parts[1] : ""
            }
            calls.withLock { $0.append((path, query)) }
            for fault in faults where path == fault["path"]?.string {
                let hits = (fault["query"]?.object ?? [:]).allSatisfy { query[$0.key] == $0.value.string }
                if hits { return .status(Int(fault["status"]?.int ?? 500)) }
            }
            if path.hasSuffix("/note") {
                let id = path.split(separator: "/").dropLast().last.map(String.init) ?? ""
                return .status(200, IncidentCases.threats["notes"]?[id]?.text ?? "")
            }
            let all = rows(path, query)
            let offset = query["offset"].flatMap { Int($0) } ?? 0
            let end = min(all.count, offset + (pageCap ?? 100))
            var next = JSONValue.null
            if end < all.count {
                var items = query
                items["offset"] = "\(end)"
                next = .string(path + "?" + PercentEncoding.query(items.map { (name: $0.key, value: $0.value) }))
            }
            let page: JSONValue = [
                "count": .int(all.count), "next": next, "previous": .null,
                "results": .array(Array(all[min(offset, end)..<end])),
            ]
            return .status(200, page.text)
        }

        private func rows(_ path: String, _ query: [String: String]) -> [JSONValue] {
            func isFrom(_ value: JSONValue, _ field: String) -> Bool {
                guard let start = query["from"].flatMap({ StartDate($0) }) else { return true }
                return value[field]?.string.flatMap { StartDate($0) }.map { $0 >= start } ?? false
            }
            func isListed(_ value: JSONValue, _ key: String, _ field: String) -> Bool {
                query[key].map { $0.split(separator: ",").map(String.init).contains(value[field]?.string ?? "") }
                    ?? true
            }
            switch path.split(separator: "/").last {
            case "Alert":
                return (IncidentCases.alerts["alerts"]?.array ?? []).filter { alert in
                    isFrom(alert, "alert_time") && isListed(alert, "status", "status")
                        && isListed(alert, "alert_type", "alert_type") && isListed(alert, "maturity", "maturity")
                        && (query["threat_key"].map { alert["threat_key"]?.string == $0 } ?? true)
                }.sorted { ($0["alert_time"]?.string ?? "") < ($1["alert_time"]?.string ?? "") }
            case "Threat":
                return (IncidentCases.threats["threats"]?.array ?? []).filter { isFrom($0, "creation_date") }
                    .sorted { ($0["creation_date"]?.string ?? "") < ($1["creation_date"]?.string ?? "") }
            case let collection?:
                return (IncidentCases.alerts["rules"]?[String(collection)]?.array ?? []).filter { rule in
                    (query["value__exact"].map { rule["value"]?.string == $0 } ?? true)
                        && (query["rule_name__exact"].map { rule["rule_name"]?.string == $0 } ?? true)
                        && (query["name__exact"].map { rule["name"]?.string == $0 } ?? true)
                        && (query["search"].map { rule.text.contains($0) } ?? true)
                }
            case nil: return []
            }
        }
    }

    final class Platform: BundleSending, WorkReporting {
        let objects = Mutex<[STIXObject]>([])
        let ends = Mutex<[(message: String, isError: Bool)]>([])
        let begun = Mutex(0)
        let isDown = Mutex(false)
        func send(_ objects: [STIXObject], bundleID: String, work: String?, isRepeated: Bool) async throws -> Bool {
            self.objects.withLock { $0 += objects }
            return true
        }
        func begin(_ name: String) async throws -> String? {
            begun.withLock {
                $0 += 1
                return "work-\($0)"
            }
        }
        func end(_ work: String, _ message: String, isError: Bool) async throws {
            if isDown.withLock({ $0 }) { throw CancellationError() }
            ends.withLock { $0.append((message, isError)) }
        }
    }

    // covers: vectors:hl-runs, incidents:checkpoint, incidents:work-result, hlbug:inc-21
    // covers: incidents:threats-first (run-3), incidents:other-key (run-4), incidents:joined-threat (run-5)
    // covers: incidents:page-fails (run-6), incidents:lookup-fails (run-7)
    @Test(arguments: runs)
    func `reads, sends and keeps what is expected`(_ run: Run) async throws {
        let console = Console(run.json)
        let client = try console.client()
        let platform = Platform()
        let translator = IncidentCases.translator()
        let checkpoints = Checkpoints(run.json["state_before"]?.object)
        let work = RunWork(platform, name: "HarfangLab Incidents")
        let store = try await SQLiteStore.open(path: ":memory:")
        _ = try await store.number(of: "flow", in: .flow)
        _ = try await store.number(of: "target", in: .target)
        let status = FlowStatus()
        let source = IncidentSource(
            .init(
                console: client, finder: RuleFinder(client, concurrency: 4), translator: translator,
                checkpoints: checkpoints, work: work,
                filter: AlertFilter(
                    statuses: "new,investigating,probable_false_positive,false_positive,closed",
                    types: "yara,sigma,ioc"),
                importsThreats: run.json["config"]?["import_threats"]?.bool ?? false, start: .beginning,
                period: .seconds(60), runsOnce: true, status: status, time: SystemTime(), log: .silent), after: nil)
        var limits = FlowLimits()
        limits.checkpointDelay = .milliseconds(10)
        limits.commitDelay = .milliseconds(1)
        let core = FlowCore(
            identity: .init(flow: 1, target: 1, partition: "runs", fencingToken: 0), model: ImportModel(),
            limits: limits, guards: .off)
        let sink = IncidentSink(push: platform, work: work, frame: translator.frame)
        try await Flow(
            .init(source: source, sink: sink, store: store, time: SystemTime(), log: .silent, status: status)
        ).run(core, until: StopSignal())
        #expect(status.snapshot.accounting.holds && status.snapshot.accounting.itemsOpen == 0)
        compareState(run, checkpoints)
        compareSent(run, platform)
        compareCalls(run, console)
        let isError = run.json["result"]?.string == "error"
        #expect(platform.ends.withLock { $0.map(\.isError) } == [isError])
        #expect(platform.begun.withLock { $0 } == 1)
    }

    private func compareState(_ run: Run, _ checkpoints: Checkpoints) {
        for (key, value) in run.json["state_after"]?.object ?? [:] {
            let made = checkpoints.object[key]?.string.flatMap { StartDate($0) }
            #expect(made == value.string.flatMap { StartDate($0) }, "\(run) \(key)")
        }
    }

    private func compareSent(_ run: Run, _ platform: Platform) {
        let made = platform.objects.withLock { Set($0.map(\.id)) }
        func ids(_ list: String, _ key: String, _ wanted: JSONValue) -> Set<String> {
            let found = IncidentCases.expected[list]?.array?.first { $0[key] == wanted }
            return Set((found?["expected"]?["objects"]?.array ?? []).compactMap { $0["id"]?.string })
        }
        var expected: Set<String> = []
        for id in run.json["alerts_sent"]?.array ?? [] { expected.formUnion(ids("alerts", "alert_id", id)) }
        for id in run.json["threats_sent"]?.array ?? [] { expected.formUnion(ids("threats", "threat_id", id)) }
        #expect(expected.subtracting(made).isEmpty)
        // What lies within ten minutes before the start may come again.
        if run.json["state_before"]?.object?.isEmpty ?? true { #expect(made.subtracting(expected).isEmpty) }
    }

    private func compareCalls(_ run: Run, _ console: Console) {
        let made = console.calls.withLock { calls in
            calls.filter { $0.path.contains("/alert/alert/") && $0.query["offset"] == nil }.map(\.path)
        }
        let expected = (run.json["calls"]?.array ?? []).compactMap { $0["path"]?.string }.filter { $0.hasPrefix("/") }
        #expect(made == expected)
    }
}
