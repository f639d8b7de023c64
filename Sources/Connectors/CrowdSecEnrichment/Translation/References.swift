// SPDX-License-Identifier: Apache-2.0

import CrowdSec
import STIX

/// The external references of an enrichment.
///
/// Source: CrowdSec enrichment, 6.1.
enum References {
    static func console(of address: String) -> ExternalReference {
        ExternalReference(
            sourceName: "CrowdSec CTI", description: "CrowdSec CTI url for this IP",
            url: "https://app.crowdsec.net/cti/\(address)")
    }

    /// MITRE's page; a sub-technique's is below that of its technique.
    static func technique(_ technique: CTIItem.Detail) -> ExternalReference {
        let path = String(technique.name.map { $0 == "." ? "/" : $0 })
        return ExternalReference(
            sourceName: name(of: technique), description: "\(technique.label): \(technique.description)",
            url: "https://attack.mitre.org/techniques/\(path)")
    }

    static func name(of technique: CTIItem.Detail) -> String { "MITRE ATT&CK (\(technique.name) - \(technique.label))" }

    /// Lists that name the address: those whose first URL is one for a browser.
    static func lists(of item: CTIItem) -> [ExternalReference] {
        unique(
            item.references.compactMap { list in
                guard let url = list.references.first, url.hasPrefix("http") else { return nil }
                return ExternalReference(sourceName: list.label, description: list.description, url: url)
            })
    }

    /// Each URL once, at its first place.
    static func unique(_ references: [ExternalReference]) -> [ExternalReference] {
        var seen: Set<String> = []
        return references.filter { seen.insert($0.url ?? "").inserted }
    }
}
