// SPDX-License-Identifier: Apache-2.0

public import Base
public import JSON

/// What VMRay knows of one file. Source: VMRay, 1.1.
public struct VMRaySample: Sendable, Hashable {
    public var id: VMRayID
    /// Lower case; empty when the answer names none.
    public var sha256: String
    /// The server's text: `malicious`, `suspicious`, `clean`, `not_available`, …; `nil` while there is none.
    public var verdict: String?
    public var verdictReason: String?
    public var severity: String?
    public var classifications: [String]
    public var threatNames: [String]
    /// The report for people; empty when the answer names none.
    public var webURL: String

    /// `nil` without an id.
    public init?(_ json: JSONValue) {
        guard let id = json["sample_id"]?.vmrayID else { return nil }
        self.id = id
        sha256 = json["sample_sha256hash"]?.string?.lowercased() ?? ""
        verdict = json["sample_verdict"]?.string
        verdictReason = json["sample_verdict_reason_code"]?.string
        severity = json["sample_severity"]?.string
        classifications = json["sample_classifications"]?.texts ?? []
        threatNames = json["sample_threat_names"]?.texts ?? []
        webURL = json["sample_webif_url"]?.string ?? ""
    }
}

/// One file given to VMRay once. Source: VMRay, 1, and the API examples.
public struct VMRaySubmission: Sendable, Hashable {
    public var id: VMRayID
    public var sampleID: VMRayID?
    /// Of the file, lower case; `nil` when it is not told.
    public var sampleHash: String?
    /// Times without a zone are UTC.
    public var created: Instant?
    /// Absent counts as running.
    public var isFinished: Bool
    /// `nil` while nobody knows.
    public var hasErrors: Bool?
    public var verdict: String?

    /// `nil` without an id.
    public init?(_ json: JSONValue) {
        guard let id = json["submission_id"]?.vmrayID else { return nil }
        self.id = id
        sampleID = json["submission_sample_id"]?.vmrayID
        sampleHash = json["submission_sample_sha256"]?.string?.lowercased()
        created = json["submission_created"]?.string.flatMap { Instant(parsing: $0) }
        isFinished = json["submission_finished"]?.bool ?? false
        hasErrors = json["submission_has_errors"]?.bool
        verdict = json["submission_verdict"]?.string
    }
}

/// What a key may submit.
public struct VMRayQuota: Sendable, Hashable {
    /// `nil`: any number.
    public var limit: Int64?
    public var used: Int64

    public var isSpent: Bool { limit.map { used >= $0 } ?? false }

    /// `nil` when it does not say how many were used.
    public init?(_ json: JSONValue) {
        guard let used = json["used_quota"]?.int else { return nil }
        self.used = used
        limit = json["quota_limit"]?.int
    }
}

/// One analyser's run over a submission.
public struct VMRayAnalysis: Sendable, Hashable {
    public var id: VMRayID
    public var severity: String?
    public var verdict: String?
    public var resultCode: Int64?
    public var result: String?

    public var hasFailed: Bool { severity == "error" }

    /// `nil` without an id.
    public init?(_ json: JSONValue) {
        guard let id = json["analysis_id"]?.vmrayID else { return nil }
        self.id = id
        severity = json["analysis_severity"]?.string
        verdict = json["analysis_verdict"]?.string
        resultCode = json["analysis_result_code"]?.int
        result = json["analysis_result_str"]?.string
    }
}

/// Work that waits or runs; what is finished disappears from the list.
public struct VMRayJob: Sendable, Hashable {
    public var id: VMRayID
    /// `queued`, `inwork`
    public var status: String

    public var isRunning: Bool { status == "inwork" }

    /// `nil` without an id.
    public init?(_ json: JSONValue) {
        guard let id = json["job_id"]?.vmrayID else { return nil }
        self.id = id
        status = json["job_status"]?.string ?? ""
    }
}

/// A behaviour that VMRay recognised (VTI).
public struct VMRayThreatIndicator: Sendable, Hashable {
    public var id: VMRayID
    public var category: String
    public var operation: String
    /// 1…5
    public var score: Int64
    public var classifications: [String]

    /// `nil` without an id.
    public init?(_ json: JSONValue) {
        guard let id = json["id"]?.vmrayID else { return nil }
        self.id = id
        category = json["category"]?.string ?? ""
        operation = json["operation"]?.string ?? ""
        score = json["score"]?.int ?? 0
        classifications = json["classifications"]?.texts ?? []
    }
}
