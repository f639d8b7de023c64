// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import HTTPClient
import JSON
import OpenCTI
import STIX
import Settings
import TestKit
import Testing
import Vectors

@testable import CrowdSecEnrichment

/// A case of `crowdsec-expected-stix.json`; what is compared, and how, its `rules` say.
struct EnrichmentVector: Sendable, CustomTestStringConvertible {
    let json: JSONValue
    var testDescription: String { json["name"]?.string ?? "" }

    static let all: [EnrichmentVector] = {
        let file = try? JSONValue(parsing: Array(Vectors.data("crowdsec-expected-stix.json")))
        return file?["cases"]?.array?.map { EnrichmentVector(json: $0) } ?? []
    }()

    var expected: JSONValue { json["sallyport"]?.string == "same" ? json["original"] ?? nil : json["sallyport"] ?? nil }

    var environment: [String: String] {
        var environment: [String: String] = [:]
        for (name, value) in json["env"]?.object ?? [:] { environment[name] = value.string ?? "" }
        return environment
    }

    func answers() throws -> [ScriptedTransport.Answer] {
        let file = try JSONValue(parsing: Array(Vectors.data("crowdsec-smoke.json")))
        return (file["answers"]?[json["cti_answer"]?.string ?? ""]?.array ?? []).map { answer in
            var headers = HTTPHeaders()
            for (name, value) in answer["headers"]?.object ?? [:] { headers.append(name, value.string ?? "") }
            return .status(
                Int(answer["status"]?.int ?? 0), headers: headers, answer["body"].map { $0.string ?? $0.text } ?? "")
        }
    }

    func request() throws -> EnrichmentRequest {
        let input = json["input"]
        let members = try #require(input?["stix_entity"]?.object)
        let entity = try #require(STIXObject(members))
        let record = input?["enrichment_entity"]
        let markings = (record?["objectMarking"]?.array ?? []).map { marking in
            Marking(
                standardID: marking["standard_id"]?.string ?? "", type: marking["definition_type"]?.string ?? "",
                definition: marking["definition"]?.string ?? "")
        }
        return EnrichmentRequest(
            entityID: entity.id, entityType: record?["entity_type"]?.string ?? "", entity: entity, markings: markings,
            workID: "work_1", time: Rig.noon)
    }

    func platform() -> PretendedPlatform {
        guard json["input"]?["platform_state"]?["crowdsec_organization_exists"]?.bool == true else {
            return PretendedPlatform()
        }
        let names = ["CrowdSec", "crowdsec"]
        let id = ObjectIDs().identity(name: "CrowdSec", identityClass: "organization")
        return PretendedPlatform(organizations: Dictionary(uniqueKeysWithValues: names.map { ($0, id) }))
    }
}

