// SPDX-License-Identifier: Apache-2.0

import Base
import CrowdSec
import JSON
import STIX
import Testing
import Vectors

@testable import CrowdSecEnrichment

/// Answers that the service might give one day: parts missing, of other types, repeated.
@Suite("CrowdSec odd answers") struct OddAnswerTests {
    private static let odd: [JSONValue] = [
        nil, true, 0, -1, 1e300, "", "None", "x' OR '1'='1", "\u{0}\u{202E}\"\\", [], [nil, 1, "x"], [:], ["name": 1],
        [["name": "T1110.001", "label": nil], ["name": "T1110.001", "label": "again"], ["label": "no name"]],
        ["US": 5, "us": 6, "XK": "7", "": 1],
    ]

    /// Replaces one part somewhere in the value.
    private func mutate(_ value: JSONValue, _ random: inout SeededRandom) -> JSONValue {
        if random.chance(0.15) { return Self.odd[Int(random.next() % UInt64(Self.odd.count))] }
        switch value {
        case .object(var object) where !object.isEmpty:
            let key = object.keys[Int(random.next() % UInt64(object.count))]
            if random.chance(0.1) { object[key] = nil } else { object[key] = object[key].map { mutate($0, &random) } }
            return .object(object)
        case .array(var list) where !list.isEmpty:
            let index = Int(random.next() % UInt64(list.count))
            if random.chance(0.2) { list.append(list[index]) } else { list[index] = mutate(list[index], &random) }
            return .array(list)
        default: return value
        }
    }

    @Test func `still make a bundle whose objects stand there once and refer to what is there`() throws {
        let file = try JSONValue(parsing: Array(Vectors.data("crowdsec-smoke.json")))
        let whole = try #require(file["answers"]?["malicious-full"]?[0]?["body"])
        var options = EnrichmentOptions()
        options.indicatorReputations = ["malicious", "suspicious", "known", "safe"]
        (options.createsNote, options.createsAttackPatterns) = (true, true)
        (options.labels.cves, options.labels.techniques, options.labels.behaviors) = (true, true, true)
        options.labels.reputation = true
        let translator = Translator(options: options)
        let object = STIXObject.observable("ipv4-addr", value: "192.0.2.10")
        let observable = EnrichedObservable(
            stixID: object.id, type: "IPv4-Addr", value: "192.0.2.10", stix: object, isIPv6: false)
        var random = SeededRandom(seed: 4)
        for _ in 0..<600 {
            var value = whole
            for _ in 0..<4 { value = mutate(value, &random) }
            guard let body = value.object else { continue }
            let made = translator.enrichment(
                of: observable, with: .item(CTIItem(body)), on: .init(author: translator.usualAuthor), at: Rig.noon)
            let ids = Set(made.objects.map(\.id))
            #expect(ids.count == made.objects.count)
            #expect(made.objects.first?.id == object.id)
            for object in made.objects where object.type == "relationship" {
                for end in ["source_ref", "target_ref"] {
                    #expect(ids.contains(object[end]?.string ?? ""), "\(object.json.text)")
                }
            }
            #expect(Set(made.labels.map { $0.value.lowercased() }).count == made.labels.count)
            #expect(Set(made.references.map(\.url)).count == made.references.count)
        }
    }
}
