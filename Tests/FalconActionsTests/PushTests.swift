// SPDX-License-Identifier: Apache-2.0

import Engine
import Falcon
import FalconActions
import HTTPClient
import JSON
import TestKit
import Testing

@Suite("Pushing STIX indicators") struct PushTests {
    // Falcon's ids have 64 digits.
    private static let first = String(repeating: "1", count: 64)
    private static let second = String(repeating: "2", count: 64)
    private static let hash = String(repeating: "ab", count: 32)

    private static func indicator(_ pattern: String, _ more: JSONObject = [:]) -> JSONValue {
        var object: JSONObject = [
            "type": "indicator", "id": "indicator--1", "pattern": .string(pattern), "pattern_type": "stix",
        ]
        for (name, value) in more { object[name] = value }
        return .object(object)
    }

    /// A tenant that creates everything and holds nothing, unless `existing` says otherwise.
    private static func tenant(_ existing: [JSONValue] = []) throws -> Tenant {
        try Tenant { call in
            switch (call.request.method, call.path) {
            case (.get, "/iocs/queries/indicators/v1"):
                let filter = call.query.first { $0.name == "filter" }?.value ?? ""
                return Tenant.envelope(
                    existing.filter { filter.contains($0["value"]?.string ?? "-") }.compactMap { $0["id"] })
            case (.get, _): return Tenant.envelope(existing.filter { call.ids.contains($0["id"]?.string ?? "") })
            case (.delete, _): return Tenant.envelope(call.ids.map { .string($0) })
            case (.patch, _): return Tenant.envelope(call.json?["indicators"]?.array ?? [])
            default:
                let items = call.json?["indicators"]?.array ?? []
                let isThere = items.contains { item in existing.contains { $0["value"] == item["value"] } }
                if isThere || items.contains(where: { $0["value"] == "bad.example" }) {
                    return Tenant.refusal(400, "Duplicate type or a bad value")
                }
                return Tenant.envelope(items, status: 201)
            }
        }
    }

    private func push(
        _ objects: [JSONValue], detect: Bool = true, existing: [JSONValue] = [], more: JSONObject = [:],
        options: FalconActions.Options = .init()
    ) async throws -> (ActionResult, Tenant) {
        let tenant = try Self.tenant(existing)
        var arguments: JSONObject = ["stix_objects": .array(objects)]
        for (name, value) in more { arguments[name] = value }
        let slug = detect ? "push_iocs_for_detection" : "push_iocs_for_prevention"
        let result = try await tenant.actions(options).run(slug, arguments)
        for call in tenant.calls { #expect(try FalconContract.shared.get().problems(call).isEmpty) }
        return (result, tenant)
    }

    private func values(_ result: ActionResult) -> [String] { result.resources.compactMap { $0["value"]?.string } }

    // covers: push:patterns
    @Test func `every equality of a pattern counts, whatever joins them`() async throws {
        let pattern =
            "[file:hashes.'SHA-256' = '\(Self.hash.uppercased())' OR file:hashes.MD5 = '\(Self.hash.prefix(32))'] "
            + "FOLLOWEDBY [domain-name:value = 'Evil.Example' AND ipv4-addr:value = '203.0.113.7' "
            + "AND ipv6-addr:value = '2001:DB8::1'] AND [file:hashes.'SHA-1' = 'f4db']"
        let (result, _) = try await push([Self.indicator(pattern)])
        #expect(
            values(result) == [
                Self.hash, String(Self.hash.prefix(32)), "evil.example", "203.0.113.7", "2001:db8::1",
            ])
        #expect(result.skipped?.count == 1)
    }

    // covers: push:block-types
    @Test func `only hashes are blocked`() async throws {
        let pattern = "[file:hashes.'SHA-256' = '\(Self.hash)' OR domain-name:value = 'evil.example']"
        let (result, _) = try await push([Self.indicator(pattern)], detect: false)
        #expect(values(result) == [Self.hash])
        #expect(result.resources[0]["action"] == "prevent")
    }

