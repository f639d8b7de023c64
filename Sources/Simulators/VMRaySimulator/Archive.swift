// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import JSON

/// Everything that the simulated instance holds. Whether a submission waits, runs or is finished follows from the clock.
struct Archive: Sendable {
    struct Sample: Sendable {
        let id: Int
        let sha256: String
        let size: Int
        let created: Instant
        var finding: Finding
        /// Known with its verdict from the start, without a submission.
        var isPrepared = false
        /// Look-ups do not find it yet.
        var isHidden = false
    }

    struct Submission: Sendable {
        let id: Int
        let sample: Int
        let created: Instant
        let begins: Instant
        /// `nil`: never.
        let ends: Instant?
        let fields: JSONObject
        /// What it ends with.
        let finding: Finding
        /// There from the start; nobody has sent it.
        var isPrepared = false

        func isFinished(_ now: Instant) -> Bool { ends.map { $0 <= now } ?? false }
    }

    private var samples: [Int: Sample] = [:]
    /// Numbers in `samples`, by SHA-256.
    private var numbers: [String: Int] = [:]
    private(set) var submissions: [Submission] = []
    /// Position in `submissions`, by number.
    private var places: [Int: Int] = [:]
    /// What analyses of contents will end with, by SHA-256.
    var findings: [String: Finding] = [:]
    private(set) var accepted = 0
    private var machines: [Instant] = []
    private var pages: [Int: [JSONValue]] = [:]
    private var nextPage = 41

    private var nextSample = 501
    private var nextSubmission = 9001

    func sample(_ sha256: String) -> Sample? { numbers[sha256].flatMap { samples[$0] } }
    func sample(id: Int) -> Sample? { samples[id] }
    func submission(_ id: Int) -> Submission? { places[id].map { submissions[$0] } }

    /// A sample that was analysed before, with that finding.
    mutating func prepare(_ sha256: String, _ finding: Finding, at now: Instant) {
        findings[sha256] = finding
        let sample = add(sha256, size: 48_128, finding, at: now)
        samples[sample.id]?.finding = finding
        samples[sample.id]?.isPrepared = true
        samples[sample.id]?.isHidden = finding.isHidden
    }

    /// A submission that was made before: `{"submission_id":9024,"sha256":"…","created":"2026-06-15T11:58:00Z",`
    /// `"ends":"2026-06-15T12:00:01Z"}`, without `ends` for one that runs for ever. What it ends with is the content's
    /// finding; the sample has no verdict before.
    ///
    /// - Returns: `false` for another form.
    mutating func prepare(submission json: JSONValue, at now: Instant) -> Bool {
        guard let hash = json["sha256"]?.string, let id = json["submission_id"]?.int.map({ Int($0) }),
            submission(id) == nil, let created = json["created"]?.string.flatMap({ Instant(parsing: $0) })
        else { return false }
        let ends = json["ends"]?.string.flatMap { Instant(parsing: $0) }
        let finding = findings[hash] ?? Finding(verdict: "clean")
        let sample = add(hash, size: 48_128, finding, at: now)
        samples[sample.id]?.isHidden = finding.isHidden
        var submission = Submission(
            id: id, sample: sample.id, created: created, begins: created, ends: ends,
            fields: ["filename": .string(hash)], finding: finding)
        submission.isPrepared = true
        append(submission)
        return true
    }

    private mutating func append(_ submission: Submission) {
        places[submission.id] = submissions.count
        submissions.append(submission)
    }

    /// From now on look-ups find it.
    mutating func show(_ sha256: String) { numbers[sha256].map { samples[$0]?.isHidden = false } }

    /// The next answer that was prepared for a submission of it.
    mutating func preparedAnswer(_ sha256: String) -> ServerResponse? {
        guard findings[sha256]?.answers.isEmpty == false else { return nil }
        return findings[sha256]?.answers.removeFirst()
    }

    private mutating func add(_ sha256: String, size: Int, _ finding: Finding, at now: Instant) -> Sample {
        if let known = sample(sha256) { return known }
        let id = finding.sampleID ?? nextSample
        let sample = Sample(id: id, sha256: sha256, size: size, created: now, finding: finding)
        nextSample = max(nextSample, id + 1)
        numbers[sha256] = id
        samples[id] = sample
        return sample
    }

    /// Takes a content in and gives it to the first machine that is free.
    mutating func submit(
        _ content: ArraySlice<UInt8>, sha256: String, _ fields: JSONObject, _ settings: VMRayConfiguration,
        at now: Instant
    ) -> (Sample, Submission) {
        let finding = findings[sha256] ?? Finding(content: content)
        let sample = add(sha256, size: content.count, finding, at: now)
        show(sha256)
        var begins = now.advanced(by: settings.queue)
        if let count = settings.machines {
            if machines.count > count { machines = Array(machines.sorted().suffix(count)) }
            if machines.count == count, let free = machines.indices.min(by: { machines[$0] < machines[$1] }) {
                begins = max(begins, machines.remove(at: free))
            }
        }
        let ends = begins.advanced(by: settings.analysis)
        if settings.machines != nil { machines.append(ends) }
        let id = finding.submissionID.flatMap { places[$0] == nil ? $0 : nil } ?? nextSubmission
        nextSubmission = max(nextSubmission, id + 1)
        let submission = Submission(
            id: id, sample: sample.id, created: now, begins: begins, ends: finding.hangs ? nil : ends, fields: fields,
            finding: finding)
        append(submission)
        accepted += 1
        return (sample, submission)
    }

