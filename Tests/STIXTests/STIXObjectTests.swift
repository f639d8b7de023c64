// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import STIX
import Testing

@Suite("STIX objects and bundles") struct STIXObjectTests {
    private let ids = ObjectIDs()
    private let author = "identity--5f18c204-0a7f-5061-a146-d29561d9c8aa"
    private var common: CommonProperties {
        CommonProperties(
            created: "2026-03-02T07:26:01.276Z", createdBy: author, markings: [TLP.green.markingID])
    }
    private let commonMembers: JSONObject = [
        "spec_version": "2.1", "created": "2026-03-02T07:26:01.276Z", "modified": "2026-03-02T07:26:01.276Z",
        "created_by_ref": "identity--5f18c204-0a7f-5061-a146-d29561d9c8aa",
        "object_marking_refs": ["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"],
    ]

    private func expect(
        _ object: STIXObject, _ members: JSONObject, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var expected = commonMembers
        for (key, value) in members { expected[key] = value }
        #expect(object.json == .object(expected), sourceLocation: sourceLocation)
        #expect(object.id.hasPrefix(object.type + "--"), sourceLocation: sourceLocation)
    }

    @Test func `an indicator`() {
        var details = STIXObject.IndicatorDetails(name: "203.0.113.7", description: "C2")
        details.validUntil = "2027-01-01T00:00:00Z"
        details.indicatorTypes = ["malicious-activity"]
        details.killChainPhases = [KillChainPhase(chain: "mitre-attack", phase: "command-and-control")]
        details.score = 0
        details.detection = false
        details.mainObservableType = "IPv4-Addr"
        let pattern = "[ipv4-addr:value = '203.0.113.7']"
        expect(
            .indicator(
                id: ids.indicator(pattern: pattern), pattern: pattern, validFrom: "2026-01-01T00:00:00Z", details,
                common),
            [
                "type": "indicator", "id": "indicator--4d0cd89a-b3ad-5473-aa56-c07f9c554f90", "name": "203.0.113.7",
                "description": "C2", "indicator_types": ["malicious-activity"], "pattern": .string(pattern),
                "pattern_type": "stix", "pattern_version": "2.1", "valid_from": "2026-01-01T00:00:00Z",
                "valid_until": "2027-01-01T00:00:00Z",
                "kill_chain_phases": [
                    ["kill_chain_name": "mitre-attack", "phase_name": "command-and-control"]
                ],
                "x_opencti_score": 0, "detection": false, "x_opencti_main_observable_type": "IPv4-Addr",
            ])
    }

    @Test func `only STIX patterns have a pattern version`() {
        var details = STIXObject.IndicatorDetails()
        details.patternType = "sigma"
        let rule = STIXObject.indicator(
            id: ids.indicator(pattern: "title: T"), pattern: "title: T", validFrom: "2026-01-01T00:00:00Z", details,
            common)
        #expect(rule["pattern_version"] == nil)
        #expect(rule["pattern_type"] == "sigma")
    }

    @Test func `an incident and a case`() {
        var details = STIXObject.IncidentDetails(description: "seen")
        details.incidentType = "alert"
        details.severity = "high"
        details.source = "HarfangLab"
        details.firstSeen = "2026-03-02T07:26:01Z"
        details.lastSeen = "2026-03-02T07:31:44.000123Z"
        expect(
            .incident(id: "incident--1b18a833-b12f-5ffd-8dc7-c50446c35847", name: "A on B", details, common),
            [
                "type": "incident", "id": "incident--1b18a833-b12f-5ffd-8dc7-c50446c35847", "name": "A on B",
                "description": "seen", "incident_type": "alert", "severity": "high", "source": "HarfangLab",
                "first_seen": "2026-03-02T07:26:01Z", "last_seen": "2026-03-02T07:31:44.000123Z",
            ])
        expect(
            .caseIncident(
                id: "case-incident--38654472-51ec-523e-a833-68450fb4c918", name: "C", severity: "critical",
                priority: "P1", responseTypes: ["ransomware"],
                objects: ["incident--1b18a833-b12f-5ffd-8dc7-c50446c35847", author, author], common),
            [
                "type": "case-incident", "id": "case-incident--38654472-51ec-523e-a833-68450fb4c918", "name": "C",
                "severity": "critical", "priority": "P1", "response_types": ["ransomware"],
                "object_refs": ["incident--1b18a833-b12f-5ffd-8dc7-c50446c35847", .string(author)],
            ])
    }

