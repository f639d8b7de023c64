// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import CrowdSec
import JSON
import STIX

/// What an answer becomes: the bundle, and what is written to the platform beside it.
struct Enrichment: Sendable {
    /// The observable first, then what is new; each id once.
    var objects: [STIXObject] = []
    /// For the observable, through the platform's own calls.
    var labels: [LabelWish] = []
    /// To exist before the bundle names them: one that only stands in a bundle does not come back once somebody deleted it.
    ///
    /// Source: `OpenCTI-Platform/opencti: issue 7217`.
    var references: [ExternalReference] = []
    /// Whether anything names the organization as its author.
    var hasAuthor = false
    /// What the work says when all went well.
    var message = ""
}

/// An answer, an observable and a moment → an ``Enrichment``. Pure: no network, no clock but the item's own.
///
/// Source: CrowdSec enrichment, 6 and 7.
struct Translator: Sendable {
    let options: EnrichmentOptions
    /// Formulas of the platform's version.
    var ids = ObjectIDs()

    /// What translation needs to know of the platform.
    struct Platform: Sendable {
        /// The organization's id.
        var author: String
        /// Names of techniques that the platform has already, by technique id, for bundles that overwrite.
        var techniqueNames: [String: String] = [:]
    }

    /// The id that the organization has unless the platform knows it under another.
    var usualAuthor: String { ids.identity(name: options.organizationName, identityClass: "organization") }

    func enrichment(
        of observable: EnrichedObservable, with answer: CTIAnswer, on platform: Platform, at time: Instant
    ) -> Enrichment {
        var draft = Draft(self, observable, platform, time)
        switch answer {
        case .empty:
            return Enrichment(message: "No return data from CrowdSec CTI for IP: \(observable.value)")
        case .notFound: draft.addUnknown()
        case .item(let item): draft.add(item)
        }
        if observable.isSelfContained { draft.gatherUp() }
        return draft.enrichment
    }

    /// STIX confidence of the service's word.
    static func confidence(_ text: String?) -> Int { ["high": 90, "medium": 60, "low": 30][text ?? ""] ?? 0 }

    func makesIndicator(_ item: CTIItem) -> Bool {
        guard let reputation = item.reputation, options.indicatorReputations.contains(reputation) else { return false }
        return !(options.skipsIndicatorForFalsePositives && !item.falsePositives.isEmpty)
    }
}

/// A bundle in the making.
private struct Draft {
    let options: EnrichmentOptions
    let ids: ObjectIDs
    let observable: EnrichedObservable
    let platform: Translator.Platform
    let translator: Translator
    let time: Instant
    private(set) var enrichment = Enrichment()
    private var seen: Set<String> = []

    init(
        _ translator: Translator, _ observable: EnrichedObservable, _ platform: Translator.Platform, _ time: Instant
    ) {
        self.translator = translator
        options = translator.options
        ids = translator.ids
        self.observable = observable
        self.platform = platform
        self.time = time
    }

    /// Properties of an object by CrowdSec; relationships carry no markings and no confidence.
    private mutating func common(markings: Bool = true, confidence: Int? = nil) -> CommonProperties {
        enrichment.hasAuthor = true
        var common = CommonProperties(
            at: time, createdBy: platform.author, markings: markings ? observable.markings : [])
        common.confidence = confidence
        return common
    }

    private mutating func append(_ object: STIXObject) {
        if seen.insert(object.id).inserted { enrichment.objects.append(object) }
    }

    private mutating func relate(_ type: String, from source: String, to target: String) {
        append(
            .relationship(
                id: ids.relationship(type, from: source, to: target), type, from: source, to: target,
                common(markings: false)))
    }

    // MARK: An address nobody reported

    mutating func addUnknown() {
        addObservable()
        if options.createsNote { addNote(NoteText.notFound, about: observable.value) }
        enrichment.message = completed + " (not found in CrowdSec CTI)"
    }

