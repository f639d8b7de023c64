// SPDX-License-Identifier: Apache-2.0

public import JSON

/// What CrowdSec knows about one address: the `SmokeItem` of its CTI API.
///
/// Reading is tolerant, since the service sends `null`, the text `"None"` and nothing at all for an empty list: what is
/// missing or of another type counts as absent, unknown members do not matter.
///
/// Source: CrowdSec enrichment, 2; `crowdsecurity/crowdsec: pkg/cticlient/types.go`.
public struct CTIItem: Sendable, Hashable {
    /// A behaviour, scenario, technique or list that the service names and explains.
    public struct Detail: Sendable, Hashable {
        /// `ssh:bruteforce`, `crowdsecurity/ssh-bf`, `T1110`
        public var name: String
        public var label: String
        public var description: String
        /// URLs; the service's word, not checked.
        public var references: [String]

        public init(name: String, label: String, description: String = "", references: [String] = []) {
            self.name = name
            self.label = label
            self.description = description
            self.references = references
        }
    }

    /// A country and its share of the attacks.
    public struct Target: Sendable, Hashable {
        /// ISO 3166-1 alpha-2 in most cases; `XK`, `EU`, `T1` occur.
        public var country: String
        /// 0…100
        public var percent: Int
    }

    public var ip: String?
    /// `malicious`, `suspicious`, `known`, `safe`; any other text is possible.
    public var reputation: String?
    /// `high`, `medium`, `low`, `none`.
    public var confidence: String?
    /// `high`, `medium`, `low`, `none`.
    public var backgroundNoise: String?
    public var asName: String?
    public var asNumber: Int?
    public var ipRange: String?
    public var reverseDNS: String?
    public var country: String?
    public var city: String?
    public var behaviors: [Detail] = []
    /// RFC 3339 with an offset: `2026-06-14T22:15:00+00:00`.
    public var firstSeen: String?
    public var lastSeen: String?
    /// Not empty for known scanners, crawlers and content networks.
    public var falsePositives: [Detail] = []
    public var classifications: [Detail] = []
    /// Scenarios.
    public var attackDetails: [Detail] = []
    /// In the order of the answer, most targeted first.
    public var targetCountries: [Target] = []
    /// The name is the technique id.
    public var mitreTechniques: [Detail] = []
    public var cves: [String] = []
    public var references: [Detail] = []

    public init() {}

    public init(_ json: JSONObject) {
        func text(_ object: JSONValue?, _ key: String) -> String? {
            guard let text = object?[key]?.string, !text.isEmpty else { return nil }
            return text
        }
        let item = JSONValue.object(json)
        ip = text(item, "ip")
        reputation = text(item, "reputation")
        confidence = text(item, "confidence")
        backgroundNoise = text(item, "background_noise")
        asName = text(item, "as_name")
        asNumber = json["as_num"]?.int.map { Int($0) }
        ipRange = text(item, "ip_range")
        reverseDNS = text(item, "reverse_dns")
        country = text(json["location"], "country")
        city = text(json["location"], "city")
        behaviors = Self.details(json["behaviors"])
        firstSeen = text(json["history"], "first_seen")
        lastSeen = text(json["history"], "last_seen")
        falsePositives = Self.details(json["classifications"]?["false_positives"])
        classifications = Self.details(json["classifications"]?["classifications"])
        attackDetails = Self.details(json["attack_details"])
        mitreTechniques = Self.details(json["mitre_techniques"])
        references = Self.details(json["references"])
        cves = (json["cves"]?.array ?? []).compactMap(\.string)
        for (country, share) in json["target_countries"]?.object ?? [:] {
            guard let share = share.double, share.isFinite else { continue }
            targetCountries.append(Target(country: country, percent: Int(min(max(share, 0), 999_999_999))))
        }
    }

    private static func details(_ value: JSONValue?) -> [Detail] {
        (value?.array ?? []).compactMap { entry in
            guard let object = entry.object else { return nil }
            return Detail(
                name: object["name"]?.string ?? "", label: object["label"]?.string ?? "",
                description: object["description"]?.string ?? "",
                references: (object["references"]?.array ?? []).compactMap(\.string))
        }
    }
}

/// What the service answers about an address.
public enum CTIAnswer: Sendable, Hashable {
    case item(CTIItem)
    /// 404: the address has never been reported.
    case notFound
    /// 200 with an empty object.
    case empty
}
