// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import JSON
import Telemetry
import TestKit
import Testing

@testable import Engine
@testable import FalconIndicators

/// The sink before a tenant; every request is held against the contract.
private struct Bench {
    let tenant: FakeTenant
    let model = IOCModel(.init())
    let sink: FalconSink
    let quota: Quota

    init(
        _ tenant: FakeTenant = FakeTenant(), owns: [String] = [], adoptsAny: Bool = false, ceiling: Int = 1_000_000,
        count: Int = 0, platform: FakePlatform? = nil
    ) throws {
        self.tenant = tenant
        let own = [FakeTenant.clientID] + owns
        quota = Quota(ceiling: ceiling, count: count, ownClientIDs: own, time: tenant.time, log: .silent)
        sink = FalconSink(
            falcon: try tenant.client(), policy: .init(ownClientIDs: Set(own), adoptsAny: adoptsAny, ceiling: ceiling),
            model: model,
            platform: PlatformQuestions(
                client: try (platform ?? FakePlatform(time: tenant.time)).client, version: nil, time: tenant.time),
            quota: quota, time: tenant.time, log: .silent)
    }

    func deliver(_ operations: [Operation]) async -> [OperationResult] {
        let results = await sink.deliver(OperationBatch(operations))
        #expect(tenant.breaches == [])
        #expect(results.count == operations.count)
        return results
    }

    func create(_ values: String...) async -> [OperationResult] {
        await deliver(values.map { model.operation(.create, .sample($0)) })
    }
}

@Suite("Falcon sink: creating") struct FalconSinkCreateTests {
    // covers: call:create-new, better:batching
    @Test func `is one call for a whole batch, whose ids are kept`() async throws {
        let bench = try Bench()
        let operations = (0..<200).map { bench.model.operation(.create, .sample("d\($0).example")) }
        let results = await bench.deliver(operations)
        #expect(bench.tenant.requests.count == 1)
        for (index, result) in results.enumerated() {
            let id = try #require(bench.tenant.ioc("d\(index).example")?["id"]?.string)
            #expect(result == .applied(remoteID: id))
        }
    }

    // covers: better:upsert, call:create-found-soft, bug:17
    @Test func `becomes an update where ours is there, and leaves foreign ones alone`() async throws {
        let tenant = FakeTenant()
        let mine = tenant.add("domain", "mine.example", by: FakeTenant.clientID, [("tags", ["TO_DELETE"])])
        let other = tenant.add("domain", "theirs.example", by: "somebody@example.com", [("severity", "low")])
        let bench = try Bench(tenant)
        let results = await bench.create("new.example", "mine.example", "theirs.example")
        let new = try #require(tenant.ioc("new.example")?["id"]?.string)
        #expect(results[0] == .applied(remoteID: new) && results[1] == .applied(remoteID: mine))
        #expect(results[2].code == "foreign")
        guard case .refused(_, let reason) = results[2] else { return }
        #expect(reason.contains("somebody@example.com"))
        #expect(tenant.iocs[mine]?["tags"] == [])
        #expect(tenant.iocs[other]?["severity"] == "low")
    }

    // covers: key:CROWDSTRIKE_ADOPT, key:CROWDSTRIKE_OWNED_CLIENT_IDS, bug:19
    @Test(arguments: [true, false]) func `takes over what an earlier client made`(adoptsAny: Bool) async throws {
        let tenant = FakeTenant()
        let id = tenant.add("domain", "a.example", by: "0000", [("severity", "low")])
        let bench = try adoptsAny ? Bench(tenant, adoptsAny: true) : Bench(tenant, owns: ["0000"])
        #expect(await bench.create("a.example") == [.applied(remoteID: id)])
        #expect(tenant.iocs[id]?["severity"] == "medium")
    }

    @Test func `works on ours where somebody else has the value in another case`() async throws {
        let tenant = FakeTenant()
        tenant.add("domain", "A.example", by: "somebody")
        let mine = tenant.add("domain", "a.example")
        let bench = try Bench(tenant)
        #expect(await bench.create("a.example") == [.applied(remoteID: mine)])
    }

