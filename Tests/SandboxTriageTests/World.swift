// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import VMRay

@testable import SandboxTriage

/// Falcon and VMRay of a scenario, and a clock that goes on only where somebody waits. Carries out what the decisions say,
/// one sample after the other.
struct World {
    let scenario: Scenario
    var now: Instant
    var records: [String: SampleRecord]
    var deeds: [String: [Deed]] = [:]
    var outcomes: [String: SampleOutcome] = [:]
    /// Calls that only read, by the names of the cases.
    var reads: Set<String> = []
    /// After so many stores of the record the process dies.
    var storesUntilCrash: Int?
    private var guardrail: ContainmentGuard
    private var isQuotaSpent = false
    private var polls: [Int64: Int] = [:]
    private var finished: Set<String> = []
    private var existing: Set<String>
    private var comments: [String: [String]] = [:]
    private var contained: Set<String> = []
    private var released: Set<String> = []
    private var cases: [String] = []
    /// Samples of which VMRay has taken a submission.
    private var submitted: Set<String> = []

    struct Crash: Error {}

    init(_ scenario: Scenario) {
        self.scenario = scenario
        now = scenario.start
        records = scenario.stored
        let falcon = scenario.json["falcon"]
        existing = Set(
            (falcon?["existing_iocs"]?.array ?? []).map { "\($0["type"]?.string ?? ""):\($0["value"]?.string ?? "")" })
        for alert in scenario.alerts {
            guard let id = alert["composite_id"]?.string, let list = alert["comments"]?.array else { continue }
            comments[id] = list.compactMap { $0["value"]?.string }
        }
        for (id, device) in falcon?["devices"]?.object ?? [:] {
            if ["contained", "containment_pending"].contains(device["status"]?.string) { contained.insert(id) }
        }
        for file in falcon?["quarantined_files"]?.array ?? [] where file["state"]?.string == "released" {
            released.insert(file["id"]?.string ?? "")
        }
        cases = (falcon?["cases"]?.array ?? []).compactMap { $0["title"]?.string }
        let ceiling = scenario.json["config"]?["CONTAIN_MAX"]?.int ?? 25
        guardrail = ContainmentGuard(neverContain: [], ceiling: Int(ceiling))
    }

    /// Reads both sources, then works on every record.
    mutating func run() throws {
        var alerts: [String: [AlertFact]] = [:]
        for alert in scenario.alerts {
            guard let hash = alert["sha256"]?.string else { continue }
            alerts[hash, default: []].append(
                AlertFact(
                    compositeID: alert["composite_id"]?.string ?? "", product: alert["product"]?.string ?? "",
                    link: alert["falcon_host_link"]?.string ?? "", status: alert["status"]?.string ?? "",
                    host: alert["device"]?["device_id"]?.string ?? ""))
        }
        var files: [String: [QuarantineFact]] = [:]
        for file in scenario.json["falcon"]?["quarantined_files"]?.array ?? [] {
            files[file["sha256"]?.string ?? "", default: []].append(
                QuarantineFact(id: file["id"]?.string ?? "", host: file["aid"]?.string ?? ""))
        }
        for hash in Set(alerts.keys).union(files.keys) {
            records[hash, default: SampleRecord(sha256: hash)].merge(
                alerts: alerts[hash] ?? [], files: files[hash] ?? [])
        }
        try work()
    }

    /// What a start after a crash does with the records that are there.
    mutating func work() throws {
        // The order is free; that of the case shows who meets the quota first.
        let first = (scenario.json["expected"]?.array ?? []).compactMap { $0["sha256"]?.string }
        let others = records.keys.filter { !first.contains($0) }.sorted()
        for hash in first + others { try work(on: hash) }
    }

    private mutating func work(on hash: String) throws {
        guard let record = records[hash] else { return }
        var triage = SampleTriage(record, policy: scenario.policy)
        var steps = 0
        while true {
            try store(triage.record)
            let action = triage.next()
            if case .end(let outcome) = action {
                triage.finish()
                try store(triage.record)
                outcomes[hash] = outcome
                return
            }
            steps += 1
            guard steps < 2000 else { throw Endless() }
            try carry(out: action, &triage)
        }
    }