    // covers: push:operators
    @Test(arguments: [
        "[domain-name:value != 'a.example']", "[domain-name:value IN ('a.example')]",
        "[NOT domain-name:value = 'a.example']", "[file:hashes[*] = 'x']",
        "[domain-name:value LIKE 'a%']", "[ipv4-addr:value = '10.0.0.0/8']", "[file:hashes.MD5 = 'xyz']",
    ])
    func `what is no plain equality, or no value, is skipped with a reason`(_ pattern: String) async throws {
        let (result, tenant) = try await push([Self.indicator(pattern)])
        #expect(result.resources.isEmpty)
        #expect(result.skipped?.count == 1)
        #expect(tenant.paths == ["GET /iocs/queries/indicators/v1"])
    }

    // covers: push:bad-pattern
    @Test func `one bad pattern does not hold up the others`() async throws {
        let (result, _) = try await push([
            Self.indicator("[domain-name:value = "), Self.indicator("[domain-name:value = 'good.example']"),
            Self.indicator("rule x {}", ["pattern_type": "yara"]), ["type": "malware"],
        ])
        #expect(values(result) == ["good.example"])
        #expect(result.skipped?.count == 2)
    }

    // covers: push:payload
    @Test func `the payload is the original's, with link and end where the object has them`() async throws {
        let (result, _) = try await push(
            [
                Self.indicator(
                    "[domain-name:value = 'evil.example']",
                    ["valid_until": "2026-06-01T00:00:00Z", "x_ic_observable_types": ["domain-name"]])
            ], more: ["sekoia_base_url": "https://sekoia.example/"])
        #expect(
            result.resources == [
                [
                    "value": "evil.example", "type": "domain", "action": "detect", "severity": "high",
                    "platforms": ["mac", "windows", "linux"], "tags": ["Sekoia.io"], "source": "Sekoia.io",
                    "applied_globally": true, "expiration": "2026-06-01T00:00:00Z",
                    "description": "https://sekoia.example/intelligence/objects/indicator--1",
                ]
            ])
    }

    // covers: push:once
    @Test func `a value is sent once`() async throws {
        let one = Self.indicator("[domain-name:value = 'evil.example' OR domain-name:value = 'EVIL.example']")
        #expect(values(try await push([one, one]).0) == ["evil.example"])
    }

    // covers: push:cleanup
    @Test func `expired ones of ours go first, and old ones when asked for`() async throws {
        let tenant = try Tenant { call in
            if call.request.method == .delete { return Tenant.envelope(call.ids.map { .string($0) }) }
            let filter = call.query.first { $0.name == "filter" }?.value ?? ""
            let isSecond = call.query.contains { $0.name == "after" }
            guard filter.contains("expired:true") else { return Tenant.envelope(["old"]) }
            return Tenant.envelope(
                isSecond ? ["e2"] : ["e1"],
                meta: ["pagination": ["limit": 1, "offset": 1, "total": 2, "after": .string(isSecond ? "y" : "x")]])
        }
        let result = try await tenant.actions().run(
            "push_iocs_for_detection", ["stix_objects": [], "valid_for": 30])
        #expect(result.deleted?.contains("old") == true)
        let filters = Set(tenant.calls.compactMap { call in call.query.first { $0.name == "filter" }?.value })
        #expect(
            filters.contains("source:'Sekoia.io'+expired:true") || filters.contains("(source:'Sekoia.io')+expired:true")
        )
        #expect(filters.contains("source:'Sekoia.io'+modified_on:<='2026-01-15'"))
    }

    // covers: push:revoked, push:own-only
    @Test func `revoked and past ones are deleted, by type, value and our source`() async throws {
        let ours: JSONValue = [
            "id": .string(Self.first), "type": "domain", "value": "gone.example", "source": "Sekoia.io",
        ]
        let (result, tenant) = try await push(
            [
                Self.indicator("[domain-name:value = 'gone.example']", ["revoked": true]),
                Self.indicator("[ipv4-addr:value = '203.0.113.9']", ["valid_until": "2026-01-01T00:00:00Z"]),
            ], existing: [ours])
        #expect(result.deleted == [Self.first])
        #expect(result.resources.isEmpty)
        let filters = tenant.calls.compactMap { call in call.query.first { $0.name == "filter" }?.value }
        #expect(filters.contains(#"value:"gone.example"+type:'domain'+source:'Sekoia.io'"#))
        #expect(filters.contains(#"value:"203.0.113.9"+type:'ipv4'+source:'Sekoia.io'"#))
        #expect(!tenant.calls.contains { $0.request.method == .post })
    }

    @Test func `a value that another indicator still asks for stays`() async throws {
        let (result, tenant) = try await push([
            Self.indicator("[domain-name:value = 'evil.example']", ["revoked": true]),
            Self.indicator("[domain-name:value = 'evil.example']"),
        ])
        #expect(values(result) == ["evil.example"])
        #expect(!tenant.calls.contains { $0.request.method == .delete })
    }

    // covers: push:guard
    @Test func `what must never be blocked is skipped`() async throws {
        let (result, _) = try await push([
            Self.indicator("[ipv4-addr:value = '8.8.8.8' OR ipv4-addr:value = '192.168.1.1']")
        ])
        #expect(result.resources.isEmpty)
        #expect(result.skipped?.map(\.value) == ["8.8.8.8", "192.168.1.1"])
        var options = FalconActions.Options()
        options.guards = .off
        let (open, _) = try await push([Self.indicator("[ipv4-addr:value = '192.168.1.1']")], options: options)
        #expect(values(open) == ["192.168.1.1"])
    }

    // covers: push:existing, act:idempotent-iocs
    @Test func `ours are updated, others' left alone, a bad value alone is refused`() async throws {
        let ours: JSONValue = [
            "id": .string(Self.first), "type": "domain", "value": "ours.example", "source": "x",
            "created_by": .string(Tenant.id),
        ]
        let theirs: JSONValue = [
            "id": .string(Self.second), "type": "domain", "value": "theirs.example", "source": "x",
            "created_by": "somebody",
        ]
        let pattern = ["new", "ours", "theirs", "bad", "more"].map { "domain-name:value = '\($0).example'" }
        let (result, tenant) = try await push(
            [Self.indicator("[\(pattern.joined(separator: " OR "))]")], existing: [ours, theirs])
        #expect(Set(values(result)) == ["new.example", "more.example"])
        let patch = try #require(tenant.calls.first { $0.request.method == .patch }?.json?["indicators"]?[0])
        #expect(patch["id"]?.string == Self.first)
        #expect(patch["type"] == nil)
        #expect(result.skipped?.map(\.value).sorted() == ["bad.example", "theirs.example"])
        #expect(result.skipped?.first { $0.value == "theirs.example" }?.reason.contains("somebody") == true)
    }

    // covers: push:adopt
    @Test func `others' are taken over when we may`() async throws {
        let theirs: JSONValue = [
            "id": .string(Self.second), "type": "domain", "value": "theirs.example", "created_by": "somebody",
        ]
        var options = FalconActions.Options()
        options.adoptsAny = true
        let (_, tenant) = try await push(
            [Self.indicator("[domain-name:value = 'theirs.example']")], existing: [theirs], options: options)
        #expect(tenant.calls.last?.json?["indicators"]?[0]?["id"]?.string == Self.second)
    }

    // covers: push:batches
    @Test func `creates go in groups of 200`() async throws {
        let many = (0..<450).map { Self.indicator("[domain-name:value = 'host\($0).example']") }
        let (result, tenant) = try await push(many)
        #expect(result.resources.count == 450)
        let sizes = tenant.calls.filter { $0.request.method == .post }.map { $0.json?["indicators"]?.array?.count }
        #expect(sizes == [200, 200, 50])
    }

    // covers: push:file, push:forms
    @Test(arguments: [
        #"[{"type":"indicator","pattern":"[domain-name:value = 'a.example']"}]"#,
        #"{"type":"bundle","objects":[{"type":"indicator","pattern":"[domain-name:value = 'a.example']"}]}"#,
        "{\"type\":\"indicator\",\"pattern\":\"[domain-name:value = 'a.example']\"}\n\n{\"type\":\"malware\"}\n",
    ])
    func `a file may be a list, a bundle, or one object a line`(_ text: String) async throws {
        let tenant = try Self.tenant()
        let result = try await tenant.actions(files: ["iocs.json": text]).run(
            "push_iocs_detect", ["stix_objects_path": "iocs.json"])
        #expect(values(result) == ["a.example"])
    }

    // covers: push:bad-file
    @Test(arguments: ["missing.json", "broken.json"])
    func `a file that cannot be read changes nothing`(_ name: String) async throws {
        let tenant = try Self.tenant()
        await #expect(throws: ActionError.self) {
            try await tenant.actions(files: ["broken.json": "[{"]).run(
                "push_iocs_detect", ["stix_objects_path": .string(name)])
        }
        #expect(tenant.calls.isEmpty)
    }

    // covers: push:empty
    @Test func `an empty file is no failure`() async throws {
        let tenant = try Self.tenant()
        for text in ["[]", "null"] {
            let result = try await tenant.actions(files: ["f": text]).run(
                "push_iocs_detect", ["stix_objects_path": "f"])
            #expect(result.resources.isEmpty && result.skipped == [])
        }
    }

    // covers: act:idempotent-single
    @Test func `a single IOC that is ours already is updated`() async throws {
        let ours: JSONValue = [
            "id": .string(Self.first), "type": "sha256", "value": .string(Self.hash), "source": "Sekoia.io",
        ]
        let tenant = try Self.tenant([ours])
        let result = try await tenant.actions().run(
            "block_ioc", ["value": .string(Self.hash), "type": "SHA256"])
        #expect(result.errors.isEmpty)
        #expect(tenant.calls.last?.request.method == .patch)
    }

    // covers: push:delete-partial
    @Test func `one that somebody else has deleted does not keep the others of its call`() async throws {
        let gone = Self.first
        let tenant = try Tenant { call in
            switch call.request.method {
            case .get: return Tenant.envelope([.string(gone), .string(Self.second)])
            case .delete:
                if call.ids.contains(gone) { return Tenant.refusal(404, "not found", id: gone) }
                return Tenant.envelope(call.ids.map { .string($0) })
            default: return Tenant.envelope([])
            }
        }
        let result = try await tenant.actions().run("push_iocs_for_prevention", ["stix_objects": []])
        #expect(result.deleted == [Self.second])
    }

    // covers: act:delete-own-only
    @Test func `what Falcon does not show is left alone where only ours may go`() async throws {
        let tenant = try Self.tenant()
        var options = FalconActions.Options()
        options.deletesOwnOnly = true
        let result = try await tenant.actions(options).run("delete_indicators", ["ids": [.string(Self.first)]])
        #expect(result.resources.isEmpty && result.errors.map(\.code) == [404])
        #expect(!tenant.calls.contains { $0.request.method == .delete })
    }

    // covers: act:delete-own-only
    @Test func `deleting by id can be held to ours`() async throws {
        let theirs: JSONValue = [
            "id": .string(Self.second), "type": "domain", "value": "t.example", "created_by": "somebody",
        ]
        let ours: JSONValue = [
            "id": .string(Self.first), "type": "domain", "value": "o.example", "source": "Sekoia.io",
        ]
        let tenant = try Self.tenant([theirs, ours])
        var options = FalconActions.Options()
        options.deletesOwnOnly = true
        let result = try await tenant.actions(options).run(
            "delete_indicators", ["ids": [.string(Self.first), .string(Self.second)]])
        #expect(result.resources == [.string(Self.first)])
        #expect(result.errors.map(\.id) == [Self.second])
    }
}