    // covers: better:bisect, call:refused
    @Test func `halves a refused batch down to the bad item`() async throws {
        let tenant = FakeTenant()
        tenant.refuse("d77.example", "d150.example")
        let bench = try Bench(tenant)
        let results = await bench.deliver(
            (0..<200).map { bench.model.operation(.create, .sample("d\($0).example")) })
        for (index, result) in results.enumerated() {
            if index == 77 || index == 150 {
                #expect(result.code == "falcon.bad_request")
            } else {
                #expect(result.code == nil && tenant.ioc("d\(index).example") != nil, "\(index)")
            }
        }
        #expect(tenant.iocs.count == 198)
        #expect(tenant.count("POST") < 40)
    }

    // covers: better:partial
    @Test func `looks up what a partial success left out`() async throws {
        let tenant = FakeTenant()
        tenant.overlook("b.example")
        let bench = try Bench(tenant)
        let results = await bench.create("a.example", "b.example", "c.example")
        #expect(results[0].code == nil && results[2].code == nil)
        #expect(results[1].code == "falcon.bad_request")
        #expect(tenant.ioc("c.example") != nil)
    }

    @Test func `matches answers in another order and another case`() async throws {
        let tenant = FakeTenant()
        let rows: [JSONValue] = [
            ["id": "2", "type": "domain", "value": "B.example"], ["id": "1", "type": "domain", "value": "a.example"],
        ]
        tenant.script("POST", FakeTenant.envelope(201, rows))
        let bench = try Bench(tenant)
        #expect(await bench.create("a.example", "b.example") == [.applied(remoteID: "1"), .applied(remoteID: "2")])
    }

    // covers: better:upsert (a lost answer)
    @Test func `finds what an answer that was lost had created`() async throws {
        let tenant = FakeTenant()
        let bench = try Bench(tenant)
        let first = await bench.create("a.example")
        #expect(await bench.create("a.example") == first)
        #expect(tenant.iocs.count == 1)
    }

    // covers: call:create-search-failed
    @Test func `does not take a failed look-up for an answer`() async throws {
        let tenant = FakeTenant()
        tenant.add("domain", "a.example")
        tenant.script("GET", .status(503), at: "/iocs/combined/indicator/v1")
        let bench = try Bench(tenant)
        let result = await bench.create("a.example")
        #expect(result.first == .retry(after: .seconds(1), code: "falcon.unavailable", reason: Self.unavailable))
    }
    static let unavailable = "Falcon answered 503. The call is repeated; nothing is lost."

    // covers: falcon:batch
    @Test(arguments: [413, 504]) func `is tried in parts when a batch is too large`(_ status: Int) async throws {
        let tenant = FakeTenant()
        tenant.script("POST", .status(status))
        let bench = try Bench(tenant)
        let results = await bench.create("a.example", "b.example", "c.example")
        #expect(results.allSatisfy { $0.code == nil } && tenant.iocs.count == 3)
    }

    @Test func `looks many long values up in questions that fit an address line`() async throws {
        let tenant = FakeTenant()
        let label = String(repeating: "x", count: 60)
        let values = (0..<100).map { "d\($0).\(label).\(label).\(label).example" }
        for value in values { tenant.add("domain", value) }
        let bench = try Bench(tenant)
        let results = await bench.deliver(values.map { bench.model.operation(.create, .sample($0)) })
        #expect(results.allSatisfy { $0.code == nil })
        for request in tenant.requests { #expect(request.request.url.utf8.count < 18_500) }
    }

    @Test func `refuses a content that cannot be read`() async throws {
        let bench = try Bench()
        var broken = bench.model.operation(.create, .sample())
        broken.content = [9, 9]
        let results = await bench.deliver([broken, bench.model.operation(.create, .sample("b.example"))])
        #expect(results[0].code == "falcon.content" && results[1].code == nil)
    }
}

@Suite("Falcon sink: updating and deleting") struct FalconSinkChangeTests {
    private func updates(_ bench: Bench, _ ids: [(String, String)]) -> [Operation] {
        ids.map { bench.model.operation(.update, .sample($0.0) { $0.severity = .high }, id: $0.1) }
    }

