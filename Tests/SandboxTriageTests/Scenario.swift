// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Testing
import Vectors

@testable import SandboxTriage

/// One case of `vmray-scenarios.json`.
struct Scenario: Sendable, CustomTestStringConvertible {
    let json: JSONValue
    let start: Instant

    var name: String { json["name"]?.string ?? "" }
    var testDescription: String { name }

    static func all() throws -> [Scenario] {
        let file = try JSONValue(parsing: Array(Vectors.data("vmray-scenarios.json")))
        let start = try #require(file["frozen_now"]?.string.flatMap { Instant(parsing: $0) })
        return (file["scenarios"]?.array ?? []).map { Scenario(json: $0, start: start) }
    }

    /// The contents of samples, by their SHA-256.
    static let words: [String: String] = {
        let file = try? JSONValue(parsing: Array(Vectors.data("vmray-scenarios.json")))
        var words: [String: String] = [:]
        for (word, hash) in file?["words"]?.object ?? [:] { words[hash.string ?? ""] = word }
        return words
    }()

    static func named(_ name: String) throws -> Scenario { try #require(all().first { $0.name == name }) }

    var policy: TriagePolicy {
        let config = json["config"]
        func isOn(_ key: String) -> Bool { config?[key]?.bool ?? false }
        var policy = TriagePolicy()
        if isOn("CONTAIN_HOST") { policy.containLevels = [.suspicious, .malicious] }
        if isOn("CREATE_CASE") { policy.caseLevels = [.suspicious, .malicious] }
        if isOn("FIND_ANOTHER_HOST") { policy.otherHostLevels = [.suspicious, .malicious] }
        if isOn("RESUBMIT") { policy.resubmittedVerdicts = [.suspicious, .malicious] }
        policy.releasesOnClean = isOn("RELEASE_ON_CLEAN")
        policy.opensCaseOnError = isOn("SUBMIT_OR_DOWNLOAD_ERROR_OPEN_CASE")
        policy.caseUser = config?["CASE_USERS"]?.string ?? ""
        if config?["CASE_API"]?.string == "cases" { policy.caseAPI = .cases }
        if let limit = config?["ANALYSIS_JOB_TIMEOUT"]?.int { policy.analysisTimeout = .seconds(limit) }
        return policy
    }

    var alerts: [JSONValue] {
        var alerts = json["falcon"]?["alerts"]?.array ?? []
        guard let generated = json["falcon"]?["alerts_generated"], let from = generated["numbers"]?[0]?.int,
            let to = generated["numbers"]?[1]?.int
        else { return alerts }
        for number in from...to { alerts.append(Self.alert(generated, number)) }
        return alerts
    }

    private static func alert(_ generated: JSONValue, _ number: Int64) -> JSONValue {
        let id = generated["composite_id"]?.string?.replacing("<n>", with: "\(number)") ?? ""
        return [
            "composite_id": .string(id), "sha256": generated["sha256"] ?? nil, "status": generated["status"] ?? nil,
            "product": "epp",
        ]
    }

    /// The records that stand in the store at the start, by hash.
    var stored: [String: SampleRecord] {
        var records: [String: SampleRecord] = [:]
        let effects = json["state_before"]?["effects"]?.array ?? []
        for (hash, state) in json["state_before"]?["samples"]?.object ?? [:] {
            var record = SampleRecord(sha256: hash)
            record.stage = state["stage"]?.string.flatMap { Stage(rawValue: $0) } ?? .found
            record.outcome = state["outcome"]?.string.flatMap { SampleOutcome(rawValue: $0) }
            record.attempts = Int(state["attempts"]?.int ?? 0)
            record.submitStarted = state["submit_started"]?.string.flatMap { Instant(parsing: $0) }
            record.submissionID = state["submission_id"]?.int
            record.runningSince = state["running_since"]?.string.flatMap { Instant(parsing: $0) }
            record.alerts = (state["alerts"]?.array ?? []).compactMap(\.string).map {
                AlertFact(compositeID: $0, product: "", link: "", status: "", host: "")
            }
            record.files = (state["quarantined_files"]?.array ?? []).compactMap(\.string).map {
                QuarantineFact(id: $0, host: "")
            }
            if let verdict = state["verdict"]?.string.flatMap({ Verdict(rawValue: $0) }) {
                record.findings = .init(
                    sampleID: state["sample_id"]?.int ?? 0, verdict: verdict, link: state["link"]?.string ?? "")
            }
            for effect in effects {
                guard let key = effect["key"]?.string else { continue }
                record.effects[EffectKey(key)] = effect["state"]?.string == "done" ? .done : .pending
            }
            records[hash] = record
        }
        return records
    }
}

/// What was done, in a form that two sides can be compared in: batching is free, and ids are sets.
struct Deed: Hashable, CustomStringConvertible {
    let operation: String
    var ids: Set<String> = []
    var fields: [String] = []
    var request: JSONValue?

