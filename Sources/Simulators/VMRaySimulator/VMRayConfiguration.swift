// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import JSON
public import SimulatorKit

/// How the simulated VMRay behaves.
public struct VMRayConfiguration: Sendable {
    /// The keys that exist when nobody says otherwise. They open nothing but this simulator.
    public static let defaultKey = "vmray-key-EXAMPLE"
    public static let defaultVerdictKey = "vmray-verdict-key-EXAMPLE"

    public var options = SimulatorOptions()
    public var reportKeys: Set<String> = [defaultKey]
    /// May read verdicts, no reports.
    public var verdictKeys: Set<String> = [defaultVerdictKey]
    /// How long a submission waits at least before its job begins.
    public var queue: Duration = .zero
    /// How long an analysis takes.
    public var analysis: Duration = .seconds(1)
    /// Analyses at a time; others wait. `nil`: any number.
    public var machines: Int?
    /// Submissions that are still allowed. `nil`: any number.
    public var quota: Int?
    /// A known file gets jobs again without being asked for it (`reanalyze`), as an instance can be set up.
    public var reanalyzesKnown = false
    /// Entries of a list's page; the rest is read with a continuation.
    public var pageSize = 100

    public init() { options.maxBodyBytes = 257 << 20 }
}

extension VMRayConfiguration {
    /// Changes what the JSON object names. Returns what is wrong with it.
    mutating func apply(_ changes: JSONObject) -> String? {
        for (key, value) in changes {
            switch key {
            case "queue_ms": queue = .milliseconds(value.int ?? 0)
            case "analysis_ms": analysis = .milliseconds(value.int ?? 0)
            case "machines": machines = value.int.map { max(1, Int($0)) }
            case "quota": quota = value.int.map { Int($0) }
            case "reanalyzes_known": reanalyzesKnown = value.bool ?? false
            case "page_size": pageSize = max(1, value.int.map { Int($0) } ?? 100)
            case "keys": reportKeys = Set((value.array ?? []).compactMap(\.string))
            case "verdict_keys": verdictKeys = Set((value.array ?? []).compactMap(\.string))
            default: return "there is no setting “\(key)”"
            }
        }
        return nil
    }
}

/// What an analysis of a content ends with.
struct Finding: Sendable {
    /// `nil`: none.
    var verdict: String?
    var classifications: [String] = []
    var threatNames: [String] = []
    /// Lists by the verdict that they are asked for.
    var iocs: [String: JSONObject] = [:]
    /// One analysis ends in an error.
    var fails = false
    /// The job runs and never ends.
    var hangs = false
    /// The file is refused with this text.
    var rejection: String?
    /// What the next submissions of it are answered with, in place of being taken.
    var answers: [ServerResponse] = []
    /// Numbers of the sample and of its next submission; `nil`: the next free ones.
    var sampleID: Int?
    var submissionID: Int?
    /// The hash that look-ups show in place of its own.
    var shownHash: String?
    /// Look-ups do not find it before somebody submits it.
    var isHidden = false

    init(verdict: String?) { self.verdict = verdict }

    /// `{"verdict":"malicious","classifications":["Backdoor"],"threat_names":[],"iocs":{"malicious":{"files":[…]}},`
    /// `"fails":false,"hangs":false,"rejection":"…","answers":[{"status":429,"headers":{"Retry-After":"3"},"body":{…}}],`
    /// `"sample_id":501,"submission_id":9001,"shown_sha256":"…","hidden":false}`; `nil` for another form.
    init?(_ json: JSONValue) {
        guard let members = json.object else { return nil }
        for (key, value) in members {
            switch key {
            case "verdict": verdict = value.string
            case "classifications": classifications = (value.array ?? []).compactMap(\.string)
            case "threat_names": threatNames = (value.array ?? []).compactMap(\.string)
            case "iocs":
                for (verdict, lists) in value.object ?? [:] { iocs[verdict] = lists.object }
            case "fails": fails = value.bool ?? false
            case "hangs": hangs = value.bool ?? false
            case "rejection": rejection = value.string
            case "answers": answers = (value.array ?? []).map { Self.answer($0) }
            case "sample_id": sampleID = value.int.map { Int($0) }
            case "submission_id": submissionID = value.int.map { Int($0) }
            case "shown_sha256": shownHash = value.string
            case "hidden": isHidden = value.bool ?? false
            case "sha256": continue
            default: return nil
            }
        }
    }

    private static func answer(_ json: JSONValue) -> ServerResponse {
        var answer = ServerResponse.json(json["body"] ?? [:], status: Int(json["status"]?.int ?? 200))
        for (name, value) in json["headers"]?.object ?? [:] { answer.headers[name] = value.string ?? value.text }
        return answer
    }

    /// Nothing is known of the content: the EICAR test text is malicious, everything else clean.
    init(content: ArraySlice<UInt8>) {
        self.init(verdict: "clean")
        // The text stands alone in its file.
        guard content.prefix(4096).firstRange(of: Array("EICAR-STANDARD-ANTIVIRUS-TEST-FILE".utf8)) != nil else {
            return
        }
        verdict = "malicious"
        classifications = ["Test"]
        threatNames = ["EICAR-Test-File"]
    }

    var severity: JSONValue {
        switch verdict {
        case "clean": "not_suspicious"
        case let verdict?: .string(verdict)
        case nil: nil
        }
    }
}
