// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import HTTPClient
import HarfangLab
import JSON
import STIX
import Testing
import Vectors

@testable import HarfangLabIncidents

/// The shared cases: events, threats, the rules behind them, and what must become of each.
enum IncidentCases {
    static func document(_ name: String) -> JSONValue {
        (try? JSONValue(parsing: Array(Vectors.data("harfanglab-\(name).json")))) ?? .null
    }
    static let alerts = document("alerts")
    static let threats = document("threats")
    static let expected = document("expected-stix")

    static func alert(_ id: String) -> JSONValue? { alerts["alerts"]?.array?.first { $0["id"]?.string == id } }

    static func translator() -> IncidentTranslator {
        IncidentTranslator(
            name: "HarfangLab Incidents", consoleURL: "https://hl.example:8443", marking: .green, score: 50,
            ids: ObjectIDs(platformVersion: "7.260817.0"))
    }

    /// A console that only looks rules up.
    static func finder() throws -> RuleFinder {
        let rules = alerts["rules"]
        let transport = ScriptedTransport { recorded in
            let target = recorded.request.url
            let collection = ["IOCRule", "SigmaRule", "YaraFile"].first { target.contains($0) } ?? ""
            let query = target.drop { $0 != "?" }.dropFirst()
            let parts = query.split(separator: "=", maxSplits: 1).map { String($0).removingPercentEncoding ?? "" }
            let field = parts.first ?? ""
            let wanted = parts.count > 1 ? parts[1] : ""
            let found = (rules?[collection]?.array ?? []).filter { rule in
                switch field {
                case "value__exact": rule["value"]?.string == wanted
                case "rule_name__exact": rule["rule_name"]?.string == wanted
                case "name__exact": rule["name"]?.string == wanted
                default: rule.text.contains(wanted)
                }
            }
            let page: JSONValue = [
                "count": .int(found.count), "next": .null, "previous": .null, "results": .array(found),
            ]
            return .status(200, page.text)
        }
        return RuleFinder(
            try HarfangLabClient(
                transport: transport, url: "https://hl.example:8443", token: { Secret("t") }), concurrency: 2)
    }
}

/// Compares as the cases say: by id, instants as instants, references as sets, `<any>` for whatever.
func difference(_ made: [STIXObject], _ expected: [JSONValue]) -> [String] {
    var problems: [String] = []
    let byID = Dictionary(made.map { ($0.id, $0) }) { first, _ in first }
    let expectedIDs = Set(expected.compactMap { $0["id"]?.string })
    for object in made where !expectedIDs.contains(object.id) { problems.append("surplus \(object.type) \(object.id)") }
    for object in expected {
        let id = object["id"]?.string ?? ""
        guard let found = byID[id] else {
            problems.append("missing \(id)")
            continue
        }
        for (key, value) in object.object ?? [:] {
            if value.string == "<any>" { continue }
            if !isSame(key, found[key], value) {
                problems.append("\(id) \(key): \(found[key]?.text ?? "absent") instead of \(value.text)")
            }
        }
        for (key, value) in found.members where object[key] == nil {
            if key == "revoked" || key == "pattern_version" || value.array?.isEmpty == true { continue }
            problems.append("\(id) has \(key)")
        }
    }
    return problems
}

private func isSame(_ key: String, _ made: JSONValue?, _ expected: JSONValue) -> Bool {
    if key.hasSuffix("_refs") || key == "external_references" {
        return Set(made?.array ?? []) == Set(expected.array ?? [])
    }
    guard let made else { return expected.array?.isEmpty == true }
    if let left = made.string.flatMap({ StartDate($0) }), let right = expected.string.flatMap({ StartDate($0) }) {
        return left == right
    }
    return made == expected
}