    // covers: call:update-found, call:update-missing, bug:7
    @Test func `tells what is gone from what is changed`() async throws {
        let tenant = FakeTenant()
        let id = tenant.add("domain", "a.example")
        let bench = try Bench(tenant)
        let gone = String(repeating: "9", count: 64)
        let results = await bench.deliver(updates(bench, [("a.example", id), ("b.example", gone)]))
        #expect(results == [.applied(remoteID: id), .missing])
        #expect(tenant.iocs[id]?["severity"] == "high")
        #expect(await bench.deliver(updates(bench, [("b.example", gone)])) == [.missing])
    }

    @Test func `separates a refused batch into gone, refused and taken`() async throws {
        let tenant = FakeTenant()
        let ids = ["a.example", "b.example", "c.example"].map { ($0, tenant.add("domain", $0)) }
        tenant.refuse("b.example")
        let bench = try Bench(tenant)
        let gone = String(repeating: "9", count: 64)
        let results = await bench.deliver(updates(bench, ids + [("d.example", gone)]))
        #expect(results[0] == .applied(remoteID: ids[0].1) && results[2] == .applied(remoteID: ids[2].1))
        #expect(results[1].code == "falcon.bad_request" && results[3] == .missing)
    }

    @Test func `believes an answer that names nothing`() async throws {
        let tenant = FakeTenant()
        let id = tenant.add("domain", "a.example")
        tenant.script("PATCH", FakeTenant.envelope(200))
        let bench = try Bench(tenant)
        #expect(await bench.deliver(updates(bench, [("a.example", id)])) == [.applied(remoteID: id)])
    }

    // covers: removal:past-expiration, call:delete-soft-found
    @Test func `a mark leaves an end in the past as it is`() async throws {
        let tenant = FakeTenant(time: TestTime(jumping: true, start: Instant(milliseconds: 1_900_000_000_000)))
        let id = tenant.add("domain", "a.example", by: FakeTenant.clientID, [("expiration", "2026-12-31T00:00:00Z")])
        let bench = try Bench(tenant)
        let content = IOCContent.sample {
            $0.isMarked = true
            $0.tags = ["TO_DELETE"]
            $0.expiration = .at(Instant(milliseconds: 1_800_000_000_000))
        }
        let results = await bench.deliver([bench.model.operation(.update, content, id: id, isMark: true)])
        #expect(results == [.applied(remoteID: id)])
        #expect(tenant.iocs[id]?["expiration"] == "2026-12-31T00:00:00Z" && tenant.iocs[id]?["tags"] == ["TO_DELETE"])
    }

    // covers: call:delete-permanent-found, event:delete-permanent
    @Test func `deletes by id, and what is gone is done`() async throws {
        let tenant = FakeTenant()
        let ids = (0..<300).map { tenant.add("domain", "d\($0).example") }
        tenant.remove(ids[7])
        let bench = try Bench(tenant)
        let results = await bench.deliver(
            ids.enumerated().map { bench.model.operation(.delete, .sample("d\($0).example"), id: $1) })
        #expect(results.allSatisfy { $0 == .applied(remoteID: "") })
        #expect(tenant.iocs.isEmpty && tenant.count("DELETE") == 2)
    }

    @Test func `a refusal of one delete is of that one`() async throws {
        let tenant = FakeTenant()
        let ids = (0..<3).map { tenant.add("domain", "d\($0).example") }
        let bench = try Bench(tenant)
        let operations = ids.enumerated().map { bench.model.operation(.delete, .sample("d\($0).example"), id: $1) }
        tenant.script("DELETE", FakeTenant.envelope(200, [], errors: [(409, "locked", ids[1])]))
        let results = await bench.deliver(operations)
        #expect(results[0].code == nil && results[1].code == "falcon.bad_request" && results[2].code == nil)
    }

    @Test func `an error that names no id is narrowed down`() async throws {
        let tenant = FakeTenant()
        let ids = (0..<4).map { tenant.add("domain", "d\($0).example") }
        let bench = try Bench(tenant)
        let operations = ids.enumerated().map { bench.model.operation(.delete, .sample("d\($0).example"), id: $1) }
        for answer in [FakeTenant.envelope(200, [], errors: [(500, "odd", nil)]), .status(400, "{\"errors\":[]}")] {
            tenant.script("DELETE", answer)
        }
        let results = await bench.deliver(operations)
        #expect(results.allSatisfy { $0.code == nil } && tenant.iocs.isEmpty)
        let last = tenant.add("domain", "e.example")
        tenant.script("DELETE", FakeTenant.envelope(200, [], errors: [(500, "odd", nil)]))
        let one = await bench.deliver([bench.model.operation(.delete, .sample("e.example"), id: last)])
        #expect(one.first?.code == "falcon.bad_request")
    }