    private var completed: String { "CrowdSec enrichment completed for IP: \(observable.value)" }

    /// The observable as it came, with the stamp and the console's page.
    private mutating func addObservable() {
        var object = observable.stix
        if options.stampsDescription {
            object["x_opencti_description"] = .string(DescriptionStamp.stamped(observable.description, at: time))
        }
        let console = References.console(of: observable.value)
        enrichment.references.append(console)
        let isThere = Self.references(of: object).contains { $0["url"]?.string == console.url }
        if !isThere {
            object["external_references"] = .array((object["external_references"]?.array ?? []) + [console.json])
        }
        append(object)
    }

    private static func references(of object: STIXObject) -> [JSONValue] {
        (object["external_references"]?.array ?? [])
            + (EntityAttributes(object).value("external_references")?.array ?? [])
    }

    private mutating func addNote(_ content: String, about address: String) {
        // The id has the run's moment in it, so that each enrichment leaves its own note.
        let id = ids.note(content: content, created: time.description)
        append(
            .note(
                id: id, content: content, abstract: "CrowdSec enrichment for \(address)", objects: [observable.stixID],
                noteTypes: ["external"], common()))
    }

    // MARK: An address with a record

    mutating func add(_ item: CTIItem) {
        let address = item.ip ?? observable.value
        let confidence = Translator.confidence(item.confidence)
        addObservable()
        let indicator = addIndicator(item, address, confidence)
        let techniques = item.mitreTechniques.filter { !$0.name.isEmpty }
        let techniqueReferences = techniques.map(References.technique)
        enrichment.references = References.unique(enrichment.references + techniqueReferences)
        let patterns = options.createsAttackPatterns ? addAttackPatterns(techniques, indicator) : []
        if options.createsVulnerabilities { addVulnerabilities(item.allCVEs) }
        addCountries(item, indicator, patterns, confidence)
        if options.createsNote { addNote(NoteText.about(item), about: address) }
        addSightings(item, address, indicator, techniqueReferences, confidence)
        enrichment.labels = item.labels(options.labels)
        let counts = [
            item.reputation ?? "no reputation", Self.count(enrichment.objects.count, "object"),
            Self.count(enrichment.labels.count, "label"),
        ]
        enrichment.message = completed + " (" + counts.joined(separator: ", ") + ")"
    }

    private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

    private mutating func addIndicator(_ item: CTIItem, _ address: String, _ confidence: Int) -> String? {
        guard translator.makesIndicator(item), let reputation = item.reputation else { return nil }
        let type = observable.isIPv6 ? "ipv6-addr" : "ipv4-addr"
        let pattern = "[\(type):value = '\(observable.value)']"
        var details = STIXObject.IndicatorDetails(
            name: "CrowdSec CTI (\(reputation) IP: \(address))", description: "CrowdSec CTI detection for \(address)")
        if reputation == "malicious" { details.indicatorTypes = ["malicious-activity"] }
        details.mainObservableType =
            EntityAttributes(observable.stix).type ?? observable.type
        var common = common(confidence: confidence)
        common.externalReferences = References.lists(of: item)
        enrichment.references = References.unique(enrichment.references + common.externalReferences)
        let id = ids.indicator(pattern: pattern)
        let validFrom = Self.moment(item.lastSeen) ?? time
        append(.indicator(id: id, pattern: pattern, validFrom: validFrom.secondsDescription, details, common))
        relate("based-on", from: id, to: observable.stixID)
        return id
    }

    /// - Returns: ids of the patterns.
    private mutating func addAttackPatterns(_ techniques: [CTIItem.Detail], _ indicator: String?) -> [String] {
        var added: [String] = []
        for technique in techniques {
            let name = platform.techniqueNames[technique.name] ?? References.name(of: technique)
            let id = ids.attackPattern(name: name, techniqueID: technique.name)
            guard !added.contains(id) else { continue }
            added.append(id)
            if let indicator {
                relate("indicates", from: indicator, to: id)
            } else {
                relate("related-to", from: observable.stixID, to: id)
            }
            var common = common()
            common.externalReferences = [References.technique(technique)]
            append(
                .attackPattern(
                    id: id, name: name, techniqueID: technique.name,
                    description: "\(technique.label): \(technique.description)", common))
        }
        return added
    }

