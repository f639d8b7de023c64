// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import TestKit
import Testing

@testable import VMRay

@Suite("VMRay client") struct ClientTests {
    private let tooMany: ScriptedTransport.Answer = .status(429, #"{"result":"error","error_msg":"Too many requests"}"#)
    private let version: ScriptedTransport.Answer = .status(200, #"{"result":"ok","data":{"version":"1"}}"#)

    // covers: vmray:rule_429
    @Test func `waits 2, 4, 8, 16 and 32 s on 429, then says so`() async throws {
        let service = try Service(Array(repeating: tooMany, count: 7))
        await #expect { try await service.client.systemVersion() } throws: { "\($0)".contains("429 6 times") }
        #expect(service.slept == [2, 4, 8, 16, 32])
        #expect(service.transport.requests.count == 6)
    }

    // covers: vmray:call_quota
    @Test(arguments: [
        (#"{"quota_limit":10,"used_quota":10}"#, Int64?.some(10), true),
        (#"{"quota_limit":10,"used_quota":9}"#, 10, false),
        (#"{"quota_limit":null,"used_quota":9}"#, nil, false),
    ])
    func `reads what the key may still submit`(_ data: String, _ limit: Int64?, _ isSpent: Bool) async throws {
        let service = try Service([.status(200, #"{"result":"ok","data":\#(data)}"#)])
        let quota = try await service.client.quota()
        #expect(quota.limit == limit && quota.isSpent == isSpent)
        #expect(service.paths == ["/rest/api_key/quota"])
    }

    // covers: vmray:rule_retry_after
    @Test func `waits as long as the server asks, a minute at most`() async throws {
        func refusal(_ seconds: String) -> ScriptedTransport.Answer { .status(429, headers: ["Retry-After": seconds]) }
        let service = try Service([refusal("30"), refusal("1"), refusal("3600"), version])
        #expect(try await service.client.systemVersion() == "1")
        #expect(service.slept == [30, 4, 60])
    }

    // covers: vmray:rule_429
    @Test func `sends the file again from its start after a 429`() async throws {
        let service = try Service([tooMany, try Exchange.named("submit-ok").answer])
        let outcome = try await service.client.submit(.text("harmless content"), SubmissionOptions())
        guard case .accepted(let submission) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(submission.id == 9001 && submission.sampleID == 505 && !submission.isFinished)
        #expect(submission.created == Instant(parsing: "2026-06-15T12:00:03Z"))
        #expect(service.transport.requests.map(\.text) == ["harmless content", "harmless content"])
    }

    // covers: vmray:rule_submit_once
    @Test(arguments: [
        ScriptedTransport.Answer.status(502, "<html>"), .failure(.connectionLost(url: "v", reason: "reset")),
        .failure(.timedOut(url: "v", phase: .total)),
    ])
    func `never repeats a submission that may have arrived`(_ answer: ScriptedTransport.Answer) async throws {
        let service = try Service([answer, try Exchange.named("submit-ok").answer])
        await #expect { try await service.client.submit(.text("x"), SubmissionOptions()) } throws: { error in
            (error as? VMRayError)?.isRetryable == true
        }
        #expect(service.transport.requests.count == 1)
    }

    // covers: vmray:rule_read_again
    @Test func `repeats a read that was lost or met a broken gateway`() async throws {
        let service = try Service([
            .status(502, "<html>"), .failure(.connectionLost(url: "v", reason: "reset")), version,
        ])
        #expect(try await service.client.systemVersion() == "1")
        #expect(service.slept == [2, 4])
    }

    @Test func `says that a content could not be read`() async throws {
        let service = try Service()
        await #expect { try await service.client.submit(.text("x", failing: true), SubmissionOptions()) } throws: {
            ($0 as? VMRayError)?.code == "vmray.content"
        }
    }

    // covers: vmray:key_type_verdict
    @Test func `asks for no report with a verdict key`() async throws {
        let service = try Service(keyType: .verdict)
        #expect(try await service.client.iocs(of: 501, verdict: "malicious") == nil)
        #expect(try await service.client.iocs(of: 501, allArtifacts: true) == nil)
        #expect(try await service.client.threatIndicators(of: 501) == nil)
        #expect(try await service.client.report(ofAnalysis: 8801) == nil)
        #expect(service.transport.requests.isEmpty)
    }

    // covers: vmray:call_iocs_all, vmray:call_report
    @Test func `asks for all artifacts and for a report`() async throws {
        let service = try Service([try Exchange.named("iocs-empty").answer, .status(200, #"{"any":1}"#)])
        #expect(try await service.client.iocs(of: 501, allArtifacts: true) == VMRayIOCs())
        #expect(try await service.client.report(ofAnalysis: 8801) == Array(#"{"any":1}"#.utf8))
        #expect(
            service.paths == [
                "/rest/sample/501/iocs/all_artifacts/True", "/rest/analysis/8801/archive/logs/summary_v2.json",
            ])
    }

    // covers: vmray:envelope_invalid
    @Test(arguments: ["", "<html>", "[]", "{}", #"{"result":"ok"}"#, #"{"result":"error","error_msg":"no"}"#])
    func `takes no success for an answer that is none`(_ body: String) async throws {
        let service = try Service([.status(200, body)])
        await #expect(throws: VMRayError.self) { try await service.client.samples(sha256: "aa") }
        #expect(service.transport.requests.count == 1)
    }

    @Test func `ends a list whose pages do not`() async throws {
        let page = ScriptedTransport.Answer.status(200, #"{"result":"ok","data":[],"continuation_id":7}"#)
        let service = try Service([page, page, page])
        await #expect { try await service.client.jobs(ofSubmission: 1) } throws: { "\($0)".contains("do not end") }
    }

    // covers: vmray:envelope_unknown_error
    @Test func `names the operation and no body when it is refused`() async throws {
        let service = try Service([.status(400, #"{"result":"error"}"#)])
        await #expect { try await service.client.sample(5) } throws: { error in
            "\(error)".contains("vmray.sample") && "\(error)".contains("Unknown error")
                && !"\(error)".contains("EXAMPLE")
        }
    }

    // covers: vmray:status_401, vmray:status_405
    @Test(arguments: [401, 405])
    func `blames the key`(_ status: Int) async throws {
        let service = try Service([.status(status, #"{"result":"error","error_msg":"no"}"#)])
        await #expect { try await service.client.systemVersion() } throws: { "\($0)".contains("VMRAY_API_KEY") }
    }

    // covers: vmray:submit_file_name
    @Test func `sends a name beyond ASCII as a field of its own`() async throws {
        let service = try Service([try Exchange.named("submit-ok").answer])
        _ = try await service.client.submit(.text("x", name: "übel.exe"), SubmissionOptions())
        guard case .multipart(let parts) = service.transport.requests[0].request.body else {
            Issue.record("no multipart body")
            return
        }
        #expect(parts.map(\.name) == ["sample_filename_b64enc", "sample_file"])
        #expect(parts[1].fileName == "@param=sample_filename_b64enc")
        #expect(service.transport.requests[0].text == "w7xiZWwuZXhlx")
    }

    // covers: vmray:submit_other_fields
    @Test func `sends every documented field as text`() {
        var options = SubmissionOptions()
        #expect(options.fields.isEmpty)
        options.reanalyze = true
        options.shareable = false
        options.maxJobs = 3
        options.archivePassword = "a"
        options.documentPassword = "d"
        options.sampleType = "Windows Exe (x86-64)"
        options.tags = ["one", "two"]
        #expect(
            options.fields.map { $0.name + "=" + $0.value } == [
                "tags=one,two", "reanalyze=true", "shareable=false", "max_jobs=3", "archive_password=a",
                "document_password=d", "sample_type=Windows Exe (x86-64)",
            ])
    }

    // covers: vmray:config_url, vmray:config_key
    @Test func `completes a bare host and refuses what no header can hold`() throws {
        let key = Secret("k")
        #expect(try VMRayClient.Configuration(baseURL: "vmray.example//", key: key).baseURL == "https://vmray.example")
        #expect(try VMRayClient.Configuration(baseURL: "http://127.0.0.1:1", key: key).baseURL == "http://127.0.0.1:1")
        #expect(throws: VMRayError.self) { try VMRayClient.Configuration(key: Secret("")) }
        #expect(throws: VMRayError.self) { try VMRayClient.Configuration(key: Secret("a\nb")) }
        #expect(throws: VMRayError.self) { try VMRayClient.Configuration(key: key, connectorName: "a\r\nb") }
    }
}
