// SPDX-License-Identifier: Apache-2.0

import Base
import CrowdSec
import JSON
import STIX
import Testing

@testable import CrowdSecEnrichment

@Suite("CrowdSec translation") struct TranslatorTests {
    private func enrichment(
        _ item: String, of address: String = "192.0.2.1", labels: [String] = [],
        _ change: (inout EnrichmentOptions) -> Void = { _ in }
    ) throws -> Enrichment {
        var options = EnrichmentOptions()
        change(&options)
        let translator = Translator(options: options)
        let isIPv6 = address.contains(":")
        let object = STIXObject.observable(isIPv6 ? "ipv6-addr" : "ipv4-addr", value: address)
        let observable = EnrichedObservable(
            stixID: object.id, type: isIPv6 ? "IPv6-Addr" : "IPv4-Addr", value: address, labels: labels, stix: object,
            isIPv6: isIPv6)
        let body = try #require(try JSONValue(parsing: item).object)
        return translator.enrichment(
            of: observable, with: .item(CTIItem(body)), on: .init(author: translator.usualAuthor), at: Rig.noon)
    }

    // covers: crowdsec:write_stamp
    @Test(
        arguments: [
            (nil, ""), ("", ""), ("Text.", "Text."),
            ("Text.\n\n`Last CrowdSec enrichment: 2026-06-14T09:00:00+00:00`", "Text."),
            ("`Last CrowdSec enrichment: x` and `code`", " and `code`"),
            ("a\n\n`Last CrowdSec enrichment: 1`b\n\n`Last CrowdSec enrichment: 2`c", "abc"),
            ("`Last CrowdSec enrichment: open\nnext line`", "`Last CrowdSec enrichment: open\nnext line`"),
        ] as [(String?, String)])
    func `a new stamp takes the place of former ones`(_ before: String?, _ kept: String) {
        #expect(
            DescriptionStamp.stamped(before, at: Rig.noon)
                == kept + "\n\n`Last CrowdSec enrichment: 2026-06-15T12:00:00+00:00`")
    }

    @Test func `the first stamp counts`() {
        let text =
            "`Last CrowdSec enrichment: 2026-06-14T09:00:00+00:00` `Last CrowdSec enrichment: 2020-01-01T00:00:00+00:00`"
        #expect(DescriptionStamp.moment(in: text) == Instant(parsing: "2026-06-14T09:00:00Z"))
        #expect(DescriptionStamp.moment(in: "nothing") == nil)
    }

    // covers: crowdsec:bug_Q6
    @Test func `labels come once whatever their case, in the original's order`() throws {
        let item = CTIItem(
            try #require(
                try JSONValue(
                    parsing: #"""
                        {"reputation":"malicious","mitre_techniques":[{"name":"T1"},{"name":"t1"}],"cves":["cve-2021-1234"],
                        "behaviors":[{"name":"ssh:bf"}],"attack_details":[{"name":"a/CVE-2021-1234","label":"CVE-2021-1234"},
                        {"name":"a/ssh-bf","label":"SSH"},{"name":"a/ssh-bf","label":"ssh"}]}
                        """#
                ).object))
        var options = EnrichmentOptions.Labels()
        (options.cves, options.techniques, options.behaviors, options.reputation) = (true, true, true, true)
        #expect(
            item.labels(options).map(\.value) == ["T1", "CVE-2021-1234", "ssh:bf", "malicious", "a/ssh-bf", "SSH"])
        #expect(item.labels(options).first { $0.value == "CVE-2021-1234" }?.color == "#800080")
    }

    @Test(arguments: [
        ("crowdsecurity/http-cve-2021-41773", ["cve-2021-41773"]), ("CVE-2022-26134-x CVE-2020-1", ["CVE-2022-26134"]),
        ("cve-20221-1234", []), ("ccve-2022-12345678", ["cve-2022-1234567"]), ("CVE-2022-123", []), ("", []),
        ("é-cve-2022-1234é", ["cve-2022-1234"]),
    ])
    func `finds CVEs in scenario names`(_ name: String, _ found: [String]) { #expect(CVEName.all(in: name) == found) }

    // covers: crowdsec:bug_Q1
    @Test func `has every country of ISO 3166-1, whatever the code's case`() {
        #expect(Country.codes.count == 249)
        #expect(Country.named(byCode: "tr")?.name == "Türkiye")
        #expect(Country.named(byCode: "BO")?.officialName == "Plurinational State of Bolivia")
        #expect(Country.named(byCode: "JP")?.officialName == "Japan")
        for code in ["XK", "EU", "T1", "", "USA"] { #expect(Country.named(byCode: code) == nil) }
    }

    // covers: crowdsec:bug_Q9, key:CROWDSEC_SKIP_INDICATOR_FOR_FALSE_POSITIVES
    @Test func `a known scanner makes an indicator unless told otherwise`() throws {
        let item = #"{"reputation":"known","classifications":{"false_positives":[{"name":"scanner:shodan"}]}}"#
        for skips in [true, false] {
            let made = try enrichment(item) {
                $0.indicatorReputations = ["known"]
                $0.skipsIndicatorForFalsePositives = skips
            }
            #expect(made.objects.contains { $0.type == "indicator" } == !skips)
        }
    }

    // covers: crowdsec:rule_ipv6, crowdsec:bug_Q8
    @Test func `an IPv6 address differs in pattern and type only`() throws {
        let made = try enrichment(#"{"reputation":"malicious"}"#, of: "fd00:1::1") {
            $0.indicatorReputations = ["malicious"]
        }
        let indicator = try #require(made.objects.first { $0.type == "indicator" })
        #expect(indicator["pattern"] == "[ipv6-addr:value = 'fd00:1::1']")
        #expect(made.references.first?.url == "https://app.crowdsec.net/cti/fd00:1::1")
    }

    // covers: crowdsec:bug_Q5
    @Test func `an answer without reputation never makes an indicator`() throws {
        for item in ["{\"ip\":\"192.0.2.1\"}", "{\"reputation\":\"\"}", "{\"reputation\":null}"] {
            let made = try enrichment(item) { $0.indicatorReputations = ["", "malicious"] }
            #expect(!made.objects.contains { $0.type == "indicator" })
        }
    }

    @Test func `dates that stand the wrong way round, or are none, make no invalid object`() throws {
        let item =
            #"{"reputation":"known","history":{"first_seen":"2026-02-01T00:00:00Z","last_seen":"2026-01-01T00:00:00Z"}}"#
        let sighting = try #require(try enrichment(item).objects.first { $0.type == "sighting" })
        #expect(sighting["first_seen"] == "2026-02-01T00:00:00Z")
        #expect(sighting["last_seen"] == nil)
        let odd = try enrichment(#"{"reputation":"known","history":{"first_seen":"soon","last_seen":""}}"#) {
            $0.indicatorReputations = ["known"]
        }
        #expect(odd.objects.first { $0.type == "indicator" }?["valid_from"] == "2026-06-15T12:00:00Z")
    }

    @Test func `texts of the service can't break out of a pattern`() throws {
        let made = try enrichment(#"{"ip":"x' OR '1","reputation":"known"}"#) { $0.indicatorReputations = ["known"] }
        #expect(made.objects.first { $0.type == "indicator" }?["pattern"] == "[ipv4-addr:value = '192.0.2.1']")
    }
}
