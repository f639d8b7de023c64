// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import Hashing
import JSON
import SimulatorKit
import Synchronization

/// The instance's answers. Strict: what a client should not send is refused, not overlooked.
final class VMRayVendor: SimulatedVendor {
    private struct State {
        var settings: VMRayConfiguration
        var archive = Archive()
        /// What clients sent that no call takes; the first ones are kept.
        var violations: [JSONValue] = []
    }

    private let initial: VMRayConfiguration
    private let clock: SimulatorClock
    private let state: Mutex<State>

    init(_ configuration: VMRayConfiguration, clock: SimulatorClock) {
        initial = configuration
        self.clock = clock
        state = Mutex(State(settings: configuration))
    }

    private enum Call {
        case systemInfo, quota, submit
        case samplesByHash(String)
        case sample(Int)
        case iocs(Int, verdict: String?)
        case threatIndicators(Int)
        case submission(Int)
        case submissionsOfSample(Int)
        case analyses(Int)
        case jobs(Int)
        case report(Int)
        case continuation(Int)

        var name: String {
            switch self {
            case .systemInfo: "system_info"
            case .quota: "quota"
            case .submit: "submit"
            case .samplesByHash: "sample_by_hash"
            case .sample: "sample"
            case .iocs: "iocs"
            case .threatIndicators: "vtis"
            case .submission: "submission"
            case .submissionsOfSample: "submissions_of_sample"
            case .analyses: "analyses"
            case .jobs: "jobs"
            case .report: "report"
            case .continuation: "continuation"
            }
        }

        /// Reports stay locked for verdict keys.
        var needsReportKey: Bool {
            switch self {
            case .iocs, .threatIndicators, .report: true
            default: false
            }
        }

        init?(_ request: ServerRequest) {
            let parts = request.path.split(separator: "/").map(String.init)
            guard parts.count > 1, parts[0] == "rest" else { return nil }
            let number = parts.dropFirst(2).compactMap { Int($0) }.first
            switch (request.method, parts.count, parts[1], number) {
            case ("GET", 2, "system_info", _): self = .systemInfo
            case ("GET", 3, "api_key", _) where parts[2] == "quota": self = .quota
            case ("POST", 3, "sample", _) where parts[2] == "submit": self = .submit
            case ("GET", 4, "sample", _) where parts[2] == "sha256": self = .samplesByHash(parts[3].lowercased())
            case ("GET", 3, "sample", let id?): self = .sample(id)
            case ("GET", 4, "sample", let id?) where parts[3] == "vtis": self = .threatIndicators(id)
            case ("GET", 6, "sample", let id?) where parts[3] == "iocs" && parts[4] == "verdict":
                self = .iocs(id, verdict: parts[5])
            case ("GET", 6, "sample", let id?) where parts[3...] == ["iocs", "all_artifacts", "True"],
                ("GET", 6, "sample", let id?) where parts[3...] == ["iocs", "all_artifacts", "False"]:
                self = .iocs(id, verdict: nil)
            case ("GET", 3, "submission", let id?): self = .submission(id)
            case ("GET", 4, "submission", let id?) where parts[2] == "sample": self = .submissionsOfSample(id)
            case ("GET", 4, "analysis", let id?) where parts[2] == "submission": self = .analyses(id)
            case ("GET", 4, "job", let id?) where parts[2] == "submission": self = .jobs(id)
            case ("GET", 6, "analysis", let id?) where parts[3...] == ["archive", "logs", "summary_v2.json"]:
                self = .report(id)
            case ("GET", 3, "continuation", let id?): self = .continuation(id)
            default: return nil
            }
        }
    }

    func operation(of request: ServerRequest) -> String { Call(request)?.name ?? "unknown" }

    func answer(to request: ServerRequest, operation: String) -> Answer { .now(serve(request)) }

    private func serve(_ request: ServerRequest) -> ServerResponse {
        guard let call = Call(request) else { return Self.error(404, "Unknown REST API method") }
        let settings = state.withLock { $0.settings }
        let header = request.headers["Authorization"] ?? ""
        let key = header.hasPrefix("api_key ") ? String(header.dropFirst(8)) : ""
        let mayReadReports = settings.reportKeys.contains(key)
        guard mayReadReports || settings.verdictKeys.contains(key) else {
            return Self.error(401, "Authentication failed. Invalid API key")
        }
        guard mayReadReports || !call.needsReportKey else {
            return Self.error(403, "You are not allowed to perform this operation")
        }
        if case .submit = call { return submit(request) }
        let now = clock.now
        return state.withLock { Self.read(call, &$0, now) }
    }

