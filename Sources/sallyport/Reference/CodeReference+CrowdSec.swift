// SPDX-License-Identifier: Apache-2.0

extension CodeReference {
    static let crowdSec = Area(
        title: "CrowdSec",
        introduction: "The work of an enrichment that ends so shows the same text on the platform.",
        codes: [
            .init(
                "crowdsec.quota", "The key's quota is spent; further attempts (CROWDSEC_MAX_ATTEMPTS) did not help.",
                "Wait for tomorrow's tokens or a larger plan; raise CROWDSEC_CACHE_LIFETIME."),
            .init(
                "crowdsec.refused", "CrowdSec refuses the request, in most cases the key (403).",
                "Check CROWDSEC_KEY and CROWDSEC_API_URL."),
            .init("crowdsec.unavailable", "CrowdSec answered 5xx six times.", "Ask again later."),
            .init(
                "crowdsec.unreachable", "CrowdSec can't be reached.",
                "Check CROWDSEC_API_URL, the proxy and the firewall."),
            .init("crowdsec.malformed", "The answer is no JSON object.", "Look at what stands in front of the API."),
            .init("crowdsec.configuration", "The key can't be sent as it is.", "Copy it again into CROWDSEC_KEY."),
            .init("crowdsec.cancelled", "The process stopped during a look-up; the request comes again."),
            .init(
                "crowdsec.tlp", "The observable's marking is stricter than CROWDSEC_MAX_TLP: nothing was sent.",
                "Raise CROWDSEC_MAX_TLP where that is allowed."),
            .init(
                "crowdsec.too_soon", "Enriched less than CROWDSEC_MIN_DELAY_BETWEEN_ENRICHMENTS ago: not asked again."),
            .init("crowdsec.invalid_address", "The observable's value is no IP address."),
            .init("crowdsec.not_public", "A private, loopback or otherwise reserved address: nobody outside knows it."),
            .init(
                "crowdsec.no_address", "An entity of another type than IP addresses.",
                "Set CONNECTOR_SCOPE to IPv4-Addr,IPv6-Addr."),
            .init("crowdsec.key", "What `check` says of the key."),
        ])
}