    struct Endless: Error {}

    private mutating func store(_ record: SampleRecord) throws {
        guard records[record.sha256] != record else { return }
        if let left = storesUntilCrash {
            // Dies right before the write, so that what was done last is not remembered.
            if left == 0 { throw Crash() }
            storesUntilCrash = left - 1
        }
        records[record.sha256] = record
    }

    private mutating func note(_ deed: Deed, _ hash: String) { deeds[hash, default: []].append(deed) }

    private mutating func carry(out action: SampleTriage.Action, _ triage: inout SampleTriage) throws {
        let hash = triage.record.sha256
        switch action {
        case .lookUp: triage.found(samples(hash), date: nil, at: now)
        case .listSubmissions(let sample): triage.found(submissions: submissions(of: sample, hash), at: now)
        case .download:
            if isQuotaSpent { return triage.spentQuota() }
            note(Deed("sample_download", ids: [hash]), hash)
            if let failure = Self.downloads[scenario.json["falcon"]?["sample_downloads"]?[hash]?.string ?? ""] {
                triage.failedDownload(failure)
            } else {
                triage.downloaded(at: now)
            }
        case .submit: submit(hash, &triage)
        case .poll(let id):
            reads.insert("vmray_poll")
            triage.polled(poll(id, hash), at: now)
        case .listJobs: triage.sawJobs(isRunning: true, at: now)
        case .wait(let duration):
            now = now.advanced(by: duration)
            triage.waited()
        case .readResult(let id): triage.read(samples(hash), analyses: analyses(of: id), iocs: iocs(of: hash))
        case .findHosts(let hashes):
            note(Deed("host_lookup", ids: Set(hashes)), hash)
            let hosts = hashes.flatMap { scenario.json["falcon"]?["devices_ran_on"]?[$0]?.array ?? [] }
            triage.found(hosts: hosts.compactMap(\.string))
        case .findExisting(let indicators):
            triage.found(existing: indicators.filter { existing.contains("\($0.kind.name):\($0.value)") })
        case .permit(let hosts):
            let facts = hosts.map { ContainmentGuard.Host(id: $0, name: "", groups: []) }
            let vetoes = guardrail.vetoes(facts, at: now)
            triage.permitted(hosts, vetoes: vetoes)
            for reason in Set(vetoes.values) {
                deferred.append(Deed("vetoed", ids: Set(vetoes.keys), fields: [reason]))
            }
        case .permitRelease(let files): triage.permitted(files: files, vetoes: [:])
        case .check(let effect): triage.checked(effect, applied: Set(effect.keys.filter { isApplied(effect, $0) }))
        case .apply(let effect):
            triage.willApply(effect)
            try store(triage.record)
            apply(effect)
            note(Deed(effect), hash)
            triage.applied(effect)
        case .end: return
        }
        if case .contain = triage.next().effect { return }
        for deed in deferred { note(deed, hash) }
        deferred = []
    }

    /// Vetoes are told after the containments that were allowed.
    private var deferred: [Deed] = []

    private static let downloads: [String: SampleOutcome] = [
        "missing": .downloadFailed, "error_json_200": .downloadFailed, "wrong_content": .integrityFailed,
        "wrong_member_name": .integrityFailed, "two_members": .integrityFailed, "wrong_password": .integrityFailed,
        "truncated_archive": .integrityFailed, "declared_too_large": .tooLarge, "inflates_too_large": .tooLarge,
    ]

    // MARK: VMRay

    private func samples(_ hash: String) -> [VMRaySample] {
        let vmray = scenario.json["vmray"]
        let after = finished.contains(hash) ? vmray?["samples_after"]?[hash] : nil
        var sample: JSONValue? = after ?? vmray?["samples_before"]?[hash]
        if sample == nil, submitted.contains(hash), var known = vmray?["samples_after"]?[hash]?.object {
            known["sample_verdict"] = nil
            known["sample_verdict"] = .null
            sample = .object(known)
        }
        return sample.flatMap { VMRaySample($0) }.map { [$0] } ?? []
    }

