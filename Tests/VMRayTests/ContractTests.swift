// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import TestKit
import Testing
import Vectors

@testable import VMRay

private let alpha = "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8"

@Suite("VMRay contract") struct ContractTests {
    /// Makes the call that an example shows, and says in one line what it gave.
    private func call(_ exchange: Exchange, _ client: VMRayClient) async throws -> String {
        let parts = exchange.path.split(separator: "/").map(String.init)
        switch parts.dropFirst().first {
        case "system_info": return try await client.systemVersion()
        case "continuation":
            return try await client.list(VMRayCall(exchange.path, "test")) {
                VMRaySubmission($0)?.id ?? VMRayAnalysis($0)?.id
            }.text
        case "sample" where parts[2] == "sha256":
            let samples = try await client.samples(sha256: parts[3]).samples
            return samples.map { "\($0.id) \($0.verdict ?? "-") \($0.severity ?? "-")" }.joined(separator: ", ")
        case "sample" where parts[2] == "submit":
            var options = SubmissionOptions()
            options.comment = "Sample from VMRay CrowdStrike Connector"
            options.tags = ["CrowdStrike"]
            options.analysisTimeout = 120
            options.analyzerMode = .reputationStaticDynamic
            return "\(try await client.submit(.text("alpha", name: alpha), options))"
        case "sample" where parts.last == "vtis":
            return (try await client.threatIndicators(of: 501) ?? []).map(\.id).text
        case "sample" where parts.count == 6:
            let iocs = try await client.iocs(of: VMRayID(parts[2]) ?? 0, verdict: parts[5])
            return iocs.map { "\($0.files.count) \($0.addresses.count) \($0.links.count) \($0.domains.count)" } ?? "-"
        case "sample": return "\(try await client.sample(VMRayID(parts[2]) ?? 0).id)"
        case "submission" where parts.count == 4: return try await client.submissions(ofSample: 505).map(\.id).text
        case "submission" where parts.count == 2:
            return try await client.list(VMRayCall(exchange.path, "test")) { VMRaySubmission($0)?.id }.text
        case "submission":
            let submission = try await client.submission(VMRayID(parts[2]) ?? 9001)
            return "\(submission.id) \(submission.isFinished) \(submission.hasErrors.map { "\($0)" } ?? "-")"
        case "analysis":
            return try await client.analyses(ofSubmission: 9001).map { "\($0.id)\($0.hasFailed ? "!" : "")" }.joined(
                separator: ",")
        case "job":
            return try await client.jobs(ofSubmission: 9001).map { "\($0.id)\($0.isRunning ? "*" : "")" }.joined(
                separator: ",")
        default: throw Exchange.Missing(name: exchange.path)
        }
    }

    /// What each example must give; the beginning of the text, or the code of the error.
    private static let expected: [String: String] = [
        "system_info": "2026.2.0", "system_info-bad-key": "vmray.unauthorized", "rate-limited": "vmray.rate_limit",
        "sample-by-sha256-known-malicious": "501 malicious malicious",
        "sample-by-sha256-suspicious": "502 suspicious suspicious",
        "sample-by-sha256-clean": "503 clean not_suspicious", "sample-by-sha256-no-verdict": "504 - -",
        "sample-by-sha256-unknown": "", "sample-by-sha256-unknown-404": "", "sample-by-id": "501",
        "iocs-malicious": "1 1 2 2", "iocs-empty": "0 0 0 0", "iocs-forbidden-for-verdict-key": "vmray.forbidden",
        "vtis": "74202,74203", "submit-ok": "accepted(",
        "submit-rejected": "rejected([\"Submission type not supported\"])",
        "submit-no-jobs": "noJobs(", "submit-quota": "vmray.quota", "submit-quota-in-200": "vmray.quota",
        "submit-429": "vmray.rate_limit", "submission-running": "9001 false -",
        "submission-finished": "9001 true false",
        "submission-missing": "vmray.not_found", "analyses-ok": "8801,8802", "analyses-error": "8803!",
        "jobs-inwork": "7001*,7002", "jobs-queued": "7001", "jobs-none-left": "",
        "server-error-html": "vmray.unavailable", "submissions-of-sample": "9001",
        "paged-list-first": "9001,9000", "paged-list-next": "9000", "analyses-paged-first": "8801,8803!",
        "analyses-paged-next": "8803",
    ]

    // covers: vmray:call_system_info, vmray:call_sample_by_hash, vmray:call_sample, vmray:call_iocs_verdict
    // covers: vmray:call_vtis, vmray:call_submit, vmray:call_submission, vmray:call_submissions_of_sample
    // covers: vmray:call_analyses, vmray:call_jobs, vmray:call_continuation, vmray:header_authorization
    // covers: vmray:header_user_agent, vmray:envelope_error, vmray:envelope_html
    @Test(arguments: try Exchange.all())
    func `asks as the example does and reads its answer`(_ exchange: Exchange) async throws {
        let service = try Service()
        for _ in 0..<6 { service.transport.answer(exchange.answer) }
        if exchange.body.contains("\"continuation_id\"") {
            let next = exchange.name == "paged-list-first" ? "paged-list-next" : "analyses-paged-next"
            let fresh = try Service([exchange.answer, try Exchange.named(next).answer])
            #expect(try await call(exchange, fresh.client) == Self.expected[exchange.name])
            #expect(fresh.paths == [exchange.path, try Exchange.named(next).path])
            return
        }
        var outcome: String
        do { outcome = try await call(exchange, service.client) } catch let error as VMRayError {
            outcome = error.code.description
        }
        let expected = try #require(Self.expected[exchange.name])
        #expect(outcome == expected || (expected.hasSuffix("(") && outcome.hasPrefix(expected)))
        let sent = service.transport.requests[0].request
        #expect(sent.method.rawValue == exchange.method)
        #expect(exchange.path == "/rest/submission/None" || service.paths[0] == exchange.path)
        for (name, value) in exchange.headers where name != "Content-Type" { #expect(sent.headers[name] == value) }
    }

    // covers: vmray:submit_fields, vmray:submit_user_config
    @Test func `sends the form of the example`() async throws {
        let exchange = try Exchange.named("submit-ok")
        let service = try Service([exchange.answer])
        _ = try await call(exchange, service.client)
        guard case .multipart(let parts) = service.transport.requests[0].request.body else {
            Issue.record("no multipart body")
            return
        }
        var form: [String: String] = [:]
        for part in parts {
            if case .bytes(let bytes) = part.body { form[part.name] = String(decoding: bytes, as: UTF8.self) }
        }
        #expect(form == exchange.form)
        #expect(parts.last?.name == "sample_file")
        #expect(parts.last?.fileName == alpha)
        #expect(parts.last?.contentType == "application/octet-stream")
        #expect(service.transport.requests[0].text.hasSuffix("alpha"))
    }
}

extension [VMRayID] {
    fileprivate var text: String { map { String($0) }.joined(separator: ",") }
}
