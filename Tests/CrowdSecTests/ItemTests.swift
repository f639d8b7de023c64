// SPDX-License-Identifier: Apache-2.0

import JSON
import Testing
import Vectors

@testable import CrowdSec

@Suite("CrowdSec item") struct ItemTests {
    private func item(_ name: String) throws -> CTIItem {
        let file = try JSONValue(parsing: Array(Vectors.data("crowdsec-smoke.json")))
        let body = try #require(file["answers"]?[name]?.array?.last?["body"]?.object)
        return CTIItem(body)
    }

    @Test func `reads every part that is used`() throws {
        let item = try item("malicious-full")
        #expect(item.ip == "192.0.2.10")
        #expect(item.reputation == "malicious")
        #expect(item.confidence == "high")
        #expect(item.country == "US" && item.city == "Ashburn")
        #expect(item.asName == "EXAMPLE-HOSTING" && item.asNumber == 64500)
        #expect(item.behaviors.map(\.name) == ["http:scan", "http:exploit", "ssh:bruteforce"])
        #expect(item.firstSeen == "2025-11-02T06:30:00+00:00")
        #expect(item.attackDetails.count == 4)
        #expect(item.targetCountries.map(\.country) == ["US", "DE", "FR", "GB"])
        #expect(item.targetCountries.map(\.percent) == [37, 17, 12, 8])
        #expect(item.mitreTechniques.map(\.name) == ["T1110", "T1595", "T1190"])
        #expect(item.cves == ["CVE-2021-41773", "CVE-2022-26134"])
        #expect(item.references[0].references == ["https://iplists.firehol.org/?ipset=cybercrime"])
    }

    // covers: crowdsec:field_null_lists
    @Test func `takes null, the text None and absence for an empty list`() throws {
        let item = try item("null-lists")
        #expect(item.behaviors.isEmpty && item.attackDetails.isEmpty && item.mitreTechniques.isEmpty)
        #expect(item.cves.isEmpty && item.references.isEmpty)
        #expect(CTIItem([:]) == CTIItem())
    }

    // covers: crowdsec:bug_Q2
    @Test func `takes a null history, location and target list for absent`() throws {
        let item = try item("history-null")
        #expect(item.firstSeen == nil && item.country == nil && item.targetCountries.isEmpty)
    }

    @Test func `survives members of any wrong type`() throws {
        let names = [
            "ip", "reputation", "confidence", "location", "behaviors", "history", "classifications", "attack_details",
            "target_countries", "mitre_techniques", "cves", "references", "as_num",
        ]
        for value: JSONValue in [nil, true, 7, "None", [1, "x", nil, [:]], ["a": ["b": 1]], 1e300] {
            var body = JSONObject()
            for name in names { body[name] = value }
            _ = CTIItem(body)
        }
    }

    @Test func `bounds shares to what a sighting's count may be`() throws {
        let value = try JSONValue(parsing: #"{"target_countries":{"US":-3,"DE":1e99,"FR":12.7,"GB":null}}"#)
        let item = CTIItem(try #require(value.object))
        #expect(item.targetCountries.map(\.percent) == [0, 999_999_999, 12])
    }
}