    // covers: removal:foreign, call:delete-missing
    @Test func `a delete without an id looks the value up first`() async throws {
        let tenant = FakeTenant()
        let mine = tenant.add("domain", "mine.example")
        let theirs = tenant.add("domain", "theirs.example", by: "somebody")
        let bench = try Bench(tenant)
        let results = await bench.deliver(
            ["mine.example", "theirs.example", "none.example"].map { bench.model.operation(.delete, .sample($0)) })
        #expect(results == [.applied(remoteID: ""), .missing, .missing])
        #expect(tenant.iocs[mine] == nil && tenant.iocs[theirs] != nil)
    }

    @Test func `a failed look-up leaves the delete open`() async throws {
        let tenant = FakeTenant()
        tenant.script("GET", .status(503), at: "/iocs/combined/indicator/v1")
        let bench = try Bench(tenant)
        let results = await bench.deliver([bench.model.operation(.delete, .sample())])
        #expect(results.first?.code == "falcon.unavailable")
    }
}

@Suite("Falcon sink: failures and the ceiling") struct FalconSinkFailureTests {
    struct Failure: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let answer: ScriptedTransport.Answer
        let result: @Sendable (OperationResult) -> Bool
    }

    static let failures: [Failure] = [
        Failure(testDescription: "missing scope", answer: .status(403)) {
            guard case .unavailable(.seconds(30), "falcon.scope", let reason) = $0 else { return false }
            return reason.contains("IOC Management: Write")
        },
        Failure(testDescription: "a token that is refused again and again", answer: .status(401)) {
            if case .unavailable(.seconds(30), "falcon.unauthorized", _) = $0 { true } else { false }
        },
        Failure(
            testDescription: "rate limit",
            // The clock stands at 2026-11-21T10:00:00Z.
            answer: .status(429, headers: ["X-Ratelimit-RetryAfter": "1795255217"])
        ) { if case .unavailable(.seconds(17), "falcon.rate_limit", _) = $0 { true } else { false } },
        Failure(testDescription: "rate limit without a wish", answer: .status(429)) {
            if case .unavailable(.seconds(5), "falcon.rate_limit", _) = $0 { true } else { false }
        },
        Failure(testDescription: "server error", answer: .status(500, "<html>")) {
            if case .retry(_, "falcon.unavailable", _) = $0 { true } else { false }
        },
        Failure(testDescription: "an answer that is none", answer: .status(201, "<html>")) {
            if case .retry(_, "falcon.malformed", _) = $0 { true } else { false }
        },
        Failure(
            testDescription: "lost connection", answer: .failure(.connectionLost(url: "falcon", reason: "reset"))
        ) { if case .unavailable(.seconds(2), _, _) = $0 { true } else { false } },
        Failure(
            testDescription: "full tenant",
            answer: FakeTenant.envelope(400, errors: [(400, "Limit of 1 million indicators reached.", nil)])
        ) { if case .unavailable(.seconds(60), "falcon.quota", _) = $0 { true } else { false } },
        Failure(testDescription: "redirect", answer: .status(302, headers: ["Location": "https://elsewhere.example/"]))
        { if case .unavailable(.seconds(30), "falcon.redirected", _) = $0 { true } else { false } },
    ]

    // covers: bad:scope, v1:no-kill
    @Test(arguments: failures) func `keep the operations and say what to wait for`(_ failure: Failure) async throws {
        for kind in Operation.Kind.allCases {
            let tenant = FakeTenant(time: TestTime())
            for method in ["POST", "PATCH", "DELETE"] { tenant.script(method, failure.answer, forEver: true) }
            let bench = try Bench(tenant)
            let id = kind == .create ? "" : tenant.add("domain", "a.example")
            let results = await bench.deliver([bench.model.operation(kind, .sample("a.example"), id: id)])
            // A full tenant refuses creates only.
            if kind != .create, failure.testDescription == "full tenant" { continue }
            if kind == .delete, failure.testDescription == "an answer that is none" { continue }
            #expect(results.allSatisfy(failure.result), "\(kind): \(results)")
        }
    }