@Suite("Security events and threats as STIX") struct TranslateTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let json: JSONValue
        var testDescription: String { json["title"]?.string ?? "" }
    }
    static let alerts = (IncidentCases.expected["alerts"]?.array ?? []).map { Case(json: $0) }
    static let threats = (IncidentCases.expected["threats"]?.array ?? []).map { Case(json: $0) }

    // covers: vectors:hl-alerts
    // covers: hlbug:inc-1 (0012 to 0017), hlbug:inc-8 (0018, 0019 and 0022), hlbug:inc-9 (0006 and 0008), hlbug:inc-10 (0010)
    // covers: hlbug:inc-11 (0011), hlbug:inc-12 (0021), hlbug:inc-13 (0012), hlbug:inc-14 (0012 to 0015)
    // covers: hlbug:inc-16 (0001), hlbug:inc-20, hlbug:inc-23
    // covers: incidents:lookup-sigma (0001 and 0004), incidents:lookup-yara (0005 and 0007), incidents:lookup-ioc (0015 and 0017)
    // covers: incidents:negative (0003), incidents:dropped-file (0011), incidents:ids, incidents:technique (0002 and 0006)
    @Test(arguments: alerts)
    func `an event becomes the expected objects`(_ example: Case) async throws {
        let id = try #require(example.json["alert_id"]?.string)
        let alert = try #require(IncidentCases.alert(id).flatMap { Alert($0) })
        let translator = IncidentCases.translator()
        let rules = try await IncidentCases.finder().rules(of: [alert])
        #expect(rules.failure == nil)
        let expected = example.json["expected"]?["objects"]?.array ?? []
        guard case .success(let rule?) = rules.found.first else {
            #expect(expected.isEmpty)
            return
        }
        let made = translator.translate(alert, rule)
        #expect(
            difference(made.objects + translator.frame, expected).isEmpty,
            "\(difference(made.objects + translator.frame, expected).joined(separator: "\n"))")
        let notes = (example.json["expected"]?["notes"]?.array ?? []).compactMap(\.string)
        #expect(made.notes == notes)
    }

    // covers: vectors:hl-threats, hlbug:inc-15 (43 and 45), incidents:note (41 and 42), incidents:priority (41 to 45)
    @Test(arguments: threats)
    func `a threat becomes a case with everything of its events`(_ example: Case) async throws {
        let id = try #require(example.json["threat_id"]?.int)
        let threat = try #require(
            IncidentCases.threats["threats"]?.array?.first { $0["id"]?.int == id }.flatMap { Threat($0) })
        let translator = IncidentCases.translator()
        var bundle = STIXBundle(id: "bundle--1")
        let alerts = (example.json["alert_ids"]?.array ?? []).compactMap(\.string)
            .compactMap { IncidentCases.alert($0).flatMap { Alert($0) } }
        let rules = try await IncidentCases.finder().rules(of: alerts)
        for (alert, rule) in zip(alerts, rules.found) {
            if case .success(let rule?) = rule { bundle.append(contentsOf: translator.translate(alert, rule).objects) }
        }
        let note = IncidentCases.threats["notes"]?["\(id)"]
        bundle.append(contentsOf: translator.translate(threat, note: note, objects: bundle.objects.map(\.id)))
        bundle.append(contentsOf: translator.frame)
        let problems = difference(bundle.objects, example.json["expected"]?["objects"]?.array ?? [])
        #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
    }

    // covers: incidents:technique-tags
    @Test(arguments: [
        ("attack.t1059.001", "T1059.001"), ("ATTACK.T1190", "T1190"), ("attack.impact", nil), ("t1", "T1"), ("", nil),
    ])
    func `tags name techniques`(_ tag: String, _ technique: String?) {
        #expect(IncidentTranslator.technique(in: tag) == technique)
    }

    // covers: incidents:path
    @Test(arguments: [
        ("C:\\A\\b.exe", "C:\\A", "b.exe"), ("C:\\b.exe", "C:\\", "b.exe"), ("/usr/bin/x", "/usr/bin", "x"),
        ("/x", "/", "x"), ("x", "", "x"),
    ])
    func `a path splits at its last separator`(_ path: String, _ folder: String, _ name: String) {
        let split = IncidentTranslator.split(path: path)
        #expect(split.folder == folder && split.name == name)
    }
}