    /// The most analyses that have run at once.
    func mostRunning(_ now: Instant) -> Int {
        var changes: [(at: Int64, by: Int)] = []
        for submission in submissions where submission.begins <= now {
            changes.append((submission.begins.milliseconds, 1))
            if let ends = submission.ends, ends <= now { changes.append((ends.milliseconds, -1)) }
        }
        var running = 0
        // One that ends makes room before another begins.
        return changes.sorted { $0.at == $1.at ? $0.by < $1.by : $0.at < $1.at }.reduce(0) { most, change in
            running += change.by
            return max(most, running)
        }
    }

    func isAnalysed(_ sample: Sample, _ now: Instant) -> Bool { finding(of: sample, now) != nil }

    /// What its last analysis has ended with; `nil` before the first.
    func finding(of sample: Sample, _ now: Instant) -> Finding? {
        submissions.last { $0.sample == sample.id && $0.isFinished(now) }?.finding
            ?? (sample.isPrepared ? sample.finding : nil)
    }

    // MARK: Pages

    /// The first page of a list; the rest is kept under a number.
    mutating func page(of rows: [JSONValue], _ size: Int) -> JSONObject {
        var body: JSONObject = ["result": "ok", "data": .array(Array(rows.prefix(size)))]
        if rows.count > size {
            nextPage += 1
            pages[nextPage] = Array(rows.dropFirst(size))
            body["continuation_id"] = .int(nextPage)
        }
        return body
    }

    /// The page of that number, which can be read once.
    mutating func continued(_ number: Int, _ size: Int) -> JSONObject? {
        pages.removeValue(forKey: number).map { page(of: $0, size) }
    }

    // MARK: JSON

    func json(_ sample: Sample, _ now: Instant) -> JSONValue {
        let finding = finding(of: sample, now)
        return [
            "sample_id": .int(sample.id), "sample_sha256hash": .string(sample.finding.shownHash ?? sample.sha256),
            "sample_filename": .string(sample.sha256), "sample_filesize": .int(sample.size),
            "sample_type": "Windows Exe (x86-64)", "sample_created": .string(Self.text(sample.created)),
            "sample_severity": finding?.severity ?? nil,
            "sample_score": finding?.verdict.map { $0 == "malicious" ? 100 : $0 == "suspicious" ? 48 : 0 } ?? nil,
            "sample_verdict": finding?.verdict.map { .string($0) } ?? nil,
            "sample_verdict_reason_code": finding == nil ? "no_dynamic_analysis" : nil,
            "sample_classifications": .array((finding?.classifications ?? []).map { .string($0) }),
            "sample_threat_names": .array((finding?.threatNames ?? []).map { .string($0) }),
            "sample_child_sample_ids": [], "sample_parent_sample_ids": [],
            "sample_webif_url": .string("https://eu.cloud.vmray.com/samples/\(sample.id)"),
        ]
    }

    func json(_ submission: Submission, _ now: Instant) -> JSONValue {
        let sample = sample(id: submission.sample)
        let isFinished = submission.isFinished(now)
        let finding = isFinished ? submission.finding : nil
        return [
            "submission_id": .int(submission.id), "submission_created": .string(Self.text(submission.created)),
            "submission_finished": .bool(isFinished),
            "submission_finish_time": isFinished ? submission.ends.map { .string(Self.text($0)) } ?? nil : nil,
            "submission_has_errors": isFinished ? .bool(finding?.fails ?? false) : nil,
            "submission_sample_id": .int(submission.sample),
            "submission_sample_sha256": sample.map { .string($0.sha256) } ?? nil,
            "submission_filename": submission.fields["filename"] ?? nil,
            "submission_comment": submission.fields["comment"] ?? nil,
            "submission_severity": finding?.severity ?? nil,
            "submission_verdict": finding?.verdict.map { .string($0) } ?? nil, "submission_type": "api",
            "submission_webif_url": .string("https://eu.cloud.vmray.com/submissions/\(submission.id)"),
        ]
    }

    /// Analyses appear with the end of their submission.
    func analyses(of submission: Submission, _ now: Instant) -> [JSONValue] {
        guard submission.isFinished(now), let sample = sample(id: submission.sample) else { return [] }
        let finding = submission.finding
        let good: JSONValue = [
            "analysis_id": .int(submission.id * 10), "analysis_submission_id": .int(submission.id),
            "analysis_sample_id": .int(sample.id), "analysis_severity": finding.severity,
            "analysis_verdict": finding.verdict.map { .string($0) } ?? nil, "analysis_result_code": 1,
            "analysis_result_str": "Operation completed successfully",
        ]
        let bad: JSONValue = [
            "analysis_id": .int(submission.id * 10 + 1), "analysis_submission_id": .int(submission.id),
            "analysis_sample_id": .int(sample.id), "analysis_severity": "error", "analysis_verdict": nil,
            "analysis_result_code": 90, "analysis_result_str": "VM could not be started",
        ]
        return finding.fails ? [good, bad] : [good]
    }

    /// Jobs disappear with the end of their submission.
    func jobs(of submission: Submission, _ now: Instant) -> [JSONValue] {
        guard !submission.isFinished(now) else { return [] }
        return [
            [
                "job_id": .int(submission.id - 2000), "job_type": "full_analysis",
                "job_status": submission.begins <= now ? "inwork" : "queued",
                "job_submission_id": .int(submission.id), "job_sample_id": .int(submission.sample),
                "job_created": .string(Self.text(submission.created)),
            ]
        ]
    }

    /// Without a zone, as VMRay writes it.
    private static func text(_ moment: Instant) -> String { String(moment.secondsDescription.dropLast()) }
}
