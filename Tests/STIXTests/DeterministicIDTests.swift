// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import STIX
import Testing
import Vectors

@Suite("Deterministic ids") struct DeterministicIDTests {
    // covers: octi:ids
    @Test func `equal every vector`() throws {
        let vectors = try #require(try JSONValue(parsing: Array(Vectors.data("stix-ids.json"))).array)
        #expect(vectors.count >= 90)
        for vector in vectors {
            let name = vector["name"]?.string ?? ""
            #expect(try id(for: vector) == vector["id"]?.string, "\(name)")
        }
    }

    private func id(for vector: JSONValue) throws -> String? {
        let ids = vector["platform"]?.string.map { ObjectIDs(platformVersion: $0) } ?? ObjectIDs()
        let arguments = try #require(vector["arguments"])
        func optional(_ key: String) -> String? { arguments[key]?.string }
        func text(_ key: String) throws -> String { try #require(arguments[key]?.string, "\(key)") }
        switch try #require(vector["kind"]?.string) {
        case "indicator": return ids.indicator(pattern: try text("pattern"))
        case "incident": return ids.incident(name: try text("name"), created: try text("created"))
        case "case-incident": return ids.caseIncident(name: try text("name"), created: try text("created"))
        case "identity":
            return ids.identity(name: try text("name"), identityClass: try text("identity_class"))
        case "sighting":
            let places = try #require(arguments["where_sighted_refs"])
            return ids.sighting(
                of: try text("sighting_of_ref"),
                at: places.string.map { .text($0) } ?? .list(places.array?.compactMap(\.string) ?? []),
                firstSeen: optional("first_seen"), lastSeen: optional("last_seen"))
        case "relationship":
            return ids.relationship(
                try text("relationship_type"), from: try text("source_ref"), to: try text("target_ref"),
                start: optional("start_time"), stop: optional("stop_time"))
        case "note":
            return ids.note(
                content: try text("content"), created: optional("created"), abstract: optional("abstract"))
        case "observed-data": return ids.observedData(objects: arguments["objects"]?.array?.compactMap(\.string) ?? [])
        case "external-reference":
            return ids.externalReference(
                url: optional("url"), sourceName: optional("source_name"), externalID: optional("external_id"))
        case "marking-definition":
            return ids.marking(type: try text("definition_type"), definition: try text("definition"))
        case "label": return ids.label(try text("value"))
        case "kill-chain-phase":
            return ids.killChainPhase(chain: try text("kill_chain_name"), phase: try text("phase_name"))
        case "attack-pattern":
            return ids.attackPattern(name: try text("name"), techniqueID: optional("x_mitre_id"))
        case "course-of-action":
            return ids.courseOfAction(name: try text("name"), techniqueID: optional("x_mitre_id"))
        case "threat-actor-group": return ids.threatActor(group: try text("name"))
        case "threat-actor-individual": return ids.threatActor(individual: try text("name"))
        case "location":
            return ids.location(name: try text("name"), locationType: try text("x_opencti_location_type"))
        case "position":
            return ids.position(
                name: try text("name"), latitude: arguments["latitude"]?.double,
                longitude: arguments["longitude"]?.double)
        case "report": return ids.report(name: try text("name"), published: try text("published"))
        case "grouping":
            return ids.grouping(
                name: try text("name"), context: try text("context"), created: optional("created"))
        case "task": return ids.task(name: try text("name"), created: try text("created"))
        case "observable":
            let properties = try #require(arguments["properties"]?.object)
            let form: ObservableIDForm = optional("form") == "platform" ? .platform : .library
            return ObservableID.make(try text("type"), from: properties, form: form)
        case let type: return ids.named(type, try text("name"))
        }
    }

    @Test(arguments: [
        ("5.12.3", false, false), ("6.8.10", false, false), ("7.260224.0", false, false), ("7.260430.0", true, false),
        ("7.260701.1", true, true), ("7.260817.0", true, true), ("8.1.0", true, true), ("7.260430-rc1", true, false),
        ("", true, true), ("next", true, true),
    ])
    func `follow the platform's version`(_ version: String, _ abstract: Bool, _ lowerCase: Bool) {
        let ids = ObjectIDs(platformVersion: version)
        #expect(ids.noteCountsAbstract == abstract)
        #expect(ids.techniqueIDsAreLowerCased == lowerCase)
    }

    @Test func `a value's id is that of its object`() {
        #expect(
            ObservableID.make("ipv4-addr", value: "203.0.113.7")
                == ObservableID.make("ipv4-addr", from: ["value": "203.0.113.7", "spec_version": "2.1"]))
    }

    @Test(arguments: [
        ("2026-03-02T07:26:01.276Z", "2026-03-02T07:26:01.276000+00:00"),
        ("2026-03-02T09:00:00Z", "2026-03-02T09:00:00+00:00"),
        ("2026-03-02T09:00:00.000+00:00", "2026-03-02T09:00:00+00:00"),
        ("2026-03-03T06:00:00.000123+02:00", "2026-03-03T04:00:00.000123+00:00"),
        ("2026-03-03T06:00:00.1234567Z", "2026-03-03T06:00:00.123456+00:00"),
        ("2026-03-03", "2026-03-03T00:00:00+00:00"),
    ])
    func `dates are written as Python writes them`(_ text: String, _ expected: String) {
        #expect(PythonDate.isoformat(text) == expected)
    }

    @Test func `what is no date is written as nothing`() {
        #expect(PythonDate.isoformat("yesterday") == nil)
        #expect(PythonDate.isoformat(Instant(milliseconds: 1_500)) == "1970-01-01T00:00:01.500000+00:00")
    }
}

@Suite("Traffic Light Protocol") struct TLPTests {
    @Test(arguments: [
        ("TLP:CLEAR", TLP.clear), ("TLP:WHITE", .clear), ("white", .clear), ("tlp:green", .green), ("Amber", .amber),
        ("TLP:AMBER+STRICT", .amberStrict), ("amber_strict", .amberStrict), ("TLP:AMBER-STRICT", .amberStrict),
        (" TLP:RED ", .red),
    ])
    func `reads the names of both versions`(_ name: String, _ level: TLP) {
        #expect(TLP(name: name) == level)
        #expect(TLP(name: level.description) == level)
        #expect(TLP(markingID: level.markingID) == level)
    }

    @Test(arguments: ["", "TLP:", "TLP:ORANGE", "PAP:RED", "TLP:RED+STRICT"])
    func `knows no other name`(_ name: String) {
        #expect(TLP(name: name) == nil)
    }

    @Test func `is ordered from open to closed`() {
        #expect(TLP.allCases.sorted() == [.clear, .green, .amber, .amberStrict, .red])
        #expect(TLP.amber < .amberStrict && TLP.green <= .green && TLP.red > .amberStrict)
    }

    @Test func `the most restrictive counts, and an unknown name is RED`() {
        #expect(TLP.mostRestrictive(ofNames: ["TLP:AMBER", "TLP:GREEN"]) == .amber)
        #expect(TLP.mostRestrictive(ofNames: ["TLP:GREEN", "TLP:PURPLE"]) == .red)
        #expect(TLP.mostRestrictive(ofNames: []) == nil)
        let ids = [
            TLP.green.markingID, TLP.amberStrict.markingID, "marking-definition--89484dde-e3d2-547f-a6c6-d14824429eb1",
        ]
        #expect(TLP.mostRestrictive(ofMarkingIDs: ids) == .amberStrict)
        #expect(TLP.mostRestrictive(ofMarkingIDs: ["marking-definition--89484dde-e3d2-547f-a6c6-d14824429eb1"]) == nil)
    }
}