    var description: String {
        "\(operation) \(ids.count > 6 ? "\(ids.count) ids" : ids.sorted().joined(separator: " ")) \(fields)"
            + (request.map { " " + $0.text } ?? "")
    }

    private func isSame(_ other: Deed) -> Bool {
        operation == other.operation && fields == other.fields && request == other.request
    }

    /// Joins what differs in nothing but ids, and sorts neighbours that differ only in the status of one comment.
    static func merged(_ deeds: [Deed]) -> [Deed] {
        var merged: [Deed] = []
        for deed in deeds {
            if let index = merged.firstIndex(where: { $0.isSame(deed) }), deed.request == nil {
                merged[index].ids.formUnion(deed.ids)
            } else {
                merged.append(deed)
            }
        }
        var sorted: [Deed] = []
        for deed in merged {
            if let last = sorted.last, last.operation == "alert_update", deed.operation == last.operation,
                last.fields[0] == deed.fields[0], deed.fields[1] < last.fields[1]
            {
                sorted.insert(deed, at: sorted.count - 1)
            } else {
                sorted.append(deed)
            }
        }
        return sorted
    }

    init(_ operation: String, ids: Set<String> = [], fields: [String] = [], request: JSONValue? = nil) {
        self.operation = operation
        self.ids = ids
        self.fields = fields
        self.request = request
    }

    init(_ effect: Effect) {
        switch effect {
        case .alertUpdate(let ids, let comment, let status, _):
            self.init("alert_update", ids: Set(ids), fields: [comment, status ?? "-"])
        case .createIndicators(let indicators, let text):
            let ids = indicators.map { "\($0.kind.name):\($0.value):\($0.action)" }
            self.init("ioc_create", ids: Set(ids), fields: [text])
        case .quarantineUpdate(let ids, let action, let comment):
            self.init("quarantine_update", ids: Set(ids), fields: [action, comment])
        case .contain(let hosts, let note): self.init("contain", ids: Set(hosts), fields: [note])
        case .createCase(let made, _): self.init("case_create", fields: [made.api.rawValue], request: made.request)
        }
    }

    /// - Parameter isWhole: with everything that the case says, where only a real call has it.
    init(expected json: JSONValue, composite: String?, isWhole: Bool = false) {
        func texts(_ key: String) -> [String] { (json[key]?.array ?? []).compactMap(\.string) }
        let operation = json["op"]?.string ?? ""
        switch operation {
        case "alert_update":
            var ids = Set(texts("composite_ids"))
            if let numbers = json["composite_ids_generated"]?["numbers"], let from = numbers[0]?.int,
                let to = numbers[1]?.int, let composite
            {
                for number in from...to { ids.insert(composite.replacing("<n>", with: "\(number)")) }
            }
            self.init(operation, ids: ids, fields: [json["comment"]?.string ?? "", json["status"]?.string ?? "-"])
        case "ioc_create":
            let indicators = json["indicators"]?.array ?? []
            let ids = indicators.map {
                "\($0["type"]?.string ?? ""):\($0["value"]?.string ?? ""):\($0["action"]?.string ?? "")"
            }
            self.init(operation, ids: Set(ids), fields: [indicators.first?["description"]?.string ?? ""])
        case "quarantine_update":
            self.init(
                operation, ids: Set(texts("ids")),
                fields: [json["action"]?.string ?? "", json["comment"]?.string ?? ""])
        case "contain": self.init(operation, ids: Set(texts("ids")), fields: [json["note"]?.string ?? ""])
        case "vetoed": self.init(operation, ids: Set(texts("ids")), fields: [json["reason"]?.string ?? ""])
        case "vmray_submit" where isWhole:
            let config = json["user_config"].map { "{\"timeout\": \($0["timeout"]?.text ?? "")}" } ?? ""
            self.init(
                operation, ids: [json["sha256"]?.string ?? ""],
                fields: ["comment", "tags", "analyzer_mode"].map { json[$0]?.string ?? "" } + [config])
        case "host_lookup": self.init(operation, ids: Set(texts("sha256")))
        case "case_create": self.init(operation, fields: [json["api"]?.string ?? ""], request: json["request"])
        default: self.init(operation, ids: [json["sha256"]?.string ?? ""])
        }
    }
}
