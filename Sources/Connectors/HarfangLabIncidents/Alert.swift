// SPDX-License-Identifier: Apache-2.0

import JSON
import STIX

/// A security event as far as the import reads it. Everything but the id and the time may be missing.
///
/// Source: HarfangLab ↔ OpenCTI, 1.5.
struct Alert: Sendable {
    let json: JSONValue
    let id: String
    let time: StartDate
    /// As delivered: ids are made of it.
    let timeText: String
    /// The later of the event's time and its last change.
    let lastText: String
    let last: StartDate
    /// The console's last change lies before the event itself.
    let isClamped: Bool

    init?(_ json: JSONValue) {
        guard let id = json["id"]?.string ?? json["id"]?.int.map({ "\($0)" }), let text = Self.timeText(of: json),
            let time = StartDate(text)
        else { return nil }
        self.json = json
        self.id = id
        self.time = time
        timeText = text
        let lastText = json["last_update"]?.string ?? text
        let last = StartDate(lastText) ?? time
        isClamped = last < time
        self.lastText = isClamped ? text : lastText
        self.last = max(last, time)
    }

    private static func timeText(of json: JSONValue) -> String? {
        json["alert_time"]?.string ?? json["@event_create_date"]?.string
    }

    /// What the console's list of events is in the order of.
    static func time(of json: JSONValue) -> StartDate? { timeText(of: json).flatMap { StartDate($0) } }

    /// What its list of changes is in the order of.
    static func change(of json: JSONValue) -> StartDate? { json["last_update"]?.string.flatMap { StartDate($0) } }

    private func text(_ key: String) -> String { json[key]?.string ?? "" }

    /// `ioc`, `sigma`, `yara`, in lower case.
    var type: String { text("alert_type").lowercased() }
    var status: String { text("status").lowercased() }
    var level: String? { json["level"]?.string.map { $0.lowercased() } }
    var message: String { text("msg") }
    var ruleName: String { text("rule_name") }
    var hostname: String? { json["agent"]?["hostname"]?.string.flatMap { $0.isEmpty ? nil : $0 } }
    var process: Process? { json["process"]?.object.map { Process(.object($0)) } }
    /// Whether the status says that nothing was seen.
    var isFalsePositive: Bool { status == "false_positive" }

    struct Process: Sendable {
        let json: JSONValue
        init(_ json: JSONValue) { self.json = json }

        private func text(_ key: String) -> String? { json[key]?.string.flatMap { $0.isEmpty ? nil : $0 } }
        var name: String? { text("process_name") }
        var directory: String? { text("current_directory") }
        var username: String? { text("username") }
        /// SHA-256, SHA-1, MD5: those that are there.
        var hashes: [(algorithm: HashAlgorithm, value: String)] {
            [(HashAlgorithm.sha256, "sha256"), (.sha1, "sha1"), (.md5, "md5")].compactMap { algorithm, key in
                json["hashes"]?[key]?.string.flatMap { $0.isEmpty ? nil : (algorithm, $0) }
            }
        }
        func hash(_ algorithm: HashAlgorithm) -> String? { hashes.first { $0.algorithm == algorithm }?.value }
    }

    /// What an IOC event names, most likely first: after the first `=`, and after the first `:`.
    var iocCandidates: [String] {
        var candidates: [String] = []
        for mark in ["=", ":"] as [Character] {
            guard let place = message.firstIndex(of: mark) else { continue }
            let value = Self.trimmed(message[message.index(after: place)...])
            if !value.isEmpty, !candidates.contains(value) { candidates.append(value) }
        }
        return candidates
    }

    /// The name of a YARA event's file or rule: after the first `:`, or all of it.
    var yaraName: String {
        guard let place = ruleName.firstIndex(of: ":") else { return Self.trimmed(ruleName[...]) }
        return Self.trimmed(ruleName[ruleName.index(after: place)...])
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace ?? false { text.removeFirst() }
        while text.last?.isWhitespace ?? false { text.removeLast() }
        return String(text)
    }
}

/// The rule behind an event.
enum AlertRule: Sendable {
    case ioc(type: String, value: String, created: String?, updated: String?)
    case content(kind: String, name: String, content: String, tags: [String], created: String?, updated: String?)
}

/// A threat: what belongs together by the console's judgement.
struct Threat: Sendable {
    let json: JSONValue
    let id: Int64
    let created: StartDate
    let createdText: String

    init?(_ json: JSONValue) {
        guard let id = json["id"]?.int ?? json["id"]?.string.flatMap({ Int64($0) }),
            let text = json["creation_date"]?.string, let created = StartDate(text)
        else { return nil }
        self.json = json
        self.id = id
        self.created = created
        createdText = text
    }

    var slug: String { json["slug"]?.string ?? "threat \(id)" }
    var level: String? { json["level"]?.string.map { $0.lowercased() } }
    /// When the console last changed it.
    var lastUpdate: StartDate? { json["last_update"]?.string.flatMap { StartDate($0) } }
    var hostname: String? {
        let agent = json["top_agents"]?.array?.first
        return (agent?["agent_hostname"]?.string ?? agent?["hostname"]?.string).flatMap { $0.isEmpty ? nil : $0 }
    }
    var priority: String {
        switch level {
        case "critical": "P1"
        case "high": "P2"
        case "medium": "P3"
        default: "P4"
        }
    }
}
