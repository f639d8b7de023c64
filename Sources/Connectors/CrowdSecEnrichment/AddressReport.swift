// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import CrowdSec
import Engine
import JSON
import NetAddress
import OpenCTI
import STIX
public import Settings

/// What CrowdSec says about one address, for somebody at a terminal.
public struct AddressReport: Sendable {
    /// `reputation` → `malicious`; fields without an answer are not there, repeated ones are.
    public var lines: [(field: String, text: String)]
    /// What an enrichment would send to OpenCTI, labels and author included.
    public var bundle: String
    public var isFound: Bool
}

extension CrowdSecEnrichmentConnector {
    /// The settings that one look-up needs: CrowdSec's and what becomes of an answer, nothing of OpenCTI.
    public static let lookupDeclaration = ConnectorSettings(
        name: declaration.name, title: declaration.title, summary: "One look-up at CrowdSec's CTI.",
        settings: CrowdSecSettings.connection + CrowdSecSettings.translation
            + [CrowdSecSettings.maxConcurrent, CrowdSecSettings.cacheLifetime],
        rules: [CrowdSecSettings.versionRule])

    /// Whether CrowdSec can be asked about a text: an address that a host on the Internet may have.
    public static func canAsk(about text: String) -> Bool { IPAddress(parsing: text)?.isWorthAsking ?? false }

    /// Looks one address up and translates the answer as an enrichment would.
    ///
    /// - Throws: an ``ActionableError`` with a text for people.
    public func report(on address: String) async throws -> AddressReport {
        let (answer, _) = try await lookups().answer(about: address)
        let isIPv6 = address.contains(":")
        let object = STIXObject.observable(isIPv6 ? "ipv6-addr" : "ipv4-addr", value: address)
        let observable = EnrichedObservable(
            stixID: object.id, type: isIPv6 ? "IPv6-Addr" : "IPv4-Addr", value: address, stix: object, isIPv6: isIPv6,
            isSelfContained: true)
        let translator = Translator(options: EnrichmentOptions(context.settings))
        let enrichment = translator.enrichment(
            of: observable, with: answer, on: .init(author: translator.usualAuthor), at: context.time.now)
        var random = SystemRandomNumberGenerator()
        var bundle = STIXBundle(random: &random)
        bundle.append(contentsOf: enrichment.objects.isEmpty ? [object] : enrichment.objects)
        var lines = [(field: "address", text: address)]
        var isFound = false
        if case .item(let item) = answer {
            isFound = true
            lines += Self.lines(item, enrichment)
        } else {
            lines.append(("reputation", "not found in CrowdSec CTI"))
        }
        return AddressReport(lines: lines, bundle: bundle.json.text, isFound: isFound)
    }

    private static func lines(_ item: CTIItem, _ enrichment: Enrichment) -> [(field: String, text: String)] {
        var lines: [(field: String, text: String)] = []
        func add(_ field: String, _ text: String?) { if let text, !text.isEmpty { lines.append((field, text)) } }
        add("reputation", item.reputation)
        add("confidence", item.confidence)
        add("background noise", item.backgroundNoise)
        add("first seen", item.firstSeen)
        add("last seen", item.lastSeen)
        add(
            "network",
            [item.ipRange, item.asNumber.map { "AS\($0)" }, item.asName].compactMap(\.self).joined(separator: " "))
        add("reverse dns", item.reverseDNS)
        add("origin", [item.country, item.city].compactMap(\.self).joined(separator: ", "))
        for behavior in item.behaviors { add("behavior", "\(behavior.name)  \(behavior.label)") }
        for scenario in item.attackDetails { add("scenario", "\(scenario.name)  \(scenario.label)") }
        for technique in item.mitreTechniques { add("technique", "\(technique.name)  \(technique.label)") }
        for cve in item.allCVEs { add("cve", cve) }
        for target in item.targetCountries {
            add("target", "\(Country.named(byCode: target.country)?.name ?? target.country)  \(target.percent)%")
        }
        for list in item.references { add("listed in", list.label) }
        for positive in item.falsePositives { add("false positive", positive.label) }
        add("would set labels", enrichment.labels.map(\.value).joined(separator: ", "))
        add("would send", "\(enrichment.objects.count) objects")
        return lines
    }
}
