// SPDX-License-Identifier: Apache-2.0

import Base
import STIX
import Settings
import Testing

@testable import CrowdSecEnrichment

@Suite("CrowdSec settings") struct CrowdSecSettingsTests {
    // covers: key:CROWDSEC_KEY
    @Test func `the key alone gives what the original does with it`() throws {
        let options = EnrichmentOptions(try Rig.settings(["CROWDSEC_KEY": "k"]))
        #expect(options == EnrichmentOptions())
        #expect(throws: SettingsError.self) { try Rig.settings([:]) }
        #expect(throws: SettingsError.self) { try Rig.settings(["CROWDSEC_KEY": "ChangeMe"]) }
    }

    // covers: key:CROWDSEC_API_VERSION, key:CROWDSEC_VERSION
    @Test func `the version may have its old name; the new one wins`() throws {
        for environment in [["CROWDSEC_VERSION": "v2"], ["CROWDSEC_API_VERSION": "'v2'", "CROWDSEC_VERSION": "v1"]] {
            _ = try Rig.settings(environment.merging(["CROWDSEC_KEY": "k"]) { $1 })
        }
        for name in ["CROWDSEC_VERSION", "CROWDSEC_API_VERSION"] {
            #expect {
                try Rig.settings(["CROWDSEC_KEY": "k", name: "v1"])
            } throws: { error in
                (error as? SettingsError)?.problems.contains {
                    $0.what == "crowdsec api version 'v1' is not supported "
                }
                    == true
            }
        }
    }

    // covers: key:CROWDSEC_MAX_TLP
    @Test(arguments: [
        ("TLP:AMBER", TLP.amber), ("amber", .amber), ("'TLP:WHITE'", .clear), ("TLP:CLEAR", .clear),
        ("TLP:AMBER+STRICT", .amberStrict), ("red", .red), ("green", .green),
    ])
    func `the highest level is read as people write it`(_ text: String, _ level: TLP) throws {
        #expect(EnrichmentOptions(try Rig.settings(["CROWDSEC_KEY": "k", "CROWDSEC_MAX_TLP": text])).maxTLP == level)
        #expect(throws: SettingsError.self) { try Rig.settings(["CROWDSEC_KEY": "k", "CROWDSEC_MAX_TLP": "PURPLE"]) }
    }

    // covers: key:CROWDSEC_NAME, key:CROWDSEC_DESCRIPTION, key:CROWDSEC_MIN_DELAY_BETWEEN_ENRICHMENTS
    // covers: key:CROWDSEC_INDICATOR_CREATE_FROM, key:CROWDSEC_SKIP_INDICATOR_FOR_FALSE_POSITIVES
    // covers: key:CROWDSEC_REMOVE_STALE_LABELS, key:CONNECTOR_UPDATE_EXISTING_DATA
    @Test func `texts lose the quotes of compose files`() throws {
        let options = EnrichmentOptions(
            try Rig.settings([
                "CROWDSEC_KEY": "k", "CROWDSEC_NAME": "'crowdsec'",
                "CROWDSEC_DESCRIPTION": "\"CrowdSec CTI enrichment\"",
                "CROWDSEC_MIN_DELAY_BETWEEN_ENRICHMENTS": "60", "CROWDSEC_INDICATOR_CREATE_FROM": "'malicious, known,'",
                "CROWDSEC_SKIP_INDICATOR_FOR_FALSE_POSITIVES": "yes", "CROWDSEC_REMOVE_STALE_LABELS": "on",
                "CONNECTOR_UPDATE_EXISTING_DATA": "True",
            ]))
        #expect(options.organizationName == "crowdsec")
        #expect(options.organizationDescription == "CrowdSec CTI enrichment")
        #expect(options.minDelay == .seconds(60))
        #expect(options.indicatorReputations == ["malicious", "known"])
        #expect(options.skipsIndicatorForFalsePositives && options.removesStaleLabels && options.updatesExisting)
    }

    // covers: key:CROWDSEC_LAST_ENRICHMENT_DATE_IN_DESCRIPTION, key:CROWDSEC_CREATE_TARGETED_COUNTRIES_SIGHTINGS
    // covers: key:CROWDSEC_ATTACK_PATTERN_CREATE_FROM_MITRE, key:CROWDSEC_VULNERABILITY_CREATE_FROM_CVE
    // covers: key:CROWDSEC_CREATE_NOTE, key:CROWDSEC_CREATE_SIGHTING, key:CROWDSEC_LABELS_SCENARIO_NAME
    // covers: key:CROWDSEC_LABELS_SCENARIO_LABEL, key:CROWDSEC_LABELS_CVE, key:CROWDSEC_LABELS_MITRE
    // covers: key:CROWDSEC_LABELS_REPUTATION, key:CROWDSEC_LABELS_BEHAVIOR
    @Test(
        arguments: [
            ("LAST_ENRICHMENT_DATE_IN_DESCRIPTION", \EnrichmentOptions.stampsDescription),
            ("CREATE_TARGETED_COUNTRIES_SIGHTINGS", \.createsCountrySightings),
            ("ATTACK_PATTERN_CREATE_FROM_MITRE", \.createsAttackPatterns),
            ("VULNERABILITY_CREATE_FROM_CVE", \.createsVulnerabilities), ("CREATE_NOTE", \.createsNote),
            ("CREATE_SIGHTING", \.createsSighting), ("LABELS_SCENARIO_NAME", \.labels.scenarioNames),
            ("LABELS_SCENARIO_LABEL", \.labels.scenarioLabels), ("LABELS_CVE", \.labels.cves),
            ("LABELS_MITRE", \.labels.techniques), ("LABELS_REPUTATION", \.labels.reputation),
            ("LABELS_BEHAVIOR", \.labels.behaviors),
        ] as [(String, any KeyPath<EnrichmentOptions, Bool> & Sendable)])
    func `each switch turns on and off, and nothing but yes and no is read`(
        _ name: String, _ path: any KeyPath<EnrichmentOptions, Bool> & Sendable
    ) throws {
        for (text, value) in [("true", true), ("FALSE", false), ("0", false), ("off", false), ("Yes", true)] {
            let options = EnrichmentOptions(try Rig.settings(["CROWDSEC_KEY": "k", "CROWDSEC_\(name)": text]))
            #expect(options[keyPath: path] == value)
        }
        #expect {
            try Rig.settings(["CROWDSEC_KEY": "k", "CROWDSEC_\(name)": "perhaps"])
        } throws: { "\($0)".contains("CROWDSEC_\(name)") }
    }

    // covers: key:CROWDSEC_LABELS_SCENARIO_COLOR, key:CROWDSEC_LABELS_CVE_COLOR, key:CROWDSEC_LABELS_MITRE_COLOR
    // covers: key:CROWDSEC_LABELS_BEHAVIOR_COLOR, key:CROWDSEC_LABELS_REPUTATION_MALICIOUS_COLOR
    // covers: key:CROWDSEC_LABELS_REPUTATION_SUSPICIOUS_COLOR, key:CROWDSEC_LABELS_REPUTATION_SAFE_COLOR
    // covers: key:CROWDSEC_LABELS_REPUTATION_KNOWN_COLOR
    @Test func `each colour has its own setting`() throws {
        let names = [
            "SCENARIO", "CVE", "MITRE", "BEHAVIOR", "REPUTATION_MALICIOUS", "REPUTATION_SUSPICIOUS", "REPUTATION_SAFE",
            "REPUTATION_KNOWN",
        ]
        var environment = ["CROWDSEC_KEY": "k"]
        for (index, name) in names.enumerated() { environment["CROWDSEC_LABELS_\(name)_COLOR"] = "'#00000\(index)'" }
        let labels = EnrichmentOptions(try Rig.settings(environment)).labels
        #expect(
            [labels.scenarioColor, labels.cveColor, labels.techniqueColor, labels.behaviorColor]
                == ["#000000", "#000001", "#000002", "#000003"])
        #expect(
            labels.reputationColors
                == ["malicious": "#000004", "suspicious": "#000005", "safe": "#000006", "known": "#000007"])
        for text in ["red", "#12345", "#GGGGGG"] {
            #expect(throws: SettingsError.self) {
                try Rig.settings(["CROWDSEC_KEY": "k", "CROWDSEC_LABELS_CVE_COLOR": text])
            }
        }
    }

    // covers: key:CROWDSEC_API_URL, key:CROWDSEC_MAX_CONCURRENT, key:TEMPLATE_ATTRIBUTE
    // covers: key:CONNECTOR_CONFIDENCE_LEVEL, key:CONNECTOR_SCOPE, key:CONNECTOR_NAME
    // covers: key:CONNECTOR_ENRICHMENT_RESOLUTION
    @Test func `new settings have defaults, and the seed's sample is accepted as it is`() throws {
        let plain = try Rig.settings(["CROWDSEC_KEY": "k"])
        #expect(plain[CrowdSecSettings.url].text == "https://cti.api.crowdsec.net")
        #expect(plain[CrowdSecSettings.maxConcurrent] == 32 && plain[CrowdSecSettings.cacheLifetime] == 3600)
        let seed = try Rig.settings([
            "CROWDSEC_KEY": "k", "CROWDSEC_MAX_TLP": "TLP:AMBER", "CONNECTOR_TYPE": "INTERNAL_ENRICHMENT",
            "CONNECTOR_NAME": "crowdsec", "CROWDSEC_NAME": "crowdsec",
            "CROWDSEC_DESCRIPTION": "\"CrowdSec CTI enrichment\"", "CONNECTOR_SCOPE": "IPv4-Addr",
            "CONNECTOR_CONFIDENCE_LEVEL": "100", "CONNECTOR_LOG_LEVEL": "error", "CROWDSEC_VERSION": "v2",
            "TEMPLATE_ATTRIBUTE": "x", "CONNECTOR_ENRICHMENT_RESOLUTION": "stix_bundle",
        ])
        #expect(seed[CrowdSecSettings.scope] == ["IPv4-Addr"])
        #expect(seed[CrowdSecSettings.name] == "crowdsec")
    }
}
