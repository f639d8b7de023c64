// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import OpenCTI
import Testing

@testable import Engine
@testable import FalconIndicators

@Suite("Translating an indicator") struct TranslatorTests {
    static let now = Instant(milliseconds: 1_767_225_600_000)
    private let model = IOCModel(.init())

    private func event(
        _ pattern: String, _ members: JSONObject = [:], extension more: JSONObject = [:], context: JSONValue? = nil
    ) -> JSONValue {
        var own: JSONObject = [
            "id": "148b6b59-72cd-4c9f-9893-b17e183dbd22", "score": 50, "updated_at": "2025-06-01T10:00:00.123Z",
        ]
        for (name, value) in more { own[name] = value }
        var object: JSONObject = [
            "id": "indicator--6e7b0da6-5dc0-5407-9d1f-d6489e394c7e", "type": "indicator", "pattern_type": "stix",
            "pattern": .string(pattern),
            "extensions": ["extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba": .object(own)],
        ]
        for (name, value) in members {
            guard name == "platforms" else {
                object[name] = value
                continue
            }
            var extensions = object["extensions"]?.object ?? [:]
            extensions["extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b"] = ["platforms": value]
            object["extensions"] = .object(extensions)
        }
        var root: JSONObject = ["data": .object(object), "version": "4"]
        if let context { root["context"] = context }
        return .object(root)
    }

    private func item(
        _ kind: StreamFrame.Kind, _ text: String, _ policy: IndicatorTranslator.Policy = .init()
    ) -> Item {
        var item = Item(
            group: SourcePosition(major: 1), position: SourcePosition(major: 1), source: Digest128(high: 0, low: 0),
            time: Instant(milliseconds: 5), label: "\(kind)")
        Array(text.utf8).withUnsafeBytes {
            IndicatorTranslator(policy, model: model).translate(kind, $0, into: &item, now: Self.now)
        }
        return item
    }

    private func item(
        _ kind: StreamFrame.Kind, _ event: JSONValue, _ policy: IndicatorTranslator.Policy = .init()
    ) -> Item { item(kind, event.text, policy) }

    /// What shall stand.
    private func upserts(_ item: Item) -> [IOCContent] {
        item.effects.compactMap {
            if case .state(_, .upsert(let bytes)) = $0 { IOCContent(encoded: bytes) } else { nil }
        }
    }
    private func removals(_ item: Item) -> [IOCContent] {
        item.effects.compactMap {
            if case .state(_, .remove(let bytes)) = $0 { IOCContent(encoded: bytes) } else { nil }
        }
    }
    private func skips(_ item: Item) -> [String] {
        item.effects.compactMap { if case .skip(let code, _) = $0 { code } else { nil } }
    }
    private let domain = "[domain-name:value = 'a.example']"

    // MARK: Fields

    // covers: field:severity, field:severity-source, bug:10
    @Test(
        arguments: [
            (0, "informational"), (19, "informational"), (19.9, "informational"), (20, "low"), (39, "low"),
            (40, "medium"),
            (59, "medium"), (60, "high"), (79, "high"), (80, "critical"), (100, "critical"), (101, "critical"),
            (-1, "informational"), ("75", "high"), ("many", "medium"), (nil, "medium"), (true, "medium"),
            ("nan", "medium"),
            ([], "medium"),
        ] as [(JSONValue, String)])
    func `has the severity of its score`(score: JSONValue, severity: String) {
        let found = upserts(item(.create, event(domain, extension: ["score": score])))
        #expect(found.map(\.severity.description) == [severity])
    }

    // covers: field:platforms, bug:12, key:CROWDSTRIKE_FALCON_FOR_MOBILE_ACTIVE
    @Test(
        arguments: [
            (["Windows"], ["windows"], ["windows"]), (["LINUX", "macOS", "mac"], ["mac", "linux"], ["mac", "linux"]),
            (["windows", "android", "plan9"], ["windows"], ["windows", "android"]),
            (["android", "iOS"], [], ["android", "ios"]),
            (["plan9"], [], []), ([], ["windows", "mac", "linux"], ["windows", "mac", "linux"]),
        ] as [([String], [String], [String])])
    func `has the platforms that Falcon has`(named: [String], without: [String], withMobile: [String]) {
        for (isMobileActive, expected) in [(false, without), (true, withMobile)] {
            let policy = IndicatorTranslator.Policy(isMobileActive: isMobileActive)
            let item = item(
                .create, event(domain, ["platforms": .array(named.map { .string($0) })]), policy)
            if expected.isEmpty {
                #expect(skips(item) == ["no_platform"] && upserts(item).isEmpty && !item.replacesSource)
            } else {
                #expect(upserts(item).map(\.platforms.names) == [expected])
            }
        }
        #expect(upserts(item(.create, event(domain))).first?.platforms == .standard)
    }

