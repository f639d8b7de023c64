// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import HTTPClient
import JSON
import Storage
import Synchronization
import Telemetry
import TestKit
import Testing
import VMRay

@testable import SandboxTriage

@Suite("Triage of samples") struct CourseTests {
    private static func hash(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 64 - digits.count) + digits
    }

    private static func alerts(_ numbers: Range<Int>) -> [AlertFact] {
        numbers.map {
            AlertFact(compositeID: "c:ind:h\($0):\($0)", product: "epp", link: "", status: "new", host: "h\($0)")
        }
    }

    // covers: triage:intent_first
    @Test func `an intent is in the store before anything is sent`() async throws {
        let rig = try await Rig(known: "malicious")
        rig.policy.containLevels = [.malicious]
        rig.policy.caseLevels = [.malicious]
        let seen = Recorder<String>()
        await rig.falcon { call, book in
            guard call.changes else { return }
            let record = try? await book.record(Self.hash(1))
            let pending = (record?.effects ?? [:]).filter { $0.value == .pending }.map(\.key.text)
            seen.append("\(call.method) \(pending.sorted().joined(separator: " "))")
        }
        let summary = try await rig.run([Self.hash(1): Self.alerts(0..<1)])
        #expect(summary.isComplete)
        #expect(
            seen.elements == [
                "PATCH alert:c:ind:h0:0", "POST ioc:sha256:\(Self.hash(1))", "POST contain:h0",
                "POST case:\(Self.hash(1))",
            ])
        #expect(try await rig.book.record(Self.hash(1))?.stage == .done)
    }

    // covers: triage:refused_part
    @Test func `a refused alert is found among many, and the others are told`() async throws {
        let rig = try await Rig(known: "suspicious")
        let bad = "c:ind:h3:3"
        let told = Recorder<String>()
        await rig.answerFalcon { call in
            guard call.path == "/alerts/entities/alerts/v3" else { return nil }
            let ids = (call.body?["composite_ids"]?.array ?? []).compactMap(\.string)
            if ids.contains(bad) { return .status(400, #"{"errors":[{"code":400,"message":"no such alert"}]}"#) }
            for id in ids { told.append(id) }
            return nil
        }
        let summary = try await rig.run([Self.hash(1): Self.alerts(0..<7)])
        #expect(Set(told.elements) == Set(Self.alerts(0..<7).map(\.compositeID)).subtracting([bad]))
        #expect(told.elements.count == 6)
        #expect(summary.refused == 1 && summary.outcomes == [.suspicious: 1] && !summary.isComplete)
        let record = try await rig.book.record(Self.hash(1))
        guard case .refused = record?.effects[EffectKey("alert:\(bad)")] else {
            Issue.record("the bad one is not marked")
            return
        }
    }

    // covers: triage:step_limits
    @Test func `only so many samples are held at once, and all are brought to their end`() async throws {
        let rig = try await Rig(known: nil, transfers: 3)
        var alerts: [String: [AlertFact]] = [:]
        for number in 0..<40 { alerts[Self.hash(number)] = Self.alerts(number..<number + 1) }
        let summary = try await rig.run(alerts)
        #expect(summary.outcomes == [.suspicious: 40])
        #expect(rig.depot.peak <= 3)
        #expect(rig.depot.fetched == 40)
    }

    // covers: triage:quota_run
    @Test func `after a spent quota nothing more is fetched`() async throws {
        let rig = try await Rig(known: nil, transfers: 1, quota: 2)
        var alerts: [String: [AlertFact]] = [:]
        for number in 0..<6 { alerts[Self.hash(number)] = Self.alerts(number..<number + 1) }
        let summary = try await rig.run(alerts)
        #expect(summary.outcomes == [.suspicious: 2, .quota: 4])
        #expect(rig.depot.fetched == 3)
        for number in 0..<6 { #expect(try await rig.book.record(Self.hash(number))?.attempts == 0) }
    }

    // covers: triage:report_slots
    @Test(.timeLimit(.minutes(5))) func `those that wait to be told again hold up nobody`() async throws {
        let rig = try await Rig(known: "suspicious", isJumping: false)
        let refused = Recorder<String>()
        let told = Recorder<String>()
        await rig.answerFalcon { call in
            guard call.method == "PATCH", let id = call.body?["composite_ids"]?[0]?.string else { return nil }
            if id != "c:ind:h8:8", !refused.elements.contains(id) {
                refused.append(id)
                return .status(429, headers: ["Retry-After": "30"], #"{"errors":[{"code":429,"message":"later"}]}"#)
            }
            told.append(id)
            return nil
        }
        // The ninth comes when the eight others wait, as many as may be reported at once.
        await rig.holdVMRay { hash in
            if hash == Self.hash(8) { await rig.time.waitForSleepers(8) }
        }
        var alerts: [String: [AlertFact]] = [:]
        for number in 0..<9 { alerts[Self.hash(number)] = Self.alerts(number..<number + 1) }
        async let summary = rig.run(alerts)
        await told.wait(for: 1)
        #expect(told.elements == ["c:ind:h8:8"])
        await rig.time.waitForSleepers(8)
        rig.time.advance(by: .seconds(30))
        #expect(try await summary.outcomes == [.suspicious: 9])
        #expect(Set(told.elements).count == 9 && told.elements.count == 9)
    }

    // covers: triage:request_once
    @Test(.timeLimit(.minutes(5))) func `a sample in the queue that somebody asks for is worked on once`() async throws
    {
        let rig = try await Rig(known: "suspicious")
        let told = Recorder<String>()
        let asked = Recorder<String>()
        await rig.answerFalcon { call in
            guard call.method == "PATCH" else { return nil }
            for id in (call.body?["composite_ids"]?.array ?? []).compactMap(\.string) { told.append(id) }
            return nil
        }
        let clock = TestTime()
        let desk = RequestDesk(rig.book, time: clock)
        // The first is held until the second, which is next in the queue, was asked for and is done.
        await rig.holdVMRay { hash in
            guard hash == Self.hash(0), asked.elements.isEmpty else { return }
            asked.append(hash)
            await told.wait(for: 1)
        }
        let stop = StopSignal()
        async let watch: Void = desk.watch(until: stop)
        await clock.waitForSleepers(1)
        async let summary = rig.run(
            [Self.hash(0): Self.alerts(0..<1), Self.hash(1): Self.alerts(1..<2)], underWay: 1, requests: desk)
        await asked.wait(for: 1)
        let requests = RequestBook(store: rig.book.store, flow: rig.book.flow)
        try await requests.set(TriageRequest(at: clock.now), of: Self.hash(1))
        while told.elements.isEmpty {
            clock.advance(by: .seconds(2))
            await Task.yield()
        }
        #expect(try await summary.outcomes == [.suspicious: 2])
        #expect(told.elements.sorted() == ["c:ind:h0:0", "c:ind:h1:1"])
        #expect(try await requests.all()[Self.hash(1)]?.outcome == .suspicious)
        stop.raise()
        try await watch
    }

    // covers: triage:answer_lost
    @Test func `what was done although its answer was lost is done once, and stands in the history`() async throws {
        let rig = try await Rig(known: "suspicious")
        let comment = "VMRay verdict for \(Self.hash(1)): suspicious. Report: https://v/1"
        let sent = Recorder<String>()
        await rig.answerFalcon { call in
            if call.path == "/alerts/entities/alerts/v3" {
                sent.append("PATCH")
                return .failure(.connectionLost(url: "f", reason: "reset"))
            }
            guard call.path == "/alerts/entities/alerts/v2" else { return nil }
            let comments: JSONValue = sent.elements.isEmpty ? [] : [["value": .string(comment)]]
            let alert: JSONValue = ["composite_id": "c:ind:h0:0", "status": "new", "comments": comments]
            let body: JSONValue = ["meta": [:], "resources": [alert], "errors": []]
            return .status(200, body.text)
        }
        #expect(try await rig.run([Self.hash(1): Self.alerts(0..<1)]).isComplete)
        #expect(sent.elements.count == 1)
        var query = HistoryQuery()
        query.keys = [SampleBook.digest("c:ind:h0:0")]
        #expect(try await rig.book.store.history(query).map(\.outcome) == ["delivered"])
    }

    // covers: triage:never_reopens
    @Test func `what an analyst has closed during the analysis stays closed`() async throws {
        let rig = try await Rig(known: "malicious")
        let statuses = Recorder<String>()
        await rig.answerFalcon { call in
            if call.path == "/alerts/entities/alerts/v2" {
                return .status(
                    200, #"{"meta":{},"resources":[{"composite_id":"c:ind:h0:0","status":"closed"}],"errors":[]}"#)
            }
            guard call.path == "/alerts/entities/alerts/v3" else { return nil }
            let status = call.body?["action_parameters"]?.array?.first { $0["name"]?.string == "update_status" }
            for id in (call.body?["composite_ids"]?.array ?? []).compactMap(\.string) {
                statuses.append("\(id) \(status?["value"]?.string ?? "as it is")")
            }
            return nil
        }
        #expect(try await rig.run([Self.hash(1): Self.alerts(0..<2)]).isComplete)
        #expect(Set(statuses.elements) == ["c:ind:h0:0 as it is", "c:ind:h1:1 in_progress"])
        #expect(statuses.elements.count == 2)
    }

    // covers: triage:contain_groups
    @Test func `a host with a group that nobody can name is not contained`() async throws {
        let rig = try await Rig(known: "malicious")
        rig.policy.containLevels = [.malicious]
        let contained = Recorder<String>()
        await rig.answerFalcon { call in
            switch call.path {
            case "/devices/entities/devices/v2":
                return .status(
                    200,
                    #"{"meta":{},"resources":[{"device_id":"h0","hostname":"a","groups":["g1"]},"#
                        + #"{"device_id":"h1","hostname":"b","groups":["g2"]}],"errors":[]}"#)
            case "/devices/entities/host-groups/v1":
                return .status(200, #"{"meta":{},"resources":[{"id":"g1","name":"Desktops"}],"errors":[]}"#)
            case "/devices/entities/devices-actions/v2":
                for id in (call.body?["ids"]?.array ?? []).compactMap(\.string) { contained.append(id) }
                return nil
            default: return nil
            }
        }
        let summary = try await rig.run([Self.hash(1): Self.alerts(0..<2)], neverContain: ["critical servers"])
        #expect(contained.elements == ["h0"] && summary.vetoed == 1)
    }

    // covers: triage:contain_restart
    @Test func `a restart forgets neither the hour's count nor the breaker`() async throws {
        let rig = try await Rig(known: "malicious")
        rig.policy.containLevels = [.malicious]
        let first = try await rig.run([Self.hash(1): Self.alerts(0..<2)], ceiling: 3)
        // Another start over the same state.
        let second = try await rig.run([Self.hash(2): Self.alerts(2..<4)], ceiling: 3)
        let third = try await rig.run([Self.hash(3): Self.alerts(4..<5)], ceiling: 100)
        #expect([first.vetoed, second.vetoed, third.vetoed] == [0, 1, 1])
    }

    // covers: triage:watermark
    @Test func `facts and watermark are one transaction, and what comes again changes nothing`() async throws {
        let rig = try await Rig(known: "clean")
        let now = rig.time.now
        let facts = [Self.hash(1): Self.alerts(0..<2)]
        #expect(try await rig.book.add(alerts: facts, files: [:], watermark: ("watermark.detect", now)) == 1)
        #expect(try await rig.book.watermark("watermark.detect") == now)
        #expect(try await rig.book.add(alerts: facts, files: [:]) == 0)
        #expect(try await rig.book.record(Self.hash(1))?.alerts == Self.alerts(0..<2))
        #expect(try await rig.book.open(before: now.advanced(by: .seconds(1)), limit: 10).count == 1)
    }

    // covers: triage:retention
    @Test func `a sample that is done is forgotten after its time`() async throws {
        let rig = try await Rig(known: "clean")
        _ = try await rig.run([Self.hash(1): Self.alerts(0..<1)])
        let late = rig.time.now.advanced(by: SampleBook.retention).advanced(by: .seconds(1))
        #expect(try await rig.book.open(before: late, limit: 10).isEmpty)
        #expect(try await rig.book.record(Self.hash(1)) == nil)
    }
}

/// Both sides scripted, the state in memory, time that jumps.
private final class Rig: Sendable {
    struct Call: Sendable {
        let method: String
        let path: String
        let body: JSONValue?
        /// Whether it changes something at Falcon.
        var changes: Bool {
            method == "PATCH" || path.contains("devices-actions") || path.contains("case/v2")
                || (method == "POST" && path == "/iocs/entities/indicators/v1")
        }
    }

    private struct Script {
        var watch: (@Sendable (Call, SampleBook) async -> Void)?
        var answer: (@Sendable (Call) -> ScriptedTransport.Answer?)?
        var hold: (@Sendable (String) async -> Void)?
        var submitted: [String: Int] = [:]
        var policy = TriagePolicy()
    }

    let time: TestTime
    let book: SampleBook
    let depot = CountingDepot()
    private let store: SQLiteStore
    private let script = Mutex(Script())
    private let known: String?
    private let transfers: Int
    private let quota: Int?

    var policy: TriagePolicy {
        get { script.withLock { $0.policy } }
        set { script.withLock { $0.policy = newValue } }
    }

    /// - Parameter known: the verdict of every sample, without a submission; `nil`: they are unknown.
    init(known: String?, transfers: Int = 2, quota: Int? = nil, isJumping: Bool = true) async throws {
        time = TestTime(jumping: isJumping)
        self.known = known
        self.transfers = transfers
        self.quota = quota
        store = try await SQLiteStore.open(path: ":memory:")
        book = try await SampleBook(store, flow: "triage", target: "falcon", fencingToken: 0, time: time)
    }

    func falcon(_ watch: @escaping @Sendable (Call, SampleBook) async -> Void) async {
        script.withLock { $0.watch = watch }
    }

    func answerFalcon(_ answer: @escaping @Sendable (Call) -> ScriptedTransport.Answer?) async {
        script.withLock { $0.answer = answer }
    }

    /// Keeps VMRay's answers about a sample back.
    func holdVMRay(_ hold: @escaping @Sendable (String) async -> Void) async { script.withLock { $0.hold = hold } }

    func run(
        _ alerts: [String: [AlertFact]], neverContain: [String] = [], ceiling: Int = 100, underWay: Int = 1000,
        requests: RequestDesk? = nil
    ) async throws -> RunSummary {
        _ = try await book.add(alerts: alerts, files: [:])
        let falcon = try FalconClient(
            transport: ScriptedTransport { [self] recorded in await answer(recorded) },
            credentials: FalconCredentials(clientID: "id", clientSecret: { Secret("s") }, memberCID: nil),
            baseURL: "https://falcon.example", userAgent: "test", timeout: .seconds(60), time: time)
        let vmray = VMRayClient(
            transport: ScriptedTransport { [self] recorded in
                let hold = script.withLock { $0.hold }
                await hold?(recorded.request.url.split(separator: "/").last.map(String.init) ?? "")
                return answerVMRay(recorded)
            },
            configuration: try VMRayClient.Configuration(key: Secret("k")), time: time)
        let parts = TriageParts(
            policy: policy, options: SubmissionOptions(), falcon: falcon, detections: FileDetections(falcon),
            vmray: vmray, depot: depot, book: book,
            containment: try await ContainmentDesk(
                falcon, book, neverContain: neverContain, ceiling: ceiling, time: time),
            guards: .standard, events: TriageEvents(log: .silent, metrics: Metrics(), flow: "triage"),
            limits: StepLimits(transfers: transfers, underWay: underWay), time: time, requests: requests)
        let run = TriageRun(parts: parts, sources: [], timeSpan: .seconds(60))
        return try await run.go(end: nil, until: StopSignal())
    }

    private func call(_ recorded: ScriptedTransport.Recorded) -> Call {
        let path = "/" + (recorded.request.url.split(separator: "/", maxSplits: 2).last ?? "").prefix { $0 != "?" }
        return Call(
            method: recorded.request.method.rawValue, path: path,
            body: try? JSONValue(parsing: recorded.body))
    }

    private func answer(_ recorded: ScriptedTransport.Recorded) async -> ScriptedTransport.Answer {
        let call = call(recorded)
        let (watch, answer) = script.withLock { ($0.watch, $0.answer) }
        if call.path == "/oauth2/token" {
            return .status(201, #"{"access_token":"t","expires_in":1799}"#)
        }
        await watch?(call, book)
        return answer?(call)
            ?? .status(200, #"{"meta":{"writes":{"resources_affected":1}},"resources":[],"errors":[]}"#)
    }

    private func answerVMRay(_ recorded: ScriptedTransport.Recorded) -> ScriptedTransport.Answer {
        let call = call(recorded)
        func ok(_ data: JSONValue) -> ScriptedTransport.Answer {
            .status(200, JSONValue.object(["result": "ok", "data": data]).text)
        }
        let parts = call.path.split(separator: "/").map(String.init)
        switch (parts[1], parts.count) {
        case ("sample", 4) where parts[2] == "sha256":
            let hash = parts[3]
            let id = script.withLock { $0.submitted[hash] }
            guard let verdict = known ?? (id == nil ? nil : "suspicious") else { return ok([]) }
            return ok([
                [
                    "sample_id": .int(id ?? 1), "sample_sha256hash": .string(hash), "sample_verdict": .string(verdict),
                    "sample_webif_url": "https://v/1",
                ]
            ])
        case ("sample", 3): return submit(recorded, ok)
        case ("submission", 3):
            return ok(["submission_id": .int(Int(parts[2]) ?? 0), "submission_finished": true])
        case ("sample", 6): return ok(["iocs": [:]])
        default: return ok([])
        }
    }

    private func submit(
        _ recorded: ScriptedTransport.Recorded, _ ok: (JSONValue) -> ScriptedTransport.Answer
    ) -> ScriptedTransport.Answer {
        let text = recorded.text
        let hash = String(text.suffix(64))
        depot.sentOn()
        return script.withLock { script in
            if let quota, script.submitted.count >= quota {
                return .status(403, #"{"result":"error","error_msg":"Submission quota exceeded"}"#)
            }
            let id = 9000 + script.submitted.count
            script.submitted[hash] = id
            return ok(["errors": [], "submissions": [["submission_id": .int(id)]], "samples": []])
        }
    }
}

/// Samples whose content is their hash, counted from here until VMRay has answered.
private final class CountingDepot: SampleDepot {
    private struct Counts {
        var now = 0
        var peak = 0
        var fetched = 0
    }
    private let counts = Mutex(Counts())
    var peak: Int { counts.withLock { $0.peak } }
    var fetched: Int { counts.withLock { $0.fetched } }

    func fetch(_ sha256: String) async throws -> SubmissionFile {
        counts.withLock { counts in
            counts.fetched += 1
            counts.now += 1
            counts.peak = max(counts.peak, counts.now)
        }
        await Task.yield()
        return SubmissionFile(name: sha256, length: 64) {
            let sent = Mutex(false)
            return {
                sent.withLock { sent in
                    defer { sent = true }
                    return sent ? nil : Array(sha256.utf8)
                }
            }
        }
    }

    func sentOn() { counts.withLock { $0.now -= 1 } }
}