@Suite("CrowdSec enrichment vectors") struct EnrichmentVectorTests {
    @Test func `there are as many cases as were given`() { #expect(EnrichmentVector.all.count == 38) }

    // covers: crowdsec:object_indicator, crowdsec:object_based-on, crowdsec:object_attack-pattern, crowdsec:object_vulnerability, crowdsec:object_location
    // covers: crowdsec:object_sighting, crowdsec:object_note, crowdsec:object_observable, crowdsec:bug_Q1, crowdsec:bug_Q3, crowdsec:bug_Q4, crowdsec:bug_Q5, crowdsec:bug_Q6, crowdsec:bug_Q7, crowdsec:bug_Q8
    // covers: crowdsec:bug_Q9, crowdsec:bug_Q10, crowdsec:bug_Q12, crowdsec:mode_seed, crowdsec:error_tlp, crowdsec:write_labels, crowdsec:write_references
    // covers: crowdsec:write_organization, crowdsec:write_stamp
    @Test(arguments: EnrichmentVector.all)
    func `has the effects that the case expects`(_ vector: EnrichmentVector) async throws {
        let expected = vector.expected
        let settings: ResolvedSettings
        do { settings = try Rig.settings(vector.environment) } catch let error as SettingsError {
            let text = try #require(expected["result"]?["error"]?.string)
            #expect(error.problems.contains { $0.what == text })
            return
        }
        let rig = try await Rig(EnrichmentOptions(settings), platform: vector.platform())
        for answer in try vector.answers() { rig.transport.answer(answer) }
        let outcome = try await rig.enrich(try vector.request())

        compareResult(outcome, expected["result"])
        let calls = rig.transport.requests.map(\.request)
        #expect(calls.map(\.url) == expected["http"]?.array?.compactMap { $0["url"]?.string })
        for call in calls { #expect(call.headers["x-api-key"] == "cs-cti-key-EXAMPLE") }
        #expect(rig.time.slept.map { $0.components.seconds } == expected["sleeps_s"]?.array?.compactMap { $0.int })

        var effects = EnrichmentEffects()
        if case .enriched(let made, _) = outcome { effects = made }
        compareWrites(effects, expected, vector)
        #expect(
            Set(rig.platform.created.elements)
                == Set(
                    (expected["organizations_created"]?.array ?? []).map {
                        "\($0["name"]?.string ?? "")|\($0["description"]?.string ?? "")"
                    }))
        compareBundles(effects, expected)
    }

    private func compareResult(_ outcome: EnrichmentOutcome, _ expected: JSONValue?) {
        switch outcome {
        case .enriched(_, let message), .skipped(let message):
            #expect(message.hasPrefix(expected?["message"]?.string ?? "(no message)"))
        case .refused(let code, let message):
            if code == "crowdsec.refused" {
                #expect(message.contains("status 403"))
            } else {
                #expect(message == expected?["error"]?.string)
            }
        }
    }

    private func compareWrites(_ effects: EnrichmentEffects, _ expected: JSONValue, _ vector: EnrichmentVector) {
        let state = vector.json["input"]?["platform_state"]
        let existing = Set(state?["existing_labels"]?.object?.keys ?? [])
        let created = effects.labels.filter { !existing.contains($0.value) }
        #expect(
            Set(created)
                == Set(
                    (expected["labels_created"]?.array ?? []).map {
                        PlatformLabel($0["value"]?.string ?? "", color: $0["color"]?.string)
                    }))
        if state?["label_creation_denied"]?.bool == false {
            #expect(effects.labels.count == Int(expected["labels_attached_count"]?.int ?? 0))
        }
        let references = effects.writes.compactMap {
            if case .externalReference(let reference, _) = $0 { reference } else { nil }
        }
        #expect(
            Set(references)
                == Set(
                    (expected["external_references_created"]?.array ?? []).map {
                        ExternalReference(
                            sourceName: $0["source_name"]?.string ?? "", description: $0["description"]?.string,
                            url: $0["url"]?.string)
                    }))
        #expect(effects.removed.isEmpty)
    }

    private func compareBundles(_ effects: EnrichmentEffects, _ expected: JSONValue) {
        #expect(effects.updatesExisting == (expected["send_options"]?["update"]?.bool ?? false))
        let wanted = (expected["bundle"]?["objects"]?.array ?? []).compactMap(\.object).compactMap(STIXObject.init)
        #expect(effects.objects.first?.id == wanted.first?.id)
        #expect(Set(effects.objects.map(\.id)) == Set(wanted.map(\.id)))
        #expect(effects.objects.count == Set(effects.objects.map(\.id)).count)
        for object in wanted {
            guard let ours = effects.objects.first(where: { $0.id == object.id }) else { continue }
            #expect(comparable(ours) == comparable(object))
        }
    }

    /// Placeholders out, times as instants, lists as sets.
    private func comparable(_ object: STIXObject) -> JSONValue {
        var members = object.members
        for key in ["created", "modified"] { members[key] = nil }
        if members["revoked"] == false { members["revoked"] = nil }
        for (key, value) in members {
            if let list = value.array {
                members[key] = .array(list.sorted { canonical($0) < canonical($1) })
            } else if let instant = value.string.flatMap({ Instant(parsing: $0) }), key != "name" {
                members[key] = .string(instant.description)
            }
        }
        return .object(members)
    }

    private func canonical(_ value: JSONValue) -> String {
        String(decoding: JSONCanonical.bytes(of: value), as: UTF8.self)
    }
}