    // covers: better:validation, field:platforms
    @Test func `asks for what the tenant takes`() {
        var policy = IndicatorTranslator.Policy()
        policy.tenantPlatforms = ["detect": ["domain": [.windows, .mac], "ipv4": []]]
        #expect(upserts(item(.create, event(domain), policy)).first?.platforms == [.windows, .mac])
        let linux = event(domain, ["platforms": ["linux"]])
        #expect(skips(item(.create, linux, policy)) == ["no_platform"])
        let address = event("[ipv4-addr:value = '192.0.2.1']")
        #expect(upserts(item(.create, address, policy)).first?.platforms == .standard)
    }

    // covers: field:action, key:CROWDSTRIKE_ACTION_ON_IP, key:CROWDSTRIKE_ACTION_ON_DOMAIN, key:CROWDSTRIKE_ACTION_ON_HASH
    @Test func `has the action of its type`() {
        var policy = IndicatorTranslator.Policy()
        policy.actionOnIP = .noAction
        policy.actionOnDomain = .detect
        policy.actionOnHash = .allow
        let hash = String(repeating: "ab", count: 16)
        let pattern =
            "[domain-name:value = 'a.example'] OR [ipv4-addr:value = '192.0.2.1'] OR [ipv6-addr:value = '2001:db8::1'] "
            + "OR [file:hashes.MD5 = '\(hash)']"
        let found = upserts(item(.create, event(pattern, extension: ["score": 95]), policy))
        #expect(found.map(\.action) == [.detect, .noAction, .noAction, .allow])
        // Falcon keeps no severity with `allow`: none may make a difference.
        #expect(found.map(\.severity) == [.critical, .critical, .critical, .medium])
    }

