// SPDX-License-Identifier: Apache-2.0

import CrowdSec

/// The note's Markdown, in the original's words and line ends.
///
/// Source: CrowdSec enrichment, 7.1.
enum NoteText {
    static let notFound = "This IP was not found in CrowdSec CTI. \n\n"

    static func about(_ item: CTIItem) -> String {
        var text = "**Reputation**: \(item.reputation ?? "") \n\n**Confidence**: \(item.confidence ?? "") \n\n"
        if let first = item.firstSeen { text += "**First Seen**: \(first) \n\n" }
        if let last = item.lastSeen { text += "**Last Seen**: \(last) \n\n" }
        if let country = item.country, let city = item.city { text += "**Origin**: \(country) (\(city)) \n\n" }
        if !item.behaviors.isEmpty {
            text += "**Behaviors**: \n\n"
            for behavior in item.behaviors { text += "- \(behavior.label): \(behavior.description)\n\n" }
        }
        if !item.targetCountries.isEmpty {
            text += "**Most targeted countries**: \n\n"
            for target in item.targetCountries {
                let name = Country.named(byCode: target.country)?.name ?? target.country
                text += "- \(name) (\(target.percent)%)\n\n"
            }
        }
        return text
    }
}