    private static func read(_ call: Call, _ state: inout State, _ now: Instant) -> ServerResponse {
        let archive = state.archive
        func list(_ rows: [JSONValue]) -> ServerResponse {
            .json(.object(state.archive.page(of: rows, state.settings.pageSize)))
        }
        switch call {
        case .systemInfo:
            return data(["version": "2026.2.0", "api_items_per_request": .int(state.settings.pageSize)])
        case .quota:
            return data([
                "quota_limit": state.settings.quota.map { .int($0) } ?? nil, "used_quota": .int(archive.accepted),
            ])
        case .samplesByHash(let hash):
            guard let sample = archive.sample(hash), !sample.isHidden else { return data([]) }
            return data([archive.json(sample, now)])
        case .sample(let id):
            return archive.sample(id: id).map { data(archive.json($0, now)) } ?? missing
        case .iocs(let id, let verdict):
            guard let sample = archive.sample(id: id) else { return missing }
            let found = archive.finding(of: sample, now)?.iocs ?? [:]
            return data(["iocs": .object(Self.iocs(verdict.map { [found[$0] ?? [:]] } ?? Array(found.values)))])
        case .threatIndicators(let id):
            guard archive.sample(id: id) != nil else { return missing }
            return data([
                "threat_indicators": [
                    [
                        "id": .int(id * 100), "category": "Reputation", "operation": "Known file", "score": 1,
                        "classifications": [], "analysis_ids": [],
                    ]
                ]
            ])
        case .submission(let id):
            return archive.submission(id).map { data(archive.json($0, now)) } ?? missing
        case .submissionsOfSample(let id):
            guard archive.sample(id: id) != nil else { return missing }
            return list(archive.submissions.filter { $0.sample == id }.map { archive.json($0, now) })
        case .analyses(let id):
            return archive.submission(id).map { list(archive.analyses(of: $0, now)) } ?? missing
        case .jobs(let id): return archive.submission(id).map { list(archive.jobs(of: $0, now)) } ?? missing
        case .report(let id):
            guard archive.submission(id / 10) != nil else { return missing }
            return .json(["analysis_metadata": ["analysis_id": .int(id)]])
        case .continuation(let id):
            return state.archive.continued(id, state.settings.pageSize).map { .json(.object($0)) } ?? missing
        case .submit: return missing
        }
    }

    private static let lists = [
        "domains", "emails", "email_addresses", "filenames", "files", "ips", "mutexes", "processes", "registry", "urls",
    ]

    private static func iocs(_ found: [JSONObject]) -> JSONObject {
        var all: JSONObject = [:]
        for name in lists { all[name] = .array(found.flatMap { $0[name]?.array ?? [] }) }
        return all
    }

    private func submit(_ request: ServerRequest) -> ServerResponse {
        guard let form = FormData(request), let file = form["sample_file"], file.fileName != nil else {
            return Self.error(400, "Missing parameter: sample_file")
        }
        if let problem = Self.problem(of: form) {
            state.withLock { if $0.violations.count < 1000 { $0.violations.append(.string(problem)) } }
            return Self.error(400, problem)
        }
        var fields: JSONObject = [:]
        for part in form.parts where part.name != "sample_file" { fields[part.name] = .string(part.text) }
        let name =
            form["sample_filename_b64enc"].flatMap { Base64.decode($0.text) } ?? Array((file.fileName ?? "").utf8)
        fields["filename"] = .string(String(decoding: name, as: UTF8.self))
        let hash = Hex.encode(file.content.withUnsafeBytes { SHA256.digest($0) })
        let now = clock.now
        return state.withLock { state in
            if let answer = state.archive.preparedAnswer(hash) {
                if answer.status == 200 { state.archive.show(hash) }
                return answer
            }
            let known = state.archive.sample(hash)
            if let text = state.archive.findings[hash]?.rejection { return Self.refused(text, fields) }
            let mayRepeat = state.settings.reanalyzesKnown || form["reanalyze"]?.text.lowercased() == "true"
            if let known, state.archive.isAnalysed(known, now), !mayRepeat {
                let before = state.archive.submissions.last { $0.sample == known.id }
                return Self.refused(
                    "no jobs were created", fields, samples: [["sample_id": .int(known.id)]],
                    submissions: before.map { [state.archive.json($0, now)] } ?? [])
            }
            if let quota = state.settings.quota, state.archive.accepted >= quota {
                return Self.error(400, "Submission quota exceeded")
            }
            let (sample, submission) = state.archive.submit(
                file.content, sha256: hash, fields, state.settings, at: now)
            return Self.data([
                "errors": [], "jobs": .array(state.archive.jobs(of: submission, now)), "static_jobs": [],
                "reputation_jobs": [], "samples": [state.archive.json(sample, now)],
                "submissions": [state.archive.json(submission, now)],
            ])
        }
    }

    private static let modes: Set = [
        "reputation", "reputation_static", "reputation_static_dynamic", "static_dynamic", "static",
    ]