    // covers: field:description, field:tags, field:expiration
    @Test func `has description, labels and end`() throws {
        let found = try #require(
            upserts(
                item(
                    .create,
                    event(
                        domain,
                        [
                            "description": "d", "labels": ["z", "a", "", "z", 7],
                            "valid_until": "2027-04-29T14:33:20.987+02:00",
                        ]))
            ).first)
        #expect(found.description == "d" && found.tags == ["a", "z"])
        #expect(found.expiration == .at(Instant(milliseconds: 1_809_002_000_000)))
        let bare = try #require(upserts(item(.create, event(domain, ["labels": "c2", "valid_until": "soon"]))).first)
        #expect(bare.description == "" && bare.tags == [] && bare.expiration == .none)
    }

    // covers: pattern:id-change
    @Test func `is known by the platform's own id and clock`() {
        let item = item(.update, event(domain))
        #expect(item.source == model.source("148b6b59-72cd-4c9f-9893-b17e183dbd22"))
        #expect(item.time == Instant(parsing: "2025-06-01T10:00:00.123Z"))
        #expect(item.replacesSource && item.note == nil)
    }

    // MARK: Values

    // covers: field:type-none, value:hash, field:type-domain, field:type-hostname, field:type-ipv4, field:type-ipv6
    @Test func `gives what Falcon can take, and the reason for the rest`() {
        let sha256 = String(repeating: "AB", count: 32)
        let item = item(
            .create,
            event(
                "[domain-name:value = 'B.example' OR hostname:value = 'h.example' OR url:value = 'https://x/' OR "
                    + "ipv4-addr:value = '192.0.2.0/24' OR ipv4-addr:value = '192.0.2.7/32' OR file:hashes.'SHA-1' = '"
                    + String(repeating: "a", count: 40) + "' OR file:hashes.'SHA-256' = '\(sha256)' OR "
                    + "domain-name:value = 'b.EXAMPLE' OR ipv6-addr:value = '2001:0DB8::0001' OR "
                    + "file:hashes.MD5 = 'abc' OR domain-name:value != 'c.example']"))
        #expect(
            upserts(item).map { "\($0.type) \($0.value)" } == [
                "domain b.example", "domain h.example", "ipv4 192.0.2.7", "sha256 \(sha256.lowercased())",
                "ipv6 2001:db8::1",
            ])
        #expect(skips(item).filter { $0 == "unsupported_type" }.count == 2)
        #expect(skips(item).count == 5, "\(skips(item))")
    }

    @Test func `a file's name goes with its hash`() {
        let hash = String(repeating: "ab", count: 32)
        let item = item(.create, event("[file:name = 'x.exe' AND file:hashes.'SHA-256' = '\(hash)']"))
        #expect(upserts(item).map(\.fileName) == ["x.exe"])
    }

    @Test func `a domain of more than 200 characters is left out`() {
        let label = String(repeating: "x", count: 60)
        let long = "\(label).\(label).\(label).example"
        let item = item(.create, event("[domain-name:value = 'a\(long)' OR domain-name:value = 'aaaaaaaaaa.\(long)']"))
        #expect(upserts(item).map(\.value.utf8.count) == [191])
        #expect(skips(item) == ["pattern.invalid_value"])
    }

    // MARK: Removals

    // covers: removal:delete, removal:revoked, bug:9, pattern:past-expiry
    @Test func `a deletion, a revocation and an end in the past take away`() {
        let past: JSONValue = "2025-12-31T23:59:59Z"
        let cases: [(StreamFrame.Kind, JSONObject, IOCContent.Expiration)] = [
            (.delete, [:], .none), (.update, ["revoked": true], .none), (.create, ["revoked": true], .none),
            (.update, ["valid_until": past], .asItIs), (.create, ["valid_until": past], .asItIs),
            (.delete, ["valid_until": "2027-01-01T00:00:00Z"], .at(Instant(milliseconds: 1_798_761_600_000))),
            (.update, ["valid_until": "2026-01-01T00:00:00Z"], .asItIs),
        ]
        for (kind, members, expiration) in cases {
            let item = item(kind, event(domain, members))
            #expect(removals(item).map(\.value) == ["a.example"] && upserts(item).isEmpty, "\(kind) \(members)")
            #expect(removals(item).first?.expiration == expiration, "\(kind) \(members)")
        }
        // Platforms do not matter to what leaves.
        let mobile = item(.delete, event(domain, ["platforms": ["android"]]))
        #expect(removals(mobile).map(\.platforms) == [[]])
    }

    // covers: removal:left, pattern:edited
    @Test func `an edit takes away what the former pattern named`() {
        let context: JSONValue = [
            "reverse_patch": [
                ["op": "replace", "path": "/id", "value": "indicator--0"],
                [
                    "op": "replace", "path": "/pattern",
                    "value": "[domain-name:value='old.example' OR domain-name:value = 'a.example']",
                ],
            ]
        ]
        let item = item(.update, event(domain, ["labels": ["c2"]], context: context))
        #expect(upserts(item).map(\.value) == ["a.example"])
        #expect(removals(item).map(\.value) == ["old.example"] && removals(item).first?.tags == ["c2"])
        let unreadable: JSONValue = ["reverse_patch": [["op": "replace", "path": "/pattern", "value": "[("]]]
        #expect(upserts(self.item(.update, event(domain, context: unreadable))).count == 1)
    }

    // MARK: What gives nothing

    // covers: event:other-type, event:other-pattern, event:merge, event:no-pattern-type, event:bad-json, bad:json
    @Test func `says why there is nothing`() {
        func note(_ kind: StreamFrame.Kind, _ text: String) -> String {
            let item = item(kind, text)
            #expect(item.effects.isEmpty)
            return item.note.map { "\($0.outcome) \($0.code)" } ?? "none"
        }
        var malware = event(domain).object ?? [:]
        malware["data"] = ["type": "malware", "id": "malware--0"]
        #expect(note(.create, JSONValue.object(malware).text) == "skipped not_an_indicator")
        #expect(note(.create, event("rule x {}", ["pattern_type": "yara"]).text) == "skipped pattern_type")
        #expect(note(.merge, event(domain).text) == "skipped event")
        #expect(note(.create, "not json") == "dead_lettered json.invalid")
        #expect(note(.create, "{}") == "dead_lettered opencti.event")
        #expect(note(.create, "[1]") == "dead_lettered opencti.event")
        #expect(note(.create, event("[domain-name:value = 'a.example'").text).hasPrefix("dead_lettered stix.pattern"))
        for missing in ["pattern", "pattern_type"] {
            var object = event(domain)["data"]?.object ?? [:]
            object[missing] = nil
            #expect(note(.create, JSONValue.object(["data": .object(object)]).text) == "dead_lettered opencti.event")
        }
    }

    // covers: bug:22
    @Test func `leaves detection, valid_from and confidence to the stream's filter`() {
        let members: JSONObject = ["valid_from": "2030-01-01T00:00:00Z", "confidence": 0]
        #expect(upserts(item(.create, event(domain, members, extension: ["detection": false]))).count == 1)
    }

    // covers: pattern:observable-values
    @Test func `never takes the platform's list of values`() {
        let item = item(
            .create,
            event(
                "[domain-name:value != 'good.example']",
                extension: ["observable_values": [["type": "Domain-Name", "value": "good.example"]]]))
        #expect(upserts(item).isEmpty && !skips(item).isEmpty)
    }
}