    private mutating func addVulnerabilities(_ cves: [String]) {
        for cve in cves {
            let id = ids.vulnerability(cve)
            append(.vulnerability(id: id, name: cve, description: cve, common()))
            relate("related-to", from: id, to: observable.stixID)
        }
    }

    private mutating func addCountries(
        _ item: CTIItem, _ indicator: String?, _ patterns: [String], _ confidence: Int
    ) {
        guard !patterns.isEmpty || options.createsCountrySightings else { return }
        for target in item.targetCountries {
            guard let country = Country.named(byCode: target.country) else { continue }
            let place = ids.location(name: country.name, locationType: "Country")
            append(
                .country(
                    id: place, name: country.name, country: country.officialName, aliases: [country.officialName],
                    common()))
            var details = STIXObject.SightingDetails(count: target.percent)
            details.description = "CrowdSec CTI sighting for country: \(target.country)"
            if options.createsCountrySightings {
                sight(.observable(observable.stixID), at: place, details, common(confidence: confidence))
            }
            if let indicator { sight(.object(indicator), at: place, details, common(confidence: confidence)) }
            for pattern in patterns { relate("targets", from: pattern, to: place) }
        }
    }

    private mutating func addSightings(
        _ item: CTIItem, _ address: String, _ indicator: String?, _ techniques: [ExternalReference], _ confidence: Int
    ) {
        guard options.createsSighting else { return }
        var common = common(confidence: confidence)
        common.externalReferences = References.unique([References.console(of: observable.value)] + techniques)
        let first = Self.moment(item.firstSeen)
        // STIX refuses an end before the beginning.
        let last = Self.moment(item.lastSeen).flatMap { last in first.map { $0 <= last } ?? true ? last : nil }
        var details = STIXObject.SightingDetails(
            count: 1, firstSeen: first?.secondsDescription, lastSeen: last?.secondsDescription)
        details.description = "CrowdSec CTI sighting for IP: \(address)"
        sight(.observable(observable.stixID), at: platform.author, details, common)
        if let indicator { sight(.object(indicator), at: platform.author, details, common) }
    }

    // Compat: the original gives the place's id as a bare text to the formula of the sighting's id. A re-enrichment finds
    // its sightings only by the same id.
    private mutating func sight(
        _ sighted: STIXObject.Sighted, at place: String, _ details: STIXObject.SightingDetails,
        _ common: CommonProperties
    ) {
        let real: String
        switch sighted {
        case .object(let id), .observable(let id): real = id
        }
        let id = ids.sighting(
            of: real, at: .text(place), firstSeen: details.firstSeen, lastSeen: details.lastSeen)
        append(.sighting(id: id, of: sighted, at: [place], details, common))
    }

    // MARK: Playbooks and drafts

    /// Puts into the bundle what is else written beside it: labels onto the observable, the author as an object.
    mutating func gatherUp() {
        guard var object = enrichment.objects.first else { return }
        var labels = observable.labels
        for wish in enrichment.labels where !labels.contains(where: { $0.lowercased() == wish.value.lowercased() }) {
            labels.append(wish.value)
        }
        if !labels.isEmpty { object["labels"] = .array(labels.map { .string($0) }) }
        enrichment.objects[0] = object
        if enrichment.hasAuthor {
            enrichment.objects.append(
                .identity(
                    id: platform.author, name: options.organizationName, identityClass: "organization",
                    description: options.organizationDescription, CommonProperties(at: time)))
        }
        enrichment.references = []
    }

    private static func moment(_ text: String?) -> Instant? { text.flatMap { Instant(parsing: $0) } }
}
