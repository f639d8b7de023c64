// SPDX-License-Identifier: Apache-2.0

import STIX

/// What an enrichment makes of an answer: the settings that translation depends on, with the original's code defaults.
///
/// Source: CrowdSec enrichment, 4.
struct EnrichmentOptions: Sendable, Hashable {
    var organizationName = "CrowdSec"
    var organizationDescription = "Curated Threat Intelligence Powered by the Crowd"
    /// The most restrictive level that may still be asked about; `nil` asks about everything.
    var maxTLP: TLP? = .amber
    var minDelay: Duration = .seconds(300)
    var stampsDescription = true
    var createsCountrySightings = true
    var createsSighting = true
    var createsNote = false
    /// Reputations that make an indicator.
    var indicatorReputations: Set<String> = []
    var skipsIndicatorForFalsePositives = false
    var createsAttackPatterns = false
    var createsVulnerabilities = true
    var labels = Labels()
    var removesStaleLabels = false
    /// The bundle's `update` flag.
    var updatesExisting = false

    /// Which labels, and in which colour a new one is made.
    struct Labels: Sendable, Hashable {
        var scenarioNames = true
        var scenarioLabels = true
        var cves = false
        var techniques = false
        var behaviors = false
        var reputation = false
        var scenarioColor = "#2E2A14"
        var cveColor = "#800080"
        var techniqueColor = "#000080"
        var behaviorColor = "#808000"
        /// Reputations without a colour get no label.
        var reputationColors = [
            "malicious": "#FF0000", "suspicious": "#FFA500", "safe": "#00BFFF", "known": "#808080",
        ]
    }
}

/// The observable that is enriched, out of the platform's request.
struct EnrichedObservable: Sendable {
    /// `ipv4-addr--…`
    var stixID: String
    /// `IPv4-Addr`, as the platform names the type.
    var type: String
    /// As the platform has it.
    var value: String
    var description: String?
    /// Ids of all its markings, TLP or not.
    var markings: [String] = []
    /// Labels it carries already.
    var labels: [String] = []
    /// The object that goes back in the bundle, with the stamp and a reference added to it.
    var stix: STIXObject
    var isIPv6: Bool
    /// A playbook or a draft takes everything from the bundle: nothing may be written beside it.
    var isSelfContained = false
}