    @Test func `a sighting of an object and of an observable`() {
        var details = STIXObject.SightingDetails(count: 1, firstSeen: "2026-03-02T07:26:01Z")
        details.isNegative = false
        let id = "sighting--b9b1e1da-cfa9-56f2-9335-bf932f4aa34c"
        let indicator = "indicator--4d0cd89a-b3ad-5473-aa56-c07f9c554f90"
        let members: JSONObject = [
            "type": "sighting", "id": .string(id), "sighting_of_ref": .string(indicator),
            "where_sighted_refs": [.string(author)], "count": 1, "first_seen": "2026-03-02T07:26:01Z",
            "x_opencti_negative": false,
        ]
        expect(.sighting(id: id, of: .object(indicator), at: [author], details, common), members)
        var observed = members
        observed["sighting_of_ref"] = "indicator--51b92778-cef0-4a90-b7ec-ebd620d01ac8"
        observed["x_opencti_sighting_of_ref"] = "ipv4-addr--9ddd739e-87b1-587d-83f2-62ef1130af2f"
        expect(
            .sighting(
                id: id, of: .observable("ipv4-addr--9ddd739e-87b1-587d-83f2-62ef1130af2f"), at: [author], details,
                common), observed)
    }

    @Test func `a relationship and a note`() {
        expect(
            .relationship(
                id: "relationship--19aeb4cb-76a0-5570-9bf6-e43623a05879", "based-on",
                from: "indicator--4d0cd89a-b3ad-5473-aa56-c07f9c554f90",
                to: "ipv4-addr--9ddd739e-87b1-587d-83f2-62ef1130af2f", start: "2026-03-02T07:26:01Z", common),
            [
                "type": "relationship", "id": "relationship--19aeb4cb-76a0-5570-9bf6-e43623a05879",
                "relationship_type": "based-on", "source_ref": "indicator--4d0cd89a-b3ad-5473-aa56-c07f9c554f90",
                "target_ref": "ipv4-addr--9ddd739e-87b1-587d-83f2-62ef1130af2f", "start_time": "2026-03-02T07:26:01Z",
            ])
        expect(
            .note(
                id: "note--00e9d828-b22b-57f7-9e4f-213718d1d065", content: "text", abstract: "short",
                objects: [author], noteTypes: ["external"], common),
            [
                "type": "note", "id": "note--00e9d828-b22b-57f7-9e4f-213718d1d065", "abstract": "short",
                "content": "text", "object_refs": [.string(author)], "note_types": ["external"],
            ])
    }

    @Test func `an identity, a technique, a vulnerability and a country`() {
        expect(
            .identity(id: author, name: "CrowdSec", identityClass: "organization", description: "d", common),
            [
                "type": "identity", "id": .string(author), "name": "CrowdSec", "identity_class": "organization",
                "description": "d",
            ])
        expect(
            .attackPattern(
                id: "attack-pattern--c5baca20-73a4-5bd9-b406-6ec05ed2de96", name: "Brute Force", techniqueID: "T1110",
                killChainPhases: [KillChainPhase(chain: "mitre-attack", phase: "credential-access")], common),
            [
                "type": "attack-pattern", "id": "attack-pattern--c5baca20-73a4-5bd9-b406-6ec05ed2de96",
                "name": "Brute Force", "x_mitre_id": "T1110",
                "kill_chain_phases": [["kill_chain_name": "mitre-attack", "phase_name": "credential-access"]],
            ])
        expect(
            .vulnerability(id: "vulnerability--e74825ea-54e6-5e31-92f9-a991838a0932", name: "CVE-2024-3400", common),
            [
                "type": "vulnerability", "id": "vulnerability--e74825ea-54e6-5e31-92f9-a991838a0932",
                "name": "CVE-2024-3400",
            ])
        expect(
            .country(
                id: "location--b8d0549f-de06-5ebd-a6e9-d31a581dba5d", name: "France", country: "France",
                aliases: ["France"], common),
            [
                "type": "location", "id": "location--b8d0549f-de06-5ebd-a6e9-d31a581dba5d", "name": "France",
                "country": "France", "x_opencti_location_type": "Country", "x_opencti_aliases": ["France"],
            ])
    }

