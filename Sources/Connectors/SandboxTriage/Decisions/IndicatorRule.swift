// SPDX-License-Identifier: Apache-2.0

import NetAddress
import VMRay

/// Which indicators a malicious sample calls for. Source: VMRay, 4.
enum IndicatorRule {
    /// The sample's hash, other hashes, IPv4, IPv6, domains; each group ascending.
    static func indicators(of sha256: String, _ iocs: VMRayIOCs, _ policy: TriagePolicy) -> [TriageIndicator] {
        var found: Set<TriageIndicator> = []
        for hash in hashes(iocs, policy.selectedVerdicts) where hash != sha256 {
            found.insert(TriageIndicator(kind: .sha256, value: hash))
        }
        for entry in iocs.addresses where counts(entry.verdict, policy.selectedVerdicts) {
            found.formUnion(([entry.address] + entry.domains).compactMap { host($0) })
        }
        for entry in iocs.links where counts(entry.verdict, policy.selectedVerdicts) {
            if policy.takesURLAddresses { found.formUnion(entry.addresses.compactMap { host($0) }) }
            found.formUnion(entry.originalURLs.compactMap { authority(of: $0) }.compactMap { host($0) })
        }
        for entry in iocs.domains where counts(entry.verdict, policy.selectedVerdicts) {
            if let name = host(entry.name) { found.insert(name) }
        }
        return [TriageIndicator(kind: .sha256, value: sha256)]
            + found.sorted { ($0.kind, $0.value) < ($1.kind, $1.value) }
    }

    /// SHA-256 of the files that count. Files classed as ransomware are left out, as the original does.
    static func hashes(_ iocs: VMRayIOCs, _ selected: Set<Verdict>) -> [String] {
        let files = iocs.files.filter { counts($0.verdict, selected) && !$0.classifications.contains("Ransomware") }
        return Set(files.flatMap(\.sha256).map { $0.lowercased() }).filter { isSHA256($0) }.sorted()
    }

    /// Whether an entry's verdict is one of those that count; an entry without one has that of its list.
    static func counts(_ verdict: String?, _ selected: Set<Verdict>) -> Bool {
        verdict.map { text in selected.contains { $0.rawValue == text } } ?? true
    }

    static func isSHA256(_ text: String) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy {
                ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
                    || ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "f"))
            }
    }

    /// An address that is not of a private or special range (documentation can hurt nobody), or a name with a dot.
    static func host(_ text: String) -> TriageIndicator? {
        if let address = IPAddress(parsing: text)?.unmapped {
            guard address.isGlobal || address.isDocumentation else { return nil }
            return TriageIndicator(kind: address.isV4 ? .ipv4 : .ipv6, value: address.description)
        }
        guard let name = try? DomainName(parsing: text.last == "." ? text.dropLast() : text[...]) else { return nil }
        let value = name.ascii.lowercased()
        guard value.contains("."), value.contains(where: { !"0123456789.".contains($0) }) else { return nil }
        return TriageIndicator(kind: .domain, value: value)
    }

    /// The host of a URL without user info, port and brackets; `nil` without `//` or host.
    static func authority(of url: String) -> String? {
        guard let mark = url.firstRange(of: "://") else { return nil }
        var authority = url[mark.upperBound...].prefix { !"/?#\\".contains($0) }
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            return String(authority[authority.index(after: authority.startIndex)..<end])
        }
        let host = authority.prefix { $0 != ":" }
        return host.isEmpty ? nil : String(host)
    }
}
