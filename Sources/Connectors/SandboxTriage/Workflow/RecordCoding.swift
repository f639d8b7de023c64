// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// Records as they stand in the job table: JSON, so that any tool can show them, and a later version can read them.
extension SampleRecord {
    /// `nil` when it is none of ours.
    init?(stored bytes: [UInt8]) {
        guard let json = try? JSONValue(parsing: bytes), let sha256 = json["sha256"]?.string,
            let stage = json["stage"]?.string.flatMap({ Stage(rawValue: $0) })
        else { return nil }
        self.init(sha256: sha256)
        self.stage = stage
        outcome = json["outcome"]?.string.flatMap { SampleOutcome(rawValue: $0) }
        attempts = Int(clamping: json["attempts"]?.int ?? 0)
        alerts = (json["alerts"]?.array ?? []).compactMap { AlertFact($0) }
        files = (json["files"]?.array ?? []).compactMap { QuarantineFact($0) }
        submitStarted = json["submit_started"]?.int.map { Instant(milliseconds: $0) }
        submissionID = json["submission"]?.int
        submittedAt = json["submitted_at"]?.int.map { Instant(milliseconds: $0) }
        runningSince = json["running_since"]?.int.map { Instant(milliseconds: $0) }
        isCleanInDoubt = json["clean_in_doubt"]?.bool ?? false
        findings = json["findings"].flatMap { Findings($0) }
        for (key, value) in json["effects"]?.object ?? [:] { effects[EffectKey(key)] = EffectState(value) }
    }

    var stored: [UInt8] {
        var json: JSONObject = [
            "sha256": .string(sha256), "stage": .string(stage.rawValue), "attempts": .int(attempts),
            "alerts": .array(alerts.map(\.json)), "files": .array(files.map(\.json)),
        ]
        json["outcome"] = outcome.map { .string($0.rawValue) }
        json["submit_started"] = submitStarted.map { .int($0.milliseconds) }
        json["submission"] = submissionID.map { .int($0) }
        json["submitted_at"] = submittedAt.map { .int($0.milliseconds) }
        json["running_since"] = runningSince.map { .int($0.milliseconds) }
        if isCleanInDoubt { json["clean_in_doubt"] = true }
        json["findings"] = findings?.json
        let states = effects.map { (key: $0.key.text, value: $0.value.json) }.sorted { $0.key < $1.key }
        json["effects"] = .object(JSONObject(states))
        return JSONValue.object(json).bytes
    }
}

extension AlertFact {
    fileprivate init?(_ json: JSONValue) {
        guard let id = json["id"]?.string else { return nil }
        self.init(
            compositeID: id, product: json["product"]?.string ?? "", link: json["link"]?.string ?? "",
            status: json["status"]?.string ?? "", host: json["host"]?.string ?? "")
    }

    var json: JSONValue {
        [
            "id": .string(compositeID), "product": .string(product), "link": .string(link), "status": .string(status),
            "host": .string(host),
        ]
    }
}

extension QuarantineFact {
    fileprivate init?(_ json: JSONValue) {
        guard let id = json["id"]?.string else { return nil }
        self.init(id: id, host: json["host"]?.string ?? "")
    }

    var json: JSONValue { ["id": .string(id), "host": .string(host)] }
}

extension SampleRecord.Findings {
    fileprivate init?(_ json: JSONValue) {
        guard let id = json["sample"]?.int, let verdict = json["verdict"]?.string.flatMap({ Verdict(rawValue: $0) })
        else { return nil }
        self.init(sampleID: id, verdict: verdict, link: json["link"]?.string ?? "")
        func texts(_ key: String) -> [String]? { json[key]?.array.map { $0.compactMap(\.string) } }
        classifications = texts("classifications") ?? []
        threatNames = texts("threat_names") ?? []
        hashes = texts("hashes") ?? []
        otherHosts = texts("other_hosts")
        indicators = json["indicators"]?.array.map { list in
            list.compactMap { entry in
                guard let name = entry["type"]?.string, let value = entry["value"]?.string,
                    let kind = TriageIndicator.Kind.allCases.first(where: { $0.name == name })
                else { return nil }
                return TriageIndicator(kind: kind, value: value)
            }
        }
    }

    fileprivate var json: JSONValue {
        func list(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }
        var json: JSONObject = [
            "sample": .int(sampleID), "verdict": .string(verdict.rawValue), "link": .string(link),
            "classifications": list(classifications), "threat_names": list(threatNames), "hashes": list(hashes),
        ]
        json["other_hosts"] = otherHosts.map(list)
        json["indicators"] = indicators.map { indicators in
            .array(indicators.map { ["type": .string($0.kind.name), "value": .string($0.value)] })
        }
        return .object(json)
    }
}

extension EffectState {
    fileprivate init?(_ json: JSONValue) {
        switch json.string {
        case "pending": self = .pending
        case "done": self = .done
        default:
            if let reason = json["vetoed"]?.string {
                self = .vetoed(reason)
            } else if let reason = json["refused"]?.string {
                self = .refused(reason)
            } else {
                return nil
            }
        }
    }

    fileprivate var json: JSONValue {
        switch self {
        case .pending: "pending"
        case .done: "done"
        case .vetoed(let reason): ["vetoed": .string(reason)]
        case .refused(let reason): ["refused": .string(reason)]
        }
    }
}
