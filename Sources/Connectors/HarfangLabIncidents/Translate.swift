// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import NetAddress
import STIX

/// Security events and threats in, STIX objects out. Pure; ids merge with what the originals made.
///
/// Source: HarfangLab ↔ OpenCTI, 3.3, 3.4 and 5.1.
struct IncidentTranslator: Sendable {
    /// The connector's name on the platform: author and source.
    let name: String
    /// The console's address, without a slash at its end.
    let consoleURL: String
    let marking: TLP
    let score: Int?
    let ids: ObjectIDs

    let author: STIXObject

    init(name: String, consoleURL: String, marking: TLP, score: Int?, ids: ObjectIDs) {
        self.name = name
        self.consoleURL = consoleURL
        self.marking = marking
        self.score = score
        self.ids = ids
        // Always clear, whatever the rest is: the author is nobody's secret.
        let created = CommonProperties(
            created: "2025-01-01T00:00:00.000Z", markings: [TLP.clear.markingID])
        author = STIXObject.identity(
            id: ids.identity(name: name, identityClass: "organization"), name: name, identityClass: "organization",
            description: "Harfanglab external import connector", created)
    }

    /// What goes into every bundle.
    var frame: [STIXObject] {
        [author, .marking(marking)] + (marking == .clear ? [] : [.marking(.clear)])
    }

    /// What became of one event.
    struct Translated: Sendable {
        var objects: [STIXObject] = []
        /// What was left out or mended: `tag_skipped:attack.impact`, `last_update_clamped`.
        var notes: [String] = []
    }

    // MARK: Events

    func translate(_ alert: Alert, _ rule: AlertRule) -> Translated {
        var result = Translated()
        if alert.isClamped { result.notes.append("last_update_clamped") }
        let subject = subject(of: alert, rule)
        let reference = ExternalReference(
            sourceName: "Harfanglab - Security Events", url: "\(consoleURL)/security-event/\(alert.id)/summary",
            externalID: alert.id)
        let incident = incident(alert, subject, reference)
        let indicator = indicator(alert, rule, subject)
        result.objects = [incident, indicator, sighting(alert, of: indicator, reference)]
        let parts = parts(of: alert, subject)
        let techniques = techniques(rule, alert, &result.notes)
        result.objects += parts.all + techniques
        result.objects += relations(alert, incident, indicator, parts, techniques, subject)
        return result
    }

    /// What an event is about, by its rule.
    private struct Subject {
        var incidentName: String
        var indicatorName: String
        var pattern: String
        var patternType: String
        /// An observable of its own, besides those of the process.
        var observable: STIXObject?
        var file: STIXObject?
    }

    private func subject(of alert: Alert, _ rule: AlertRule) -> Subject {
        let place = alert.hostname.map { " on \($0)" } ?? ""
        switch rule {
        case .content(let kind, let ruleName, let content, _, _, _):
            let message = alert.message.isEmpty ? alert.ruleName : alert.message
            return Subject(
                incidentName: message + place, indicatorName: kind == "sigma" ? alert.ruleName : ruleName,
                pattern: content, patternType: kind, file: file(of: alert.process))
        case .ioc(let type, let value, _, _):
            var subject = Subject(
                incidentName: value + place, indicatorName: value, pattern: "", patternType: "stix")
            describe(type, value, alert, &subject)
            return subject
        }
    }

    private func describe(_ type: String, _ value: String, _ alert: Alert, _ subject: inout Subject) {
        let place = alert.hostname.map { " on \($0)" } ?? ""
        let process = alert.process
        switch type {
        case "hash":
            let hashes = process?.hashes ?? []
            if let process, hashes.contains(where: { $0.value.lowercased() == value.lowercased() }) {
                // SHA-256, MD5, SHA-1: the original's order, which the indicator's id depends on.
                let ordered = [HashAlgorithm.sha256, .md5, .sha1].compactMap { algorithm in
                    process.hash(algorithm).map { "file:hashes.'\(algorithm.rawValue)' = \(PatternText.quoted($0))" }
                }
                subject.pattern = "[" + ordered.joined(separator: " AND ") + "]"
                subject.indicatorName = process.name ?? value
                subject.file = file(of: process)
            } else {
                let algorithm = Self.algorithm(of: value)
                subject.pattern = "[file:hashes.'\(algorithm.rawValue)' = \(PatternText.quoted(value))]"
                subject.file = STIXObject.file(
                    hashes: [(algorithm, value)], createdBy: author.id, markings: [marking.markingID])
            }
        case "filename":
            subject.incidentName = (process?.hash(.sha256) ?? value) + place
            subject.pattern = "[file:name = \(PatternText.quoted(value))]"
            subject.file = file(of: process)
        case "filepath":
            let (folder, name) = Self.split(path: value)
            subject.incidentName = (process?.hash(.sha256) ?? value) + place
            subject.indicatorName = name
            subject.pattern =
                "[file:name = \(PatternText.quoted(name)) AND file:parent_directory_ref.path = "
                + "\(PatternText.quoted(folder))]"
            subject.file = file(of: process)
        default: describe(network: type, value, &subject)
        }
    }

