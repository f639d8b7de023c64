// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import STIX
import Settings

/// What an operator can say: the names of the original's first and of its current version, and some of the same form.
///
/// Source: CrowdSec enrichment, 4.
enum CrowdSecSettings {
    static let key = Setting<Secret>("crowdsec.key", "Key of CrowdSec's CTI API (CTI › API keys in its console).")
        .at(.connection("crowdsec", "key")).checking { key in
            ["ChangeMe", "<your API Key>"].contains(key.reveal())
                ? InvalidValue("still has the sample's value", remedy: "Copy the key from CrowdSec's console.") : nil
        }
    static let url = Setting<EndpointURL>(
        "crowdsec.api_url", default: "https://cti.api.crowdsec.net",
        "Address of the API, for a proxy in front of it and for rehearsals."
    ).at(.connection("crowdsec", "api_url"))
    static let version = Setting<UnquotedText>(
        "crowdsec.api_version", default: "v2", "Version of the API; there is no other."
    ).or("crowdsec.version").at(.connection("crowdsec", "api_version"))
    static let verification = Setting<TLSVerification>(
        "crowdsec.ssl_verify", default: .system,
        "Whether the API's certificate is checked, or the file of the CA to check it against (an inspecting proxy)."
    ).at(.connection("crowdsec", "ssl_verify"))
    static let connection: [any AnySetting] = [key, url, version, verification, attempts]

    static let name = OpenCTISettings.name.defaulting(to: "CrowdSec")
    static let scope = Setting<[String]>(
        "connector.scope", default: ["IPv4-Addr", "IPv6-Addr"], "Types of observable that the platform sends.")

    static let maxTLP = Setting<MaximumTLP>(
        "crowdsec.max_tlp", default: MaximumTLP(level: .amber),
        "Observables with a stricter marking are not asked about. The most restrictive of several counts.")
    static let organizationName = Setting<UnquotedText>(
        "crowdsec.name", default: "CrowdSec", "Name of the organization that is the author of everything."
    ).at(.flow("organization_name"))
    static let organizationDescription = Setting<UnquotedText?>(
        "crowdsec.description",
        "Its description, where it has to be created; without it, “\(EnrichmentOptions().organizationDescription)”."
    ).at(.flow("organization_description"))
    static let minDelay = Setting<Int>(
        "crowdsec.min_delay_between_enrichments", default: 300,
        "Seconds in which an observable that was enriched is left alone."
    ).atLeast(0)
    static let stampsDescription = Setting<Bool>(
        "crowdsec.last_enrichment_date_in_description", default: true,
        "Note the time of enrichment in the observable's description. Without it, `min_delay_between_enrichments` finds "
            + "nothing to go by.")
    static let createsCountrySightings = Setting<Bool>(
        "crowdsec.create_targeted_countries_sightings", default: true,
        "A sighting of the observable in each country it attacks.")
    static let indicatorReputations = Setting<[UnquotedText]>(
        "crowdsec.indicator_create_from", default: [], "Reputations that make an indicator; none by default."
    ).example("malicious,suspicious,known")
    static let createsAttackPatterns = Setting<Bool>(
        "crowdsec.attack_pattern_create_from_mitre", default: false, "An attack pattern for each MITRE technique.")
    static let createsVulnerabilities = Setting<Bool>(
        "crowdsec.vulnerability_create_from_cve", default: true, "A vulnerability for each CVE.")
    static let createsNote = Setting<Bool>("crowdsec.create_note", default: false, "A note with each enrichment.")
    static let createsSighting = Setting<Bool>(
        "crowdsec.create_sighting", default: true, "A sighting of the observable by CrowdSec.")

    static let labelsScenarioName = Setting<Bool>(
        "crowdsec.labels_scenario_name", default: true, "Label with the names of scenarios: `crowdsecurity/ssh-bf`.")
    static let labelsScenarioLabel = Setting<Bool>(
        "crowdsec.labels_scenario_label", default: true, "Label with the titles of scenarios: `SSH Bruteforce`.")
    static let labelsScenarioColor = color("labels_scenario_color", "#2E2A14", "scenarios")
    static let labelsCVE = Setting<Bool>("crowdsec.labels_cve", default: false, "Label with CVEs.")
    static let labelsCVEColor = color("labels_cve_color", "#800080", "CVEs")
    static let labelsMITRE = Setting<Bool>("crowdsec.labels_mitre", default: false, "Label with MITRE techniques.")
    static let labelsMITREColor = color("labels_mitre_color", "#000080", "MITRE techniques")
    static let labelsReputation = Setting<Bool>(
        "crowdsec.labels_reputation", default: false, "Label with the reputation.")
    static let maliciousColor = color("labels_reputation_malicious_color", "#FF0000", "the reputation malicious")
    static let suspiciousColor = color("labels_reputation_suspicious_color", "#FFA500", "the reputation suspicious")
    static let safeColor = color("labels_reputation_safe_color", "#00BFFF", "the reputation safe")
    static let knownColor = color("labels_reputation_known_color", "#808080", "the reputation known")
    static let labelsBehavior = Setting<Bool>(
        "crowdsec.labels_behavior", default: false, "Label with behaviours: `ssh:bruteforce`.")
    static let labelsBehaviorColor = color("labels_behavior_color", "#808000", "behaviours")