    @Test func `common properties stand in every object, empty ones in none`() {
        var common = CommonProperties(at: Instant(milliseconds: 0))
        let bare = STIXObject.vulnerability(id: ids.vulnerability("x"), name: "x", common)
        #expect(bare.members.keys == ["type", "spec_version", "id", "created", "modified", "name"])
        #expect(bare["created"] == "1970-01-01T00:00:00.000Z")
        common.isRevoked = true
        common.labels = ["c2"]
        common.confidence = 0
        common.externalReferences = [
            ExternalReference(sourceName: "s", description: "d", url: "https://x.example", externalID: "1")
        ]
        let full = STIXObject.vulnerability(id: ids.vulnerability("x"), name: "x", common)
        #expect(full["revoked"] == true)
        #expect(full["labels"] == ["c2"])
        #expect(full["confidence"] == 0)
        #expect(
            full["external_references"] == [
                ["source_name": "s", "description": "d", "url": "https://x.example", "external_id": "1"]
            ])
    }

    @Test func `TLP markings are the fixed instances`() {
        #expect(
            STIXObject.marking(.green).json == [
                "type": "marking-definition", "spec_version": "2.1",
                "id": "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
                "created": "2017-01-20T00:00:00.000Z", "definition_type": "tlp", "name": "TLP:GREEN",
                "definition": ["tlp": "green"],
            ])
        #expect(STIXObject.marking(.clear)["definition"] == ["tlp": "white"])
        #expect(STIXObject.marking(.clear)["name"] == "TLP:WHITE")
        #expect(STIXObject.marking(.amberStrict)["x_opencti_definition"] == "TLP:AMBER+STRICT")
        #expect(STIXObject.marking(.amberStrict).id == TLP.amberStrict.markingID)
    }

    @Test func `observables carry their ids`() throws {
        let address = STIXObject.observable(
            "ipv4-addr", value: "203.0.113.7", createdBy: author, markings: [TLP.green.markingID])
        #expect(
            address.json == [
                "type": "ipv4-addr", "spec_version": "2.1", "id": "ipv4-addr--9ddd739e-87b1-587d-83f2-62ef1130af2f",
                "value": "203.0.113.7", "created_by_ref": .string(author),
                "object_marking_refs": [.string(TLP.green.markingID)],
            ])
        let file = try #require(
            STIXObject.file(
                hashes: [(.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")],
                name: "evil.exe"))
        #expect(file.id == "file--ea77c8f6-0159-59c7-9a67-9b96bdb2af91")
        #expect(file["name"] == "evil.exe")
        #expect(STIXObject.file(hashes: []) == nil)
        #expect(STIXObject.observable("process", ["pid": 314]) == nil)
        #expect(
            STIXObject.observable("directory", ["path": "C:\\Windows\\System32"])?.id
                == "directory--0a58d0c1-59e6-5afd-8252-dcd3f13e5622")
    }

    @Test func `a foreign object is kept as it is`() throws {
        let members: JSONObject = ["id": "x--1", "type": "x", "n": 12, "x_opencti_id": "a"]
        var object = try #require(STIXObject(members))
        #expect(object.members == members)
        object["n"] = nil
        object["type"] = "y"
        object["id"] = nil
        #expect(object.members == ["id": "x--1", "type": "x", "x_opencti_id": "a"])
        #expect(STIXObject(["type": "x"]) == nil)
        #expect(STIXObject(["id": 5, "type": "x"]) == nil)
    }

    @Test func `a bundle holds each id once, in the order of arrival`() {
        var random = SeededRandom(seed: 1)
        var bundle = STIXBundle(random: &random)
        let first = STIXObject.observable("ipv4-addr", value: "203.0.113.7")
        let second = STIXObject.observable("url", value: "http://x.example")
        var again = first
        again["x_opencti_score"] = 5
        bundle.append(contentsOf: [first, second, again])
        #expect(bundle.objects == [first, second])
        #expect(bundle.contains(id: second.id) && !bundle.contains(id: "url--1"))
        #expect(bundle.json["objects"]?.array?.count == 2)
        #expect(bundle.json["type"] == "bundle")
        let uuid = Array(bundle.id.utf8.dropFirst("bundle--".utf8.count))
        #expect(uuid.count == 36 && uuid[14] == UInt8(ascii: "4") && "89ab".utf8.contains(uuid[19]))
        #expect(STIXBundle(random: &random).id != bundle.id)
    }
}