    // covers: better:quota, key:CROWDSTRIKE_IOC_CEILING
    @Test func `creating stops at the ceiling, and the rest waits`() async throws {
        let bench = try Bench(ceiling: 5, count: 3)
        let results = await bench.create("a.example", "b.example", "c.example", "d.example")
        #expect(results[0].code == nil && results[1].code == nil)
        #expect(results[2].code == "falcon.quota" && results[3].code == "falcon.quota")
        #expect(bench.tenant.iocs.count == 2)
    }

    @Test func `expired ones of ours make room, others' never`() async throws {
        let tenant = FakeTenant()
        let expired: [(String, JSONValue)] = [("expired", true)]
        let old = (0..<3).map { tenant.add("domain", "old\($0).example", by: FakeTenant.clientID, expired) }
        let foreign = tenant.add("domain", "theirs.example", by: "somebody", expired)
        let bench = try Bench(tenant, ceiling: 5, count: 5)
        let results = await bench.create("a.example", "b.example", "c.example", "d.example")
        #expect(results.map(\.code) == [nil, nil, nil, "falcon.quota"])
        for id in old { #expect(tenant.iocs[id] == nil) }
        #expect(tenant.iocs[foreign] != nil)
        // Not again for ten minutes.
        let before = tenant.requests.count
        #expect(await bench.create("e.example").first?.code == "falcon.quota")
        #expect(tenant.requests.count == before)
    }

    @Test func `a tenant that says it is full is believed`() async throws {
        let tenant = FakeTenant()
        tenant.script(
            "POST", FakeTenant.envelope(400, errors: [(400, "Limit of 1 million indicators reached.", nil)]))
        let bench = try Bench(tenant)
        #expect(await bench.create("a.example").first?.code == "falcon.quota")
        #expect(await bench.create("a.example").first?.code == "falcon.quota")
        #expect(tenant.count("POST") == 1)
        await bench.quota.set(count: 1)
        #expect(await bench.create("a.example").first?.code == nil)
    }
}

@Suite("Questions to the platform") struct PlatformQuestionTests {
    private func answer(_ nodes: String) -> ScriptedTransport.Answer {
        .status(
            200,
            #"{"data":{"indicators":{"edges":[\#(nodes)],"pageInfo":{"hasNextPage":false,"endCursor":null}}}}"#)
    }

    private func node(_ id: String, _ pattern: String, revoked: Bool = false) -> String {
        #"{"node":{"id":"\#(id)","standard_id":"indicator--\#(id)","pattern":"\#(pattern)","pattern_type":"stix","revoked":\#(revoked)}}"#
    }
    private let mine = "148b6b59-72cd-4c9f-9893-b17e183dbd22"
    private let other = "2f0e6c1a-5b7d-4e3a-9c11-7a5d2b8e4f60"

    // covers: state:delete-during-recovery
    @Test func `count another live indicator only if its pattern really names the value`() async throws {
        let pattern = "[domain-name:value = 'A.example']"
        let cases: [(String, FlowCore.Holding)] = [
            ("", .free), (node(mine, pattern), .free), (node(other, pattern), .held),
            (node(other, pattern, revoked: true), .free), (node(other, "[domain-name:value = 'xa.example']"), .free),
            (node(other, "[domain-name:value != 'a.example']"), .free), (node(other, "not a pattern"), .free),
            (node(mine, pattern) + "," + node(other, "[url:value = 'u' OR domain-name:value IN ('a.example')]"), .held),
        ]
        for (nodes, expected) in cases {
            let platform = try FakePlatform { _ in answer(nodes) }
            let bench = try Bench(platform: platform)
            let holding = await bench.sink.holding(
                bench.model.key(.domain, "a.example"), removal: IOCContent.sample().encoded,
                source: bench.model.source(mine))
            #expect(holding == expected, "\(nodes)")
        }
    }

    @Test func `are open when the platform does not answer`() async throws {
        let bench = try Bench(platform: try FakePlatform { _ in .status(503) })
        let key = bench.model.key(.domain, "a.example")
        let removal = IOCContent.sample().encoded
        #expect(await bench.sink.holding(key, removal: removal, source: key) == .unknown)
        #expect(await bench.sink.holding(key, removal: [0], source: key) == .unknown)
    }
}
