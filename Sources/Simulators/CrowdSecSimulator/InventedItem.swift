// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// What the service knows of an address that nobody prepared: the same for the same address and seed, and varied, one in
/// eight unknown.
///
/// Shapes: CrowdSec enrichment, 2. Names and numbers are invented or of public documentation.
struct InventedItem {
    private var random: SeededRandom
    let address: String

    init(_ address: String, seed: UInt64) {
        self.address = address
        // FNV-1a: close addresses get unlike records.
        let hash = address.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        random = SeededRandom(seed: hash ^ seed)
    }

    /// `nil`: never reported.
    mutating func json() -> JSONValue? {
        let reputations = [
            "malicious", "malicious", "malicious", "suspicious", "suspicious", "known", "safe", nil as String?,
        ]
        guard let reputation = pick(reputations) else { return nil }
        let confidence = reputation == "known" ? "low" : pick(["high", "medium"])
        let attacks = some(of: Self.attacks, atMost: 3)
        let isScanner = reputation == "safe"
        let number = Int(random.next() % 1000)
        return [
            "ip": .string(address), "reputation": .string(reputation),
            "ip_range": .string(address.contains(":") ? "2001:db8::/32" : range), "background_noise": "medium",
            "confidence": .string(confidence), "background_noise_score": .int(number % 11),
            "ip_range_score": .int(number % 6),
            "as_name": .string("EXAMPLE-\(number)"), "as_num": .int(64_496 + number % 16),
            "ip_range_24": address.contains(":") ? nil : .string(range), "ip_range_24_reputation": .string(reputation),
            "ip_range_24_score": .int(number % 6), "reverse_dns": nil, "location": pick(Self.places),
            "behaviors": .array(attacks.map { Self.detail($0.behavior, $0.title, "IP has been reported for it.") }),
            "history": history(number),
            "classifications": [
                "false_positives": isScanner
                    ? [Self.detail("scanner:example", "Known scanner", "IP belongs to a company that scans.")] : [],
                "classifications": [],
            ],
            "attack_details": .array(attacks.map { Self.detail($0.scenario, $0.title, "Detects it.") }),
            "target_countries": targets(), "mitre_techniques": .array(techniques(attacks)),
            "cves": .array(attacks.compactMap { $0.cve.map { .string($0) } }),
            "scores": ["overall": score(number), "last_day": score(number / 2), "last_week": score(number / 3)],
            "references": reputation == "malicious" ? [Self.reference] : [],
        ]
    }

    private var range: String { address.split(separator: ".").prefix(3).joined(separator: ".") + ".0/24" }

    private mutating func history(_ number: Int) -> JSONValue {
        [
            "first_seen": .string("2025-1\(number % 3)-0\(1 + number % 9)T06:30:00+00:00"),
            "last_seen": .string("2026-06-1\(number % 5)T22:15:00+00:00"), "full_age": .int(100 + number),
            "days_age": .int(90 + number),
        ]
    }

    private mutating func targets() -> JSONValue {
        var shares: JSONObject = [:]
        var left = 100
        for country in some(of: ["US", "DE", "FR", "GB", "JP", "BE", "CA"], atMost: 4) {
            let share = max(1, left / 2)
            shares[country] = .int(share)
            left -= share
        }
        return .object(shares)
    }

    private func techniques(_ attacks: [Attack]) -> [JSONValue] {
        var seen: Set<String> = []
        return attacks.filter { seen.insert($0.technique).inserted }.map {
            Self.detail($0.technique, $0.techniqueName, "Adversaries may do it.")
        }
    }

    private func score(_ number: Int) -> JSONValue {
        [
            "aggressiveness": .int(number % 6), "threat": .int(number % 5), "trust": .int(number % 4),
            "anomaly": .int(number % 3), "total": .int(number % 6),
        ]
    }

    private mutating func pick<Element>(_ list: [Element]) -> Element { list[Int(random.next() % UInt64(list.count))] }

    private mutating func some<Element>(of list: [Element], atMost count: Int) -> [Element] {
        Array(list.shuffled(using: &random).prefix(1 + Int(random.next() % UInt64(count))))
    }

    // MARK: Material

    private struct Attack {
        let scenario: String
        let title: String
        let behavior: String
        let technique: String
        let techniqueName: String
        var cve: String?
    }

    private static let attacks = [
        Attack(
            scenario: "crowdsecurity/ssh-bf", title: "SSH Bruteforce", behavior: "ssh:bruteforce", technique: "T1110",
            techniqueName: "Brute Force"),
        Attack(
            scenario: "crowdsecurity/ssh-slow-bf", title: "SSH Slow Bruteforce", behavior: "ssh:bruteforce",
            technique: "T1110.001", techniqueName: "Password Guessing"),
        Attack(
            scenario: "crowdsecurity/http-probing", title: "HTTP Probing", behavior: "http:scan", technique: "T1595",
            techniqueName: "Active Scanning"),
        Attack(
            scenario: "firewallservices/pf-scan-multi_ports", title: "PF Scan Multi Ports", behavior: "tcp:scan",
            technique: "T1046", techniqueName: "Network Service Discovery"),
        Attack(
            scenario: "crowdsecurity/http-cve-2021-41773", title: "CVE-2021-41773", behavior: "http:exploit",
            technique: "T1190", techniqueName: "Exploit Public-Facing Application", cve: "CVE-2021-41773"),
        Attack(
            scenario: "crowdsecurity/CVE-2022-26134", title: "Confluence CVE-2022-26134", behavior: "http:exploit",
            technique: "T1190", techniqueName: "Exploit Public-Facing Application", cve: "CVE-2022-26134"),
    ]

    private static let places: [JSONValue] = [
        ["country": "NL", "city": "Amsterdam", "latitude": 52.37, "longitude": 4.89],
        ["country": "US", "city": "Ashburn", "latitude": 39.04, "longitude": -77.49],
        ["country": "SG", "city": nil, "latitude": 1.35, "longitude": 103.82],
    ]

    private static let reference: JSONValue = [
        "name": "list:firehol_greensnow", "label": "Firehol greensnow.co list", "description": "A public list.",
        "references": ["https://iplists.firehol.org/?ipset=greensnow"],
    ]

    private static func detail(_ name: String, _ label: String, _ description: String) -> JSONValue {
        [
            "name": .string(name), "label": .string(label), "description": .string(description), "references": [],
        ]
    }
}