    private func describe(network type: String, _ value: String, _ subject: inout Subject) {
        let stixType: String
        switch type {
        case "url": stixType = "url"
        case "domain_name", "domain-name": stixType = value.contains(".") ? "domain-name" : "hostname"
        case "ip_src", "ip_dst", "ip_both":
            stixType = value.contains(":") ? "ipv6-addr" : "ipv4-addr"
        default: stixType = "text"
        }
        subject.pattern = "[\(stixType):value = \(PatternText.quoted(value))]"
        subject.observable = .observable(
            stixType, value: value, createdBy: author.id, markings: [marking.markingID])
    }

    private static func algorithm(of hash: String) -> HashAlgorithm {
        switch hash.utf8.count {
        case 32: .md5
        case 40: .sha1
        case 128: .sha512
        default: .sha256
        }
    }

    /// At the last backslash if there is one, else at the last slash; a root keeps its separator.
    static func split(path: String) -> (folder: String, name: String) {
        let mark: Character = path.contains("\\") ? "\\" : "/"
        guard let place = path.lastIndex(of: mark) else { return ("", path) }
        let name = String(path[path.index(after: place)...])
        var folder = String(path[..<place])
        if folder.isEmpty || folder.hasSuffix(":") { folder.append(mark) }
        return (folder, name)
    }

    private func file(of process: Alert.Process?) -> STIXObject? {
        guard let process else { return nil }
        return STIXObject.file(
            hashes: process.hashes, name: process.name, createdBy: author.id, markings: [marking.markingID])
    }

    // MARK: Objects

    /// STIX knows milliseconds and microseconds with `Z`; the console writes offsets.
    static func stix(_ text: String) -> String {
        guard let iso = PythonDate.isoformat(text) else { return text }
        // Without its offset; ASCII, so that bytes are its characters.
        var whole = iso.utf8.dropLast(6)
        guard let point = whole.firstIndex(of: UInt8(ascii: ".")) else { return "\(Substring(whole)).000Z" }
        let milliseconds = whole.index(point, offsetBy: 4)
        while whole.endIndex > milliseconds, whole.last == UInt8(ascii: "0") { whole.removeLast() }
        return "\(Substring(whole))Z"
    }

    private func common(_ created: String, _ modified: String? = nil) -> CommonProperties {
        CommonProperties(
            created: Self.stix(created), modified: modified.map(Self.stix), createdBy: author.id,
            markings: [marking.markingID])
    }

    private func incident(_ alert: Alert, _ subject: Subject, _ reference: ExternalReference) -> STIXObject {
        var details = STIXObject.IncidentDetails(description: alert.message)
        details.incidentType = "alert"
        details.severity = alert.level
        details.source = name
        details.firstSeen = Self.stix(alert.timeText)
        details.lastSeen = Self.stix(alert.lastText)
        var common = common(alert.timeText, alert.lastText)
        common.externalReferences = [reference]
        return .incident(
            id: ids.incident(name: subject.incidentName, created: alert.time.description),
            name: subject.incidentName, details, common)
    }

    private func indicator(_ alert: Alert, _ rule: AlertRule, _ subject: Subject) -> STIXObject {
        var details = STIXObject.IndicatorDetails(name: subject.indicatorName)
        details.patternType = subject.patternType
        details.score = score
        details.detection = true
        let (created, updated) =
            switch rule {
            case .ioc(_, _, let created, let updated), .content(_, _, _, _, let created, let updated):
                (created ?? alert.timeText, updated ?? created ?? alert.timeText)
            }
        return .indicator(
            id: ids.indicator(pattern: subject.pattern), pattern: subject.pattern,
            // The event's time, so that a repeated import says the same.
            validFrom: Self.stix(alert.timeText), details, common(created, max(created, updated)))
    }

    /// Its id has indicator and author in each other's places, as the original made it: another id would double every
    /// sighting that is there already.
    private func sighting(
        _ alert: Alert, of indicator: STIXObject, _ reference: ExternalReference
    ) -> STIXObject {
        var details = STIXObject.SightingDetails(
            count: 1, firstSeen: Self.stix(alert.timeText), lastSeen: Self.stix(alert.lastText))
        details.isNegative = alert.isFalsePositive
        var common = common(alert.timeText, alert.lastText)
        common.createdBy = nil
        common.externalReferences = [reference]
        let moment = alert.time.description
        return .sighting(
            // Compat: swapped arguments of the original. Source: HarfangLab ↔ OpenCTI, 3.4.
            id: ids.sighting(
                of: author.id, at: .text(indicator.id), firstSeen: moment, lastSeen: moment),
            of: .object(indicator.id), at: [author.id], details, common)
    }