    private func submissions(of sample: Int64, _ hash: String) -> [VMRaySubmission] {
        let vmray = scenario.json["vmray"]
        if submitted.contains(hash), let id = vmray?["submit"]?[hash]?["submission_id"] {
            let made: JSONValue = [
                "submission_id": id, "submission_created": .string(now.secondsDescription),
                "submission_finished": false,
            ]
            return VMRaySubmission(made).map { [$0] } ?? []
        }
        return (vmray?["submissions_of_sample"]?["\(sample)"]?.array ?? []).compactMap { VMRaySubmission($0) }
    }

    private mutating func submit(_ hash: String, _ triage: inout SampleTriage) {
        note(Deed("vmray_submit", ids: [hash]), hash)
        let plan = scenario.json["vmray"]?["submit"]?[hash]
        if plan?["final"]?.string == "quota" {
            isQuotaSpent = true
            return triage.spentQuota()
        }
        if let errors = plan?["errors"]?.array {
            return triage.submitted(.rejected(errors.compactMap { $0["error_msg"]?.string }), at: now)
        }
        submitted.insert(hash)
        let last = plan?["answers"]?.array?.last?["body"]?["data"]
        let made: JSONValue = ["submission_id": plan?["submission_id"] ?? 0]
        guard let submission = VMRaySubmission(last?["submissions"]?[0] ?? made) else { return triage.refused() }
        let isKnown = last?["errors"]?.array?.isEmpty == false
        triage.submitted(isKnown ? .noJobs(submission: submission, sampleID: nil) : .accepted(submission), at: now)
    }

    private mutating func poll(_ id: Int64, _ hash: String) -> VMRaySubmission? {
        let values = scenario.json["vmray"]?["submissions"]?["\(id)"]?.array ?? [true]
        let isFinished = values[min(polls[id, default: 0], values.count - 1)]
        polls[id, default: 0] += 1
        if isFinished == true { finished.insert(hash) }
        return VMRaySubmission([
            "submission_id": .int(id), "submission_finished": isFinished,
            "submission_has_errors": scenario.json["vmray"]?["submission_has_errors"]?["\(id)"] ?? false,
        ])
    }

    private func analyses(of submission: Int64?) -> [VMRayAnalysis] {
        guard let submission else { return [] }
        return (scenario.json["vmray"]?["analyses"]?["\(submission)"]?.array ?? []).compactMap { VMRayAnalysis($0) }
    }

    private mutating func iocs(of hash: String) -> VMRayIOCs? {
        guard scenario.json["config"]?["API_KEY_TYPE"]?.string != "VERDICT", let sample = samples(hash).first else {
            return nil
        }
        reads.insert("vmray_iocs")
        return VMRayIOCs(scenario.json["vmray"]?["iocs"]?["\(sample.id)"]?["malicious"]?["iocs"] ?? [:])
    }

    // MARK: Falcon

    private mutating func apply(_ effect: Effect) {
        switch effect {
        case .alertUpdate(let ids, let comment, _, _): for id in ids { comments[id, default: []].append(comment) }
        case .createIndicators(let indicators, _):
            for indicator in indicators { existing.insert("\(indicator.kind.name):\(indicator.value)") }
        case .quarantineUpdate(let ids, let action, _): if action == "release" { released.formUnion(ids) }
        case .contain(let hosts, _): contained.formUnion(hosts)
        case .createCase(let made, _): cases.append(made.title)
        }
    }

    private func isApplied(_ effect: Effect, _ key: EffectKey) -> Bool {
        let id = String(key.text[key.text.index(after: key.text.firstIndex(of: ":") ?? key.text.startIndex)...])
        return switch effect {
        case .alertUpdate(_, let comment, _, _): comments[id]?.contains(comment) == true
        case .createIndicators: false
        case .quarantineUpdate: released.contains(id)
        case .contain: contained.contains(id)
        case .createCase(let made, _): cases.contains(made.title)
        }
    }
}

extension SampleTriage.Action {
    /// What is sent by it.
    var effect: Effect? { if case .apply(let effect) = self { effect } else { nil } }
}