    static let maxConcurrent = Setting<Int>(
        "crowdsec.max_concurrent", default: 32, "Requests worked on at once."
    ).within(1...1000)
    static let cacheLifetime = Setting<Int>(
        "crowdsec.cache_lifetime", default: 3600,
        "Seconds in which an answer is used again instead of spending a token of the quota; 0 turns that off."
    ).within(0...86_400)
    static let attempts = Setting<Int>(
        "crowdsec.max_attempts", default: 6,
        "How often a look-up is tried that the service refuses for want of quota (429) or can't answer now (5xx), 2, 4, 8, 16 "
            + "and 32 s apart; then the work ends in an error."
    ).within(1...6).at(.connection("crowdsec", "max_attempts"))
    static let removesStaleLabels = Setting<Bool>(
        "crowdsec.remove_stale_labels", default: false,
        "Take the label of a former reputation off again, where this connector had set it.")
    static let skipsFalsePositives = Setting<Bool>(
        "crowdsec.skip_indicator_for_false_positives", default: false,
        "No indicator for what CrowdSec lists as a false positive: known scanners, crawlers, content networks.")
    static let updatesExisting = Setting<Bool>(
        "connector.update_existing_data", default: false,
        "Whether objects that stand on the platform already are overwritten.")

    private static func color(_ name: String, _ value: String, _ what: String) -> Setting<LabelColor> {
        Setting("crowdsec.\(name)", default: LabelColor(value), "Colour of labels made for \(what).")
    }

    /// What an answer becomes.
    static let translation: [any AnySetting] = [
        maxTLP, organizationName, organizationDescription, minDelay, stampsDescription, createsCountrySightings,
        indicatorReputations, skipsFalsePositives, createsAttackPatterns, createsVulnerabilities, createsNote,
        createsSighting, labelsScenarioName, labelsScenarioLabel, labelsScenarioColor, labelsCVE, labelsCVEColor,
        labelsMITRE, labelsMITREColor, labelsReputation, maliciousColor, suspiciousColor, safeColor, knownColor,
        labelsBehavior, labelsBehaviorColor, removesStaleLabels, updatesExisting,
    ]

    static let all: [any AnySetting] =
        OpenCTISettings.connection + connection + [name, scope] + EnrichmentSettings.all + translation
        + [maxConcurrent, cacheLifetime] + BundleSettings.all + withoutEffect

    private static let withoutEffect: [any AnySetting] = [
        ignored("connector.confidence_level", "the platform has ignored it since 6.0"),
        ignored("connector.enrichment_resolution", "what is needed of an observable is read afresh"),
        ignored("connector.run_and_terminate", "an enrichment does not end"),
        ignored("connector.duration_period", "it is for imports"),
        ignored("connector.queue_threshold", "it is for imports"),
        ignored("connector.live_stream_id", "it is for streams"),
        ignored("connector.expose_metrics", "metrics are always offered at the process's own listener"),
        ignored("connector.metrics_port", "metrics are always offered at the process's own listener"),
        ignored("template.attribute", "the original's table names it, its program has never read it"),
    ]

    private static func ignored(_ key: String, _ reason: String) -> Setting<String?> {
        Setting<String?>(key, "Accepted for compatibility.").at(.dropIn).ignored(because: reason)
    }

    /// The original's own words, trailing blank included.
    static let versionRule: ConnectorSettings.Rule = { settings in
        let text = settings[version].text
        guard text != "v2" else { return nil }
        return .init(version, "crowdsec api version '\(text)' is not supported ", remedy: "Set v2.")
    }
}

extension EnrichmentOptions {
    /// From the settings in ``CrowdSecSettings/translation``.
    init(_ settings: ResolvedSettings) {
        typealias Names = CrowdSecSettings
        organizationName = settings[Names.organizationName].text
        organizationDescription = settings[Names.organizationDescription]?.text ?? organizationDescription
        maxTLP = settings[Names.maxTLP].level
        minDelay = .seconds(settings[Names.minDelay])
        stampsDescription = settings[Names.stampsDescription]
        createsCountrySightings = settings[Names.createsCountrySightings]
        createsSighting = settings[Names.createsSighting]
        createsNote = settings[Names.createsNote]
        indicatorReputations = Set(settings[Names.indicatorReputations].map(\.text).filter { !$0.isEmpty })
        skipsIndicatorForFalsePositives = settings[Names.skipsFalsePositives]
        createsAttackPatterns = settings[Names.createsAttackPatterns]
        createsVulnerabilities = settings[Names.createsVulnerabilities]
        removesStaleLabels = settings[Names.removesStaleLabels]
        updatesExisting = settings[Names.updatesExisting]
        labels = Labels(settings)
    }
}

extension EnrichmentOptions.Labels {
    fileprivate init(_ settings: ResolvedSettings) {
        typealias Names = CrowdSecSettings
        scenarioNames = settings[Names.labelsScenarioName]
        scenarioLabels = settings[Names.labelsScenarioLabel]
        cves = settings[Names.labelsCVE]
        techniques = settings[Names.labelsMITRE]
        behaviors = settings[Names.labelsBehavior]
        reputation = settings[Names.labelsReputation]
        scenarioColor = settings[Names.labelsScenarioColor].text
        cveColor = settings[Names.labelsCVEColor].text
        techniqueColor = settings[Names.labelsMITREColor].text
        behaviorColor = settings[Names.labelsBehaviorColor].text
        reputationColors = [
            "malicious": settings[Names.maliciousColor].text, "suspicious": settings[Names.suspiciousColor].text,
            "safe": settings[Names.safeColor].text, "known": settings[Names.knownColor].text,
        ]
    }
}
