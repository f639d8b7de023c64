// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON

/// What goes with a file. Source: VMRay, 1.2.
public struct SubmissionOptions: Sendable, Hashable {
    public enum AnalyzerMode: String, Sendable, CaseIterable {
        case reputation
        case reputationStatic = "reputation_static"
        case reputationStaticDynamic = "reputation_static_dynamic"
        case staticDynamic = "static_dynamic"
        case `static`
    }

    public var comment: String?
    /// None holds a blank or a comma.
    public var tags: [String] = []
    /// Seconds of one analysis.
    public var analysisTimeout: Int?
    public var analyzerMode: AnalyzerMode?
    /// Analyse a file again that is known already.
    public var reanalyze: Bool?
    public var shareable: Bool?
    public var maxJobs: Int?
    public var archivePassword: String?
    public var documentPassword: String?
    public var sampleType: String?

    public init() {}

    /// Field and value, in the order in which they are sent.
    var fields: [(name: String, value: String)] {
        let optional: [(String, String?)] = [
            ("comment", comment), ("tags", tags.isEmpty ? nil : tags.joined(separator: ",")),
            // The blank is the original's: Python writes it.
            ("user_config", analysisTimeout.map { "{\"timeout\": \($0)}" }), ("analyzer_mode", analyzerMode?.rawValue),
            ("reanalyze", reanalyze.map { $0 ? "true" : "false" }),
            ("shareable", shareable.map { $0 ? "true" : "false" }), ("max_jobs", maxJobs.map { String($0) }),
            ("archive_password", archivePassword), ("document_password", documentPassword),
            ("sample_type", sampleType),
        ]
        return optional.compactMap { name, value in value.map { (name: name, value: $0) } }
    }
}

/// A file as it is sent: read anew from its start for each attempt, never held whole.
public struct SubmissionFile: Sendable {
    public var name: String
    public var length: Int64
    /// Gives a reader of the whole content; the reader throws when the content cannot be read, which ends the attempt.
    public var open: @Sendable () -> @Sendable () async throws -> [UInt8]?

    public init(
        name: String, length: Int64, open: @escaping @Sendable () -> @Sendable () async throws -> [UInt8]?
    ) {
        self.name = name
        self.length = length
        self.open = open
    }

    /// Names beyond ASCII go as a field of their own, which the part's file name points to.
    var parts: [HTTPBody.Part] {
        let isPlain = name.utf8.allSatisfy { $0 < 0x80 }
        let encoded = HTTPBody.Part(
            name: "sample_filename_b64enc", body: .bytes(Array(Base64.encode(Array(name.utf8)).utf8)))
        let content = HTTPBody.Part(
            name: "sample_file", fileName: isPlain ? name : "@param=sample_filename_b64enc",
            contentType: "application/octet-stream", body: .stream(length: length, open()))
        return isPlain ? [content] : [encoded, content]
    }
}

/// What VMRay made of a file. Source: VMRay, 1.2.
public enum SubmissionOutcome: Sendable, Hashable {
    case accepted(VMRaySubmission)
    /// “no jobs were created”: analysed before. The ids are those of then, as far as the answer names them.
    case noJobs(submission: VMRaySubmission?, sampleID: VMRayID?)
    /// The file itself was refused, with the server's texts.
    case rejected([String])
}

extension VMRayClient {
    /// Submits a file. A 429 is waited out and the file sent again; after any other failure that leaves open whether the
    /// file has arrived, it is not: look the hash up first.
    ///
    /// `POST /rest/sample/submit`, multipart → `{"errors": […], "samples": […], "submissions": […], …}`. A refused file
    /// answers 200 as well.
    ///
    /// - Throws: ``VMRayError/quota(reason:)`` whether the quota stands in the status or in the errors of a 200.
    public func submit(_ file: SubmissionFile, _ options: SubmissionOptions) async throws(VMRayError)
        -> SubmissionOutcome
    {
        let call = VMRayCall("/rest/sample/submit", "vmray.submit") {
            options.fields.map { HTTPBody.Part(name: $0.name, body: .bytes(Array($0.value.utf8))) } + file.parts
        }
        let data = try await fetch(call).data
        let errors = (data["errors"]?.array ?? []).map { Self.shown($0["error_msg"]?.string ?? "Unknown error") }
        if let quota = errors.first(where: { Self.isQuota($0) }) { throw .quota(reason: quota) }
        let submission = (data["submissions"]?.array ?? []).lazy.compactMap { VMRaySubmission($0) }.first
        if errors.contains(where: { $0.lowercased().contains("no jobs were created") }) {
            let sample = data["samples"]?[0]?["sample_id"]?.vmrayID ?? submission?.sampleID
            return .noJobs(submission: submission, sampleID: sample)
        }
        guard errors.isEmpty else { return .rejected(errors) }
        guard let submission else {
            throw .malformed(operation: call.operation, reason: "it names neither a submission nor an error")
        }
        return .accepted(submission)
    }

    /// How many submissions the key allows, and how many it has had. Not every version of the server has the call.
    ///
    /// `GET /rest/api_key/quota` → `{"quota_limit": 1000, "used_quota": 12}`. Source: the VMRay module of Sekoia.io's
    /// automation library.
    public func quota() async throws(VMRayError) -> VMRayQuota {
        let call = VMRayCall("/rest/api_key/quota", "vmray.quota")
        guard let quota = VMRayQuota(try await fetch(call).data) else {
            throw .malformed(operation: call.operation, reason: "it is no quota")
        }
        return quota
    }

    /// `GET /rest/submission/<id>`
    public func submission(_ id: VMRayID) async throws(VMRayError) -> VMRaySubmission {
        let call = VMRayCall("/rest/submission/\(id)", "vmray.submission")
        guard let submission = VMRaySubmission(try await fetch(call).data) else {
            throw .malformed(operation: call.operation, reason: "it is no submission")
        }
        return submission
    }

    /// Every submission of a file, in no order that could be relied on.
    ///
    /// `GET /rest/submission/sample/<sample id>`. Source: `OpenCTI-Platform/connectors:
    /// internal-enrichment/vmray-analyzer`.
    public func submissions(ofSample id: VMRayID) async throws(VMRayError) -> [VMRaySubmission] {
        do throws(VMRayError) {
            return try await list(VMRayCall("/rest/submission/sample/\(id)", "vmray.submissions_of_sample")) {
                VMRaySubmission($0)
            }
        } catch {
            if case .notFound = error { return [] }
            throw error
        }
    }

    /// Every analysis of a submission, of all pages: an error may stand on the last.
    ///
    /// `GET /rest/analysis/submission/<id>`
    public func analyses(ofSubmission id: VMRayID) async throws(VMRayError) -> [VMRayAnalysis] {
        try await list(VMRayCall("/rest/analysis/submission/\(id)", "vmray.analyses")) { VMRayAnalysis($0) }
    }

    /// What waits or runs of a submission.
    ///
    /// `GET /rest/job/submission/<id>`
    public func jobs(ofSubmission id: VMRayID) async throws(VMRayError) -> [VMRayJob] {
        try await list(VMRayCall("/rest/job/submission/\(id)", "vmray.jobs")) { VMRayJob($0) }
    }
}