    /// What an event shows besides incident and indicator.
    private struct Parts {
        var observable: STIXObject?
        var file: STIXObject?
        var system: STIXObject?
        var hostname: STIXObject?
        var directory: STIXObject?
        var account: STIXObject?
        var all: [STIXObject] { [file, observable, system, hostname, directory, account].compactMap { $0 } }
    }

    private func parts(of alert: Alert, _ subject: Subject) -> Parts {
        var parts = Parts(observable: subject.observable, file: subject.file)
        let markings = [marking.markingID]
        if let host = alert.hostname {
            parts.system = .identity(
                id: ids.identity(name: host, identityClass: "system"), name: host, identityClass: "system",
                common(alert.timeText))
            parts.hostname = .observable("hostname", value: host, createdBy: author.id, markings: markings)
        }
        if let path = alert.process?.directory {
            parts.directory = .observable(
                "directory", ["path": .string(path)], createdBy: author.id, markings: markings)
        }
        if let user = alert.process?.username {
            parts.account = .observable(
                "user-account", ["account_login": .string(user)], createdBy: author.id, markings: markings)
        }
        return parts
    }

    private func techniques(_ rule: AlertRule, _ alert: Alert, _ notes: inout [String]) -> [STIXObject] {
        guard case .content(_, _, _, let tags, _, _) = rule else { return [] }
        var objects: [STIXObject] = []
        for tag in tags {
            guard let technique = Self.technique(in: tag) else {
                notes.append("tag_skipped:\(tag)")
                continue
            }
            let id = ids.attackPattern(name: technique, techniqueID: technique)
            guard !objects.contains(where: { $0.id == id }) else { continue }
            objects.append(
                .attackPattern(id: id, name: technique, techniqueID: technique, common(alert.timeText)))
        }
        return objects
    }

    /// `attack.t1059.001` → `T1059.001`; `nil` for a tag that names no technique.
    static func technique(in tag: String) -> String? {
        let lowered = tag.lowercased()
        guard let start = lowered.lastIndex(of: "t") else { return nil }
        let number = lowered[lowered.index(after: start)...]
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isNumber) }) else {
            return nil
        }
        return "T" + number
    }

    private func relations(
        _ alert: Alert, _ incident: STIXObject, _ indicator: STIXObject, _ parts: Parts, _ techniques: [STIXObject],
        _ subject: Subject
    ) -> [STIXObject] {
        var relations: [STIXObject] = []
        func relate(_ type: String, _ source: STIXObject?, _ target: STIXObject?) {
            guard let source, let target else { return }
            relations.append(
                .relationship(
                    id: ids.relationship(type, from: source.id, to: target.id), type, from: source.id, to: target.id,
                    common(alert.timeText)))
        }
        relate("related-to", parts.file, incident)
        relate("based-on", parts.observable == nil ? nil : indicator, parts.observable)
        relate("targets", parts.system == nil ? nil : incident, parts.system)
        relate("related-to", parts.hostname, parts.system)
        relate("related-to", parts.hostname, incident)
        relate("related-to", parts.directory, incident)
        relate("related-to", parts.account, incident)
        for technique in techniques { relate("uses", incident, technique) }
        return relations
    }

    // MARK: Threats

    /// The case of a threat, and its note.
    ///
    /// - Parameter objects: ids of everything that was made of its events.
    func translate(_ threat: Threat, note: JSONValue?, objects: [String]) -> [STIXObject] {
        let caseName = threat.slug + (threat.hostname.map { " on \($0)" } ?? "")
        let reference = ExternalReference(
            sourceName: "HarfangLab - Threats", url: "\(consoleURL)/threat/\(threat.id)/summary",
            externalID: "\(threat.id)")
        var common = common(threat.createdText)
        common.externalReferences = [reference]
        let incident = STIXObject.caseIncident(
            id: ids.caseIncident(name: caseName, created: threat.created.description), name: caseName,
            description: "Incident from \(name)", severity: threat.level, priority: threat.priority, objects: objects,
            common)
        guard let note, let content = note["content"]?.string, !content.isEmpty else { return [incident] }
        return [incident, translate(note, content, about: incident, threat, reference)]
    }

    /// Its id has content and date in each other's places, as the original made it.
    private func translate(
        _ note: JSONValue, _ content: String, about incident: STIXObject, _ threat: Threat,
        _ reference: ExternalReference
    ) -> STIXObject {
        let created = note["creation_date"]?.string ?? threat.createdText
        let updated = note["last_update"]?.string ?? created
        var common = common(
            created, (StartDate(updated) ?? .beginning) < (StartDate(created) ?? .beginning) ? created : updated)
        common.externalReferences = [reference]
        let moment = StartDate(created)?.description ?? created
        return .note(
            // Compat: swapped arguments of the original. Source: HarfangLab ↔ OpenCTI, 3.4.
            id: DeterministicID.make("note", from: ["content": .string(moment), "created": .string(content)]),
            content: content, abstract: "Linked to \(note["title"]?.string ?? threat.slug)", objects: [incident.id],
            common)
    }
}
