// SPDX-License-Identifier: Apache-2.0

import CrowdSec

/// A label that the observable is to carry, and its colour in case it has to be made.
struct LabelWish: Sendable, Hashable {
    var value: String
    var color: String
}

extension CTIItem {
    /// The CVEs that the service lists and those that scenario names hold, upper case, each once.
    var allCVEs: [String] {
        var seen: Set<String> = []
        return (cves + attackDetails.flatMap { CVEName.all(in: $0.name) }).map { $0.uppercased() }
            .filter { !$0.isEmpty && seen.insert($0).inserted }
    }

    /// The labels in the original's order, each value once whatever its case, the first colour kept.
    ///
    /// Source: CrowdSec enrichment, 6.3.
    func labels(_ options: EnrichmentOptions.Labels) -> [LabelWish] {
        var wishes: [LabelWish] = []
        var seen: Set<String> = []
        func wish(_ values: [String], _ color: String) {
            for value in values where !value.isEmpty && seen.insert(value.lowercased()).inserted {
                wishes.append(LabelWish(value: value, color: color))
            }
        }
        if options.techniques { wish(mitreTechniques.map(\.name), options.techniqueColor) }
        if options.cves { wish(allCVEs, options.cveColor) }
        if options.behaviors { wish(behaviors.map(\.name), options.behaviorColor) }
        if options.reputation, let reputation, let color = options.reputationColors[reputation] {
            wish([reputation], color)
        }
        if options.scenarioNames {
            wish(attackDetails.map(\.name).filter { CVEName.all(in: $0).isEmpty }, options.scenarioColor)
        }
        if options.scenarioLabels { wish(attackDetails.map(\.label), options.scenarioColor) }
        return wishes
    }
}

/// `CVE-\d{4}-\d{4,7}`, in any case.
enum CVEName {
    static func all(in text: String) -> [String] {
        var found: [String] = []
        var rest = Substring(text)
        while let start = rest.firstIndex(where: { $0 == "c" || $0 == "C" }) {
            rest = rest[start...]
            guard let length = length(atStartOf: rest.utf8) else {
                rest = rest.dropFirst()
                continue
            }
            let end = rest.utf8.index(rest.startIndex, offsetBy: length)
            found.append(String(rest[..<end]))
            rest = rest[end...]
        }
        return found
    }

    private static func length(atStartOf text: Substring.UTF8View) -> Int? {
        let bytes = Array(text.prefix(16))
        func isDigit(_ index: Int) -> Bool { index < bytes.count && bytes[index] &- UInt8(ascii: "0") < 10 }
        guard bytes.count >= 13, zip(bytes, "cve-".utf8).allSatisfy({ $0 | 0x20 == $1 | 0x20 }),
            (4..<8).allSatisfy(isDigit), bytes[8] == UInt8(ascii: "-")
        else { return nil }
        let digits = (9..<16).prefix(while: isDigit).count
        return digits >= 4 ? 9 + digits : nil
    }
}