    private static let fields: Set = [
        "analyzer_mode", "archive_password", "comment", "document_password", "max_jobs", "reanalyze", "sample_file",
        "sample_filename_b64enc", "sample_type", "shareable", "tags", "user_config",
    ]

    private static func problem(of form: FormData) -> String? {
        if let part = form.parts.first(where: { !fields.contains($0.name) }) {
            return "Unknown parameter: \(part.name)"
        }
        if let mode = form["analyzer_mode"]?.text, !modes.contains(mode) { return "Invalid parameter: analyzer_mode" }
        if let tags = form["tags"]?.text, tags.contains(" ") { return "Invalid parameter: tags" }
        if let config = form["user_config"], (try? JSONValue(parsing: Array(config.content)))?.object == nil {
            return "Invalid parameter: user_config"
        }
        return nil
    }

    private static func refused(
        _ text: String, _ fields: JSONObject, samples: [JSONValue] = [], submissions: [JSONValue] = []
    ) -> ServerResponse {
        data([
            "errors": [["error_msg": .string(text), "submission_filename": fields["filename"] ?? nil]], "jobs": [],
            "samples": .array(samples), "submissions": .array(submissions),
        ])
    }

    // MARK: Envelope

    private static func data(_ value: JSONValue) -> ServerResponse { .json(["result": "ok", "data": value]) }

    private static func error(_ status: Int, _ text: String) -> ServerResponse {
        .json(["result": "error", "error_msg": .string(text)], status: status)
    }

    private static let missing = error(404, "No such element")

    func refusal(status: Int, message: String?, retryAfter: Int) -> ServerResponse {
        if status >= 500 {
            return ServerResponse(
                status: status, contentType: "text/html", bytes: Array("<html><body>Bad Gateway</body></html>".utf8))
        }
        var response = Self.error(status, message ?? (status == 429 ? "Too many requests" : "Unknown error"))
        if status == 429, retryAfter > 0 { response.headers["Retry-After"] = "\(retryAfter)" }
        return response
    }

    // MARK: Admin

    func administer(_ router: inout Router) {
        router.post("/_admin/findings") { [self] request in
            guard let findings = Self.findings(request.json) else {
                return .now(.problem(#"send {"<sha256>":{"verdict":"malicious","iocs":{…}}}"#))
            }
            state.withLock { $0.archive.findings.merge(findings) { $1 } }
            return .now(.done())
        }
        router.post("/_admin/samples") { [self] request in
            guard let findings = Self.findings(request.json) else {
                return .now(.problem(#"send {"<sha256>":{"verdict":"malicious","iocs":{…}}}"#))
            }
            let now = clock.now
            state.withLock { state in
                for (hash, finding) in findings.sorted(by: { $0.key < $1.key }) {
                    state.archive.prepare(hash, finding, at: now)
                }
            }
            return .now(.done())
        }
        router.get("/_admin/submissions") { [self] _ in
            let lines = state.withLock { state in
                state.archive.submissions.filter { !$0.isPrepared }.map { submission -> [UInt8] in
                    var line = submission.fields
                    line["submission_id"] = .int(submission.id)
                    line["sha256"] = state.archive.sample(id: submission.sample).map { .string($0.sha256) }
                    line["bytes"] = state.archive.sample(id: submission.sample).map { .int($0.size) }
                    return JSONValue.object(line).bytes + [UInt8(ascii: "\n")]
                }
            }
            return .now(.lines(lines))
        }
        router.post("/_admin/submissions") { [self] request in
            let now = clock.now
            let areAllGood = state.withLock { state in
                (request.json?.array ?? []).allSatisfy { state.archive.prepare(submission: $0, at: now) }
            }
            return .now(areAllGood ? .done() : .problem(#"send [{"submission_id":9024,"sha256":"…","created":"…"}]"#))
        }
        router.get("/_admin/state") { [self] _ in
            let now = clock.now
            let answer: JSONValue = state.withLock { state in
                [
                    "submissions": .int(state.archive.accepted),
                    "most_running": .int(state.archive.mostRunning(now)), "violations": .array(state.violations),
                ]
            }
            return .now(.json(answer))
        }
        router.post("/_admin/settings") { [self] request in
            guard let changes = request.json?.object else { return .now(.problem("send an object of settings")) }
            let problem = state.withLock { state in
                var changed = state.settings
                let problem = changed.apply(changes)
                if problem == nil { state.settings = changed }
                return problem
            }
            return .now(problem.map { .problem($0) } ?? .done())
        }
    }

    private static func findings(_ json: JSONValue?) -> [String: Finding]? {
        guard let members = json?.object else { return nil }
        var findings: [String: Finding] = [:]
        for (hash, value) in members {
            guard hash.utf8.count == 64, let finding = Finding(value) else { return nil }
            findings[hash.lowercased()] = finding
        }
        return findings
    }

    func reset() { state.withLock { $0 = State(settings: initial) } }
}
