// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

@testable import SandboxTriage

/// What the case says of Falcon and VMRay, put into the simulators.
extension ProgramWorld {
    func load() async throws {
        try await loadFalcon(scenario.json["falcon"] ?? [:])
        try await loadVMRay(scenario.json["vmray"] ?? [:])
    }

    private func loadFalcon(_ falcon: JSONValue) async throws {
        let created = scenario.start.advanced(by: .seconds(-2400)).secondsDescription
        let alerts = scenario.alerts.map { alert -> JSONValue in
            var row = alert.object ?? [:]
            if row["created_timestamp"] == nil { row["created_timestamp"] = .string(created) }
            return .object(row)
        }
        let files = falcon["quarantined_files"]?.array ?? []
        try await tell(.falcon, "entities/alerts", .array(alerts))
        try await tell(.falcon, "entities/quarantined_files", .array(files))
        var hosts = Set(
            alerts.compactMap { $0["device"]?["device_id"]?.string } + files.compactMap { $0["aid"]?.string })
        for (hash, seen) in falcon["devices_ran_on"]?.object ?? [:] {
            let ids = (seen.array ?? []).compactMap(\.string)
            hosts.formUnion(ids)
            let devices = JSONObject(ids.map { (key: $0, value: JSONValue.array([])) })
            try await tell(
                .falcon, "sightings", ["type": "sha256", "value": .string(hash), "devices": .object(devices)])
        }
        let rows = hosts.sorted().map { id -> JSONValue in
            [
                "device_id": .string(id), "cid": "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "hostname": "PC", "groups": [],
                "status": falcon["devices"]?[id]?["status"] ?? "normal",
            ]
        }
        try await tell(.falcon, "entities/hosts", .array(rows))
        try await tell(.falcon, "entities/message_cases", .array(falcon["cases"]?.array ?? []))
        let iocs = (falcon["existing_iocs"]?.array ?? []).map { ioc -> JSONValue in
            var row = ioc.object ?? [:]
            row["action"] = "detect"
            row["platforms"] = ["windows"]
            row["applied_globally"] = true
            return .object(row)
        }
        try await tell(.falcon, "iocs", .array(iocs))
        for (hash, shape) in falcon["sample_downloads"]?.object ?? [:] {
            var sample: JSONObject = ["content": .string(Scenario.words[hash] ?? ""), "shape": shape]
            if shape == "inflates_too_large" {
                let limit = scenario.json["config"]?["MAX_SAMPLE_SIZE"]?.int ?? 0
                sample = ["bytes": .int(4 * limit), "seed": 1, "deflated": true, "shape": shape]
            }
            sample["sha256"] = .string(hash)
            try await tell(.falcon, "samples", [.object(sample)])
        }
        let caps = (falcon["server_page_cap"]?.object ?? [:]).map(\.value).compactMap(\.int)
        if let cap = caps.min() { try await tell(.falcon, "settings", ["page_cap": .int(cap)]) }
    }

    private func loadVMRay(_ vmray: JSONValue) async throws {
        if let cap = vmray["server_page_cap"]?.int { try await tell(.vmray, "settings", ["page_size": .int(cap)]) }
        if scenario.json["config"]?["RESUBMIT"] == true {
            try await tell(.vmray, "settings", ["reanalyzes_known": true])
        }
        var known: JSONObject = [:]
        var findings: JSONObject = [:]
        for (hash, sample) in vmray["samples_before"]?.object ?? [:] {
            // One without a verdict is there by its submission alone.
            if sample["sample_verdict"]?.string != nil || vmray["submissions"]?.object?.isEmpty != false {
                known[hash] = .object(finding(hash, sample))
            }
            findings[hash] = .object(finding(hash, sample))
        }
        for (hash, sample) in vmray["samples_after"]?.object ?? [:] { findings[hash] = .object(finding(hash, sample)) }
        for (hash, answer) in vmray["submit"]?.object ?? [:] {
            var finding = findings[hash]?.object ?? ["verdict": nil, "hangs": true]
            finding["sample_id"] = answer["sample_id"]
            finding["submission_id"] = answer["submission_id"]
            finding["rejection"] = answer["errors"]?[0]?["error_msg"]
            // What the last of them accepts, the simulator accepts in its own way.
            let answers = (answer["answers"]?.array ?? []).filter {
                $0["status"] != 200 || $0["body"]?["data"]?["errors"]?.array?.isEmpty == false
            }
            finding["answers"] = .array(answers)
            // “No jobs were created” for a file that the look-up before did not find.
            if answers.last?["body"]?["data"]?["submissions"]?.array?.isEmpty == false { finding["hidden"] = true }
            findings[hash] = .object(finding)
        }
        try await tell(.vmray, "samples", .object(known))
        try await tell(.vmray, "findings", .object(findings))
        try await tell(.vmray, "submissions", .array(submissions(vmray)))
    }

    private func finding(_ hash: String, _ sample: JSONValue) -> JSONObject {
        let vmray = scenario.json["vmray"]
        let rows = (vmray?["analyses"]?.object ?? [:]).flatMap { $0.value.array ?? [] }
        let hasErrors = (vmray?["submission_has_errors"]?.object ?? [:]).contains { $0.value == true }
        let id = sample["sample_id"] ?? nil
        var iocs: JSONObject = [:]
        for (verdict, body) in vmray?["iocs"]?[id.text]?.object ?? [:] { iocs[verdict] = body["iocs"] }
        var finding: JSONObject = [
            "verdict": sample["sample_verdict"] ?? nil, "sample_id": id, "iocs": .object(iocs),
            "classifications": sample["sample_classifications"] ?? [],
            "threat_names": sample["sample_threat_names"] ?? [],
            "fails": .bool(hasErrors || rows.contains { $0["analysis_severity"] == "error" }),
        ]
        if sample["sample_sha256hash"]?.string != hash { finding["shown_sha256"] = sample["sample_sha256hash"] }
        return finding
    }

    /// Those that were made before the run: of stored records, of samples, of an answer “no jobs were created”.
    private func submissions(_ vmray: JSONValue) -> [JSONValue] {
        var made: [Int64: (hash: String, created: String?)] = [:]
        for (hash, record) in scenario.stored { if let id = record.submissionID { made[id] = (hash, nil) } }
        for (_, list) in vmray["submissions_of_sample"]?.object ?? [:] {
            for row in list.array ?? [] {
                guard let id = row["submission_id"]?.int, let hash = row["submission_sample_sha256"]?.string else {
                    continue
                }
                made[id] = (hash, row["submission_created"]?.string)
            }
        }
        for (hash, answer) in vmray["submit"]?.object ?? [:] {
            let body = answer["answers"]?.array?.last?["body"]?["data"]
            guard body?["errors"]?.array?.isEmpty == false, let id = body?["submissions"]?[0]?["submission_id"]?.int
            else { continue }
            made[id] = (hash, nil)
        }
        return made.map { id, submission in
            let created = submission.created ?? scenario.start.advanced(by: .seconds(-1200)).secondsDescription
            var row: JSONObject = [
                "submission_id": .int(id), "sha256": .string(submission.hash),
                "created": .string(created.hasSuffix("Z") ? created : created + "Z"),
            ]
            // It is seen to be finished when as much time has passed as there are answers before.
            let states = vmray["submissions"]?["\(id)"]?.array ?? [true]
            if let count = states.firstIndex(of: true) {
                row["ends"] = .string(scenario.start.advanced(by: .seconds(count)).secondsDescription)
            }
            return .object(row)
        }
    }
}
