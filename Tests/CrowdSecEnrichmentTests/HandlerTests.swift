// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import CrowdSec
import HTTPClient
import JSON
import OpenCTI
import STIX
import Storage
import TestKit
import Testing

@testable import CrowdSecEnrichment

@Suite("CrowdSec requests") struct HandlerTests {
    static func item(_ reputation: String, _ more: String = "") -> ScriptedTransport.Answer {
        .status(200, #"{"reputation":"\#(reputation)","confidence":"high"\#(more)}"#)
    }

    private var labelled: EnrichmentOptions {
        var options = EnrichmentOptions()
        options.labels.reputation = true
        options.removesStaleLabels = true
        return options
    }

    // MARK: Whether to ask

    // covers: crowdsec:rule_invalid_address, crowdsec:bug_Q10
    @Test(arguments: [
        ("192.0.2.0/24", "Invalid IP address: 192.0.2.0/24"), ("evil.example", "Invalid IP address: evil.example"),
        ("010.0.0.1", "Invalid IP address: 010.0.0.1"), ("127.0.0.1", "Not a public IP address: 127.0.0.1"),
        ("192.168.1.1", "Not a public IP address: 192.168.1.1"), ("224.0.0.1", "Not a public IP address: 224.0.0.1"),
        ("::", "Not a public IP address: ::"), ("fd00::1", "Not a public IP address: fd00::1"),
        ("fe80::1", "Not a public IP address: fe80::1"),
        ("::ffff:10.0.0.1", "Not a public IP address: ::ffff:10.0.0.1"),
    ])
    func `asks about public addresses only, and says why not`(_ value: String, _ text: String) async throws {
        let rig = try await Rig()
        guard case .skipped(let message) = try await rig.enrich(EnrichmentRequest(value)) else {
            Issue.record("not skipped")
            return
        }
        #expect(message == text)
        #expect(rig.transport.requests.isEmpty)
    }

    // covers: crowdsec:rule_no_address
    @Test func `says that another kind of entity has no address`() async throws {
        let rig = try await Rig()
        var request = EnrichmentRequest("192.0.2.1")
        request.entity["value"] = nil
        request.entityType = "StixFile"
        guard case .refused(let code, let message) = try await rig.enrich(request) else {
            Issue.record("not refused")
            return
        }
        #expect(code == "crowdsec.no_address")
        #expect(message.contains("StixFile"))
    }

    // covers: crowdsec:error_tlp, crowdsec:bug_Q3
    @Test(
        arguments: [
            ([], TLP.clear, true), (["TLP:AMBER"], .amber, true), (["TLP:AMBER+STRICT"], .amber, false),
            (["TLP:RED", "TLP:GREEN"], .amber, false), (["TLP:PURPLE"], .amber, false), (["TLP:PURPLE"], .red, true),
            (["TLP:WHITE"], .clear, true), (["TLP:GREEN"], .clear, false),
        ] as [([String], TLP, Bool)])
    func `asks about nothing above the highest level`(_ levels: [String], _ most: TLP, _ passes: Bool) async throws {
        var options = EnrichmentOptions()
        options.maxTLP = most
        let rig = try await Rig(options)
        rig.transport.answer(Self.item("safe"))
        let outcome = try await rig.enrich(EnrichmentRequest("192.0.2.1", tlp: levels))
        if case .enriched = outcome { #expect(passes) } else { #expect(!passes) }
        #expect(rig.transport.requests.isEmpty == !passes)
    }

    // covers: crowdsec:rule_too_soon
    @Test(arguments: [
        ("2026-06-15T11:55:01+00:00", false), ("2026-06-15T11:55:00+00:00", true), ("2026-06-15T12:00:10+00:00", false),
        ("2026-06-15T12:00:01+00:00", true), ("2026-06-15T13:57:00+02:00", false), ("9999-99-99T00:00:00+00:00", true),
    ])
    func `leaves alone what was enriched a moment ago`(_ moment: String, _ isAsked: Bool) async throws {
        let rig = try await Rig()
        rig.transport.answer(Self.item("safe"))
        let text = "A scanner.\n\n`Last CrowdSec enrichment: \(moment)`"
        let outcome = try await rig.enrich(EnrichmentRequest("192.0.2.1", description: text))
        if case .skipped(let message) = outcome {
            #expect(message == "Last enrichment was less than 300 seconds ago, skipping enrichment")
        }
        #expect(rig.transport.requests.count == (isAsked ? 1 : 0))
    }

    // MARK: What the service says

    // covers: crowdsec:error_quota, crowdsec:error_refused, crowdsec:status_5xx
    @Test(
        arguments: [
            (429, "crowdsec.quota"), (403, "crowdsec.refused"), (503, "crowdsec.unavailable"),
        ] as [(Int, ErrorCode)])
    func `ends in an error that an analyst understands`(_ status: Int, _ code: ErrorCode) async throws {
        let rig = try await Rig()
        for _ in 0..<6 { rig.transport.answer(.status(status, #"{"message":"Limit Exceeded"}"#)) }
        guard case .refused(let found, let message) = try await rig.enrich(EnrichmentRequest("192.0.2.1")) else {
            Issue.record("not refused")
            return
        }
        #expect(found == code)
        #expect(message.contains("CrowdSec CTI"))
        #expect(!message.contains("EXAMPLE"))
        var query = HistoryQuery()
        query.keys = [EnrichmentLedger.key(of: "192.0.2.1")]
        #expect(try await rig.ledger.store.history(query).map(\.reason) == ["\(code): \(message)"])
    }

    @Test func `gives up at once when it is cancelled`() async throws {
        let rig = try await Rig()
        rig.transport.answer(.failure(.cancelled))
        await #expect(throws: CancellationError.self) { try await rig.enrich(EnrichmentRequest("192.0.2.1")) }
    }

    @Test func `spends one token on ten requests about one address`() async throws {
        let rig = try await Rig(lifetime: .seconds(3600))
        rig.transport.answer(Self.item("safe"))
        for _ in 0..<10 {
            guard case .enriched = try await rig.enrich(EnrichmentRequest("192.0.2.1")) else {
                Issue.record("not enriched")
                continue
            }
        }
        #expect(rig.transport.requests.count == 1)
    }

    // MARK: What it becomes

    // covers: crowdsec:write_organization
    @Test func `takes the author that the platform knows, and asks for none where nothing names it`() async throws {
        let other = "identity--00000000-0000-4000-8000-000000000001"
        let rig = try await Rig(platform: PretendedPlatform(organizations: ["CrowdSec": other]))
        rig.transport.answer(Self.item("safe"))
        let effects = try #require(try await rig.run(EnrichmentRequest("192.0.2.1")))
        #expect(effects.object("sighting")?["where_sighted_refs"] == [.string(other)])
        let unknown = try await Rig()
        unknown.transport.answer(.status(404))
        _ = try await unknown.run(EnrichmentRequest("192.0.2.1"))
        #expect(unknown.platform.created.elements.isEmpty)
    }

    // covers: crowdsec:rule_technique_names
    @Test func `keeps the platform's name of a technique in a bundle that overwrites`() async throws {
        var options = EnrichmentOptions()
        options.createsAttackPatterns = true
        options.updatesExisting = true
        let id = ObjectIDs().attackPattern(name: "", techniqueID: "T1110")
        let rig = try await Rig(options, platform: PretendedPlatform(objects: [id: ["name": "Brute Force"]]))
        let techniques = #","mitre_techniques":[{"name":"T1110","label":"Brute"},{"name":"T1595","label":"Scan"}]"#
        for _ in 0..<2 { rig.transport.answer(Self.item("safe", techniques)) }
        for _ in 0..<2 {
            let effects = try #require(try await rig.run(EnrichmentRequest("192.0.2.1")))
            let names = effects.objects.filter { $0.type == "attack-pattern" }.compactMap { $0["name"]?.string }
            #expect(names == ["Brute Force", "MITRE ATT&CK (T1595 - Scan)"])
        }
        #expect(rig.platform.read.elements.count == 2)
    }

    // covers: crowdsec:rule_ids_of_version
    @Test func `makes ids as the platform's version does`() async throws {
        var options = EnrichmentOptions()
        options.createsAttackPatterns = true
        let rig = try await Rig(options, platform: PretendedPlatform(version: "6.8.10"))
        rig.transport.answer(Self.item("safe", #","mitre_techniques":[{"name":"T1110","label":"Brute"}]"#))
        let effects = try #require(try await rig.run(EnrichmentRequest("192.0.2.1")))
        #expect(effects.object("attack-pattern")?.id == "attack-pattern--272bb55a-8f0d-5d73-bb7c-dee9f8d2e586")
    }

    // covers: crowdsec:rule_playbook
    @Test(arguments: [true, false])
    func `puts everything into the bundle for a playbook and for a draft`(_ isPlaybook: Bool) async throws {
        let step = PlaybookStep(
            eventID: "e", executionID: "x", playbookID: "p", dataInstanceID: "d", stepID: "s", previousStepID: "q",
            bundle: ["type": "bundle", "objects": []])
        let rig = try await Rig(labelled)
        rig.transport.answer(Self.item("malicious"))
        let request = EnrichmentRequest(
            "192.0.2.1", labels: ["seen"], playbook: isPlaybook ? step : nil, draftID: isPlaybook ? nil : "draft")
        let effects = try #require(try await rig.run(request))
        // Only the label's colour, which a bundle can't say.
        #expect(effects.writes == [.createLabels([PlatformLabel("malicious", color: "#FF0000")])])
        #expect(effects.objects[0]["labels"] == ["seen", "malicious"])
        #expect(effects.object("identity")?["name"] == "CrowdSec")
        #expect(rig.platform.created.elements.isEmpty)
    }

    @Test func `adds no duplicates when it comes again`() async throws {
        let rig = try await Rig(labelled)
        for _ in 0..<2 { rig.transport.answer(Self.item("malicious", #","target_countries":{"FR":10}"#)) }
        let first = try #require(try await rig.run(EnrichmentRequest("192.0.2.1")))
        let second = try #require(try await rig.run(EnrichmentRequest("192.0.2.1", labels: ["malicious"])))
        #expect(first.objects.map(\.id) == second.objects.map(\.id))
        #expect(first.writes == second.writes)
    }

    // MARK: Labels of a former verdict

    // covers: crowdsec:bug_Q11, key:CROWDSEC_REMOVE_STALE_LABELS
    @Test func `takes a former reputation's label off where it was ours`() async throws {
        let rig = try await Rig(labelled)
        for reputation in ["malicious", "safe", "known"] { rig.transport.answer(Self.item(reputation)) }
        _ = try await rig.run(EnrichmentRequest("192.0.2.1", labels: ["suspicious", "mine"]))
        let second = try #require(
            try await rig.run(EnrichmentRequest("192.0.2.1", labels: ["suspicious", "mine", "malicious"])))
        #expect(second.removed == ["malicious"])
        #expect(second.labels.map(\.value) == ["safe"])
        let third = try #require(
            try await rig.run(EnrichmentRequest("192.0.2.1", labels: ["suspicious", "mine", "safe"])))
        #expect(third.removed == ["safe"])
    }

    @Test func `leaves a label that somebody else had set`() async throws {
        let rig = try await Rig(labelled)
        for reputation in ["malicious", "safe"] { rig.transport.answer(Self.item(reputation)) }
        _ = try await rig.run(EnrichmentRequest("192.0.2.1", labels: ["malicious"]))
        let second = try #require(try await rig.run(EnrichmentRequest("192.0.2.1", labels: ["malicious"])))
        #expect(second.removed.isEmpty)
    }

    @Test func `takes nothing off unless told to, and nothing for an unknown address`() async throws {
        var options = labelled
        options.removesStaleLabels = false
        let rig = try await Rig(options)
        for reputation in ["malicious", "safe"] { rig.transport.answer(Self.item(reputation)) }
        _ = try await rig.run(EnrichmentRequest("192.0.2.1"))
        let second = try #require(try await rig.run(EnrichmentRequest("192.0.2.1", labels: ["malicious"])))
        #expect(second.removed.isEmpty)
        let strict = try await Rig(labelled)
        strict.transport.answer(Self.item("malicious"))
        strict.transport.answer(.status(404))
        _ = try await strict.run(EnrichmentRequest("192.0.2.1"))
        let unknown = try #require(try await strict.run(EnrichmentRequest("192.0.2.1", labels: ["malicious"])))
        #expect(unknown.removed.isEmpty)
    }

    @Test func `remembers what it did for those who ask`() async throws {
        let rig = try await Rig(labelled)
        rig.transport.answer(Self.item("malicious"))
        _ = try await rig.run(EnrichmentRequest("192.0.2.1"))
        let entries = try await rig.ledger.store.lookUp(
            LedgerQuery(
                target: rig.ledger.target, flow: rig.ledger.flow, sources: [],
                keys: [EnrichmentLedger.key(of: "192.0.2.1")]))
        let contribution = try #require(entries.first?.owners.first?.contribution)
        let described = try #require(EnrichmentLedger.Contribution(encoded: contribution)?.described)
        #expect(described.map(\.text) == ["192.0.2.1", "2026-06-15T12:00:00.000Z", "2", "malicious"])
    }
}
