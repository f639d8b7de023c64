// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Testing
import VMRay

@testable import SandboxTriage

private let alpha = "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8"
private let noon = Instant(milliseconds: 1_795_255_200_000)

private func known(_ verdict: JSONValue, sha256: String = alpha) -> VMRaySample? {
    VMRaySample([
        "sample_id": 1, "sample_sha256hash": .string(sha256), "sample_verdict": verdict,
        "sample_webif_url": "https://vmray.example/1",
    ])
}

@Suite("Triage rules") struct RuleTests {
    // covers: triage:verdict_none
    @Test(arguments: ["not_available", "Clean", "clean ", "CLEAN", "running", "", nil] as [JSONValue])
    func `takes no other text for clean`(_ verdict: JSONValue) throws {
        let sample = try #require(known(verdict))
        #expect(VerdictRule.verdict(of: sample, asked: alpha, hasFailures: false) == .none)
    }

    // covers: triage:verdict_clean
    @Test func `takes clean only of that file and without failures`() throws {
        let clean = try #require(known("clean"))
        #expect(VerdictRule.verdict(of: clean, asked: alpha, hasFailures: false) == .clean)
        #expect(VerdictRule.verdict(of: clean, asked: alpha, hasFailures: true) == .none)
        let other = try #require(known("clean", sha256: String(repeating: "a", count: 64)))
        #expect(VerdictRule.verdict(of: other, asked: alpha, hasFailures: false) == .none)
        let nameless = try #require(known("malicious", sha256: ""))
        #expect(VerdictRule.verdict(of: nameless, asked: alpha, hasFailures: false) == .none)
    }

    // covers: triage:indicator_hosts
    @Test(
        arguments: [
            ("http://user:pw@Host.Example.COM:8443/a", "host.example.com"),
            ("http://[2001:db8::7]:80/x", "2001:db8::7"),
            ("https://198.51.100.9?x=1", "198.51.100.9"), ("http://a.example.#f", "a.example"), ("http:///x", nil),
            ("mailto:x@example.com", nil), ("http://localhost/x", nil), ("http://10.0.0.5/x", nil),
            ("http://[::1]/", nil), ("http://[::ffff:10.0.0.5]/", nil), ("http://1.2.3/", nil),
            ("http://a@b@c.example/", "c.example"),
        ] as [(String, String?)])
    func `reads the host of a URL as a resolver would`(_ url: String, _ host: String?) {
        #expect(IndicatorRule.authority(of: url).flatMap { IndicatorRule.host($0) }?.value == host)
    }

    // covers: triage:indicator_selected, triage:indicator_url_addresses
    @Test func `counts entries of selected verdicts, and addresses of URLs on request`() {
        let hash = String(repeating: "b", count: 64)
        let iocs = VMRayIOCs([
            "files": [["verdict": "suspicious", "hashes": [["sha256_hash": .string(hash.uppercased())]]]],
            "urls": [
                ["verdict": "malicious", "original_urls": ["http://c2.example/"], "ip_addresses": ["198.51.100.1"]]
            ],
        ])
        func values(_ policy: TriagePolicy) -> [String] {
            IndicatorRule.indicators(of: alpha, iocs, policy).map(\.value)
        }
        var policy = TriagePolicy()
        #expect(values(policy) == [alpha, "198.51.100.1", "c2.example"])
        policy.takesURLAddresses = false
        #expect(values(policy) == [alpha, "c2.example"])
        policy.selectedVerdicts = [.malicious, .suspicious]
        #expect(values(policy) == [alpha, hash, "c2.example"])
    }

    // covers: triage:switches
    @Test func `does nothing that is switched off`() throws {
        var record = SampleRecord(sha256: alpha)
        record.merge(
            alerts: [AlertFact(compositeID: "a", product: "epp", link: "", status: "new", host: "h")],
            files: [QuarantineFact(id: "q", host: "h")])
        record.findings = .init(sampleID: 1, verdict: .clean, link: "l", classifications: ["C"], threatNames: ["N"])
        var policy = TriagePolicy()
        policy.closesOnClean = false
        policy.containLevels = [.malicious, .suspicious, .clean]
        let open = try #require(EffectRule(record, policy)).first
        #expect(
            open == [
                .alertUpdate(
                    ids: ["a"], comment: "VMRay verdict for \(alpha): clean. Report: l", status: nil, kind: "alert")
            ])
        policy.releasesOnClean = true
        policy.commentsToDetection = false
        policy.commentsToQuarantine = false
        #expect(try #require(EffectRule(record, policy)).first == [])
        record.findings?.verdict = .suspicious
        policy.commentsToDetection = true
        policy.containLevels = [.malicious]
        policy.addsClassification = false
        #expect(
            try #require(EffectRule(record, policy)).first == [
                .alertUpdate(
                    ids: ["a"], comment: "VMRay verdict for \(alpha): suspicious. Report: l\nThreat names: N",
                    status: "in_progress", kind: "alert")
            ])
    }

    // covers: triage:contain_ceiling, triage:never_contain, triage:approve
    @Test func `contains no more hosts an hour than allowed, and never some`() {
        var guardrail = ContainmentGuard(neverContain: ["dc*", "Critical Servers", "*-lab-?"], ceiling: 2)
        func host(_ id: String, _ name: String, _ groups: [String] = []) -> ContainmentGuard.Host {
            .init(id: id, name: name, groups: groups)
        }
        let hosts = [
            host("5", "pc5"), host("1", "DC01"), host("2", "pc2", ["critical servers"]), host("3", "pc3"),
            host("4", "pc4"),
        ]
        #expect(
            guardrail.vetoes(hosts, at: noon) == [
                "1": "never_contain: dc*", "2": "never_contain: critical servers", "5": ContainmentGuard.ceilingReason,
            ])
        // An hour later the breaker is still open: only a person closes it.
        let later = noon.advanced(by: .seconds(3601))
        #expect(guardrail.vetoes([host("6", "pc6")], at: later) == ["6": ContainmentGuard.ceilingReason])
        guardrail.approve()
        #expect(guardrail.vetoes([host("6", "pc6")], at: later) == [:])
    }

    // covers: triage:contain_ceiling
    @Test func `forgets containments after an hour`() {
        var guardrail = ContainmentGuard(neverContain: [], ceiling: 1)
        #expect(guardrail.vetoes([.init(id: "1", name: "a", groups: [])], at: noon) == [:])
        let later = noon.advanced(by: .seconds(3600))
        #expect(guardrail.vetoes([.init(id: "2", name: "b", groups: [])], at: later) == [:])
        #expect(!guardrail.isTripped)
    }
}

@Suite("One sample's way") struct SampleTriageTests {
    private func triage(_ adjust: (inout SampleRecord) -> Void = { _ in }, policy: TriagePolicy = .init())
        -> SampleTriage
    {
        var record = SampleRecord(sha256: alpha)
        record.merge(
            alerts: [AlertFact(compositeID: "a", product: "epp", link: "", status: "new", host: "h")], files: [])
        adjust(&record)
        return SampleTriage(record, policy: policy)
    }

    private func submission(_ id: Int64, created: String = "", finished: Bool = false) -> VMRaySubmission? {
        VMRaySubmission([
            "submission_id": .int(id), "submission_created": .string(created), "submission_finished": .bool(finished),
        ])
    }

    // covers: triage:submit_lost
    @Test func `asks before it sends again what may have arrived, and then sends once`() {
        var triage = triage()
        triage.found([], date: nil, at: noon)
        #expect(triage.next() == .download)
        triage.downloaded(at: noon)
        #expect(triage.record.stage == .submitting && triage.next() == .submit(reanalyze: false))
        triage.lostSubmission()
        #expect(triage.next() == .lookUp)
        triage.found([], date: nil, at: noon)
        triage.downloaded(at: noon)
        triage.lostSubmission()
        #expect(triage.next() == .end(.submitFailed))
        // It may have arrived: the next run looks for it before anything else.
        #expect(triage.record.stage == .submitting && triage.record.attempts == 1)
    }

    // covers: triage:submit_clock
    @Test func `compares times by the server's clock`() throws {
        let ours = try #require(known(nil))
        let theirs = try #require(submission(7, created: "2026-11-21T09:50:02", finished: true))
        func adopts(date: Instant?) -> Bool {
            var triage = triage {
                $0.stage = .submitting
                $0.submitStarted = noon
            }
            triage.found([ours], date: date, at: noon)
            triage.found(submissions: [theirs], at: noon)
            return triage.next() == .poll(submission: 7)
        }
        // Its clock is ten minutes behind ours.
        #expect(adopts(date: noon.advanced(by: .seconds(-600))))
        #expect(!adopts(date: noon))
        // Unknown: five minutes are allowed, and no more.
        #expect(!adopts(date: nil))
    }

    // covers: triage:submit_no_jobs
    @Test func `submits once more with reanalyze where a file is to be analysed again`() throws {
        var policy = TriagePolicy()
        policy.resubmittedVerdicts = [.malicious]
        var triage = triage(policy: policy)
        triage.found([try #require(known("malicious"))], date: nil, at: noon)
        triage.downloaded(at: noon)
        triage.submitted(.noJobs(submission: nil, sampleID: nil), at: noon)
        #expect(triage.next() == .submit(reanalyze: true))
        triage.submitted(.noJobs(submission: nil, sampleID: nil), at: noon)
        #expect(triage.next() == .lookUp)
        triage.found([], date: nil, at: noon)
        #expect(triage.next() == .end(.submitFailed))
    }

    // covers: triage:deadline, triage:poll_interval
    @Test func `polls ever more slowly, and gives up at the deadline`() throws {
        var triage = triage {
            $0.stage = .submitted
            $0.submissionID = 7
        }
        var now = noon
        var waits: [Int64] = []
        while triage.outcome == nil {
            switch triage.next() {
            case .poll: triage.polled(submission(7), at: now)
            case .listJobs: triage.sawJobs(isRunning: true, at: now)
            case .wait(let duration):
                waits.append(duration.milliseconds)
                now = now.advanced(by: duration)
                triage.waited()
            default: Issue.record("\(triage.next())")
            }
        }
        #expect(triage.outcome == .analysisTimeout)
        #expect(waits.prefix(3) == [1000, 1250, 1562] && waits.max() == 60_000)
        #expect(waits.reduce(0, +) == 600_000)
        // The submission is kept: the next run polls it, and the third time ends it.
        #expect(triage.record.stage == .submitted && triage.record.submissionID == 7 && triage.record.attempts == 1)
    }

    // covers: triage:queue_deadline
    @Test func `does not wait for ever for a job that never begins`() {
        var policy = TriagePolicy()
        policy.queueTimeout = .seconds(10)
        var triage = triage(
            {
                $0.stage = .submitted
                $0.submissionID = 7
                $0.submittedAt = noon
            }, policy: policy)
        triage.polled(submission(7), at: noon.advanced(by: .seconds(10)))
        triage.sawJobs(isRunning: false, at: noon.advanced(by: .seconds(10)))
        #expect(triage.next() == .end(.analysisTimeout))
    }

    // covers: triage:submission_gone
    @Test func `begins anew when VMRay has lost the submission`() {
        var triage = triage {
            $0.stage = .submitted
            $0.submissionID = 7
        }
        triage.lostSubmissionAtVendor()
        #expect(triage.next() == .end(.noSampleAfterAnalysis))
        #expect(triage.record.submissionID == nil && triage.record.stage == .failed)
    }

    // covers: triage:effect_refused, triage:effect_failed
    @Test func `goes on after a comment that is refused, and comes back for one that was not sent`() throws {
        func judged() throws -> SampleTriage {
            var triage = triage()
            triage.found([try #require(known("suspicious"))], date: nil, at: noon)
            triage.read([try #require(known("suspicious"))], analyses: [], iocs: nil)
            return triage
        }
        var refused = try judged()
        let effect = try #require(refused.next().effect)
        refused.willApply(effect)
        #expect(refused.record.effects[EffectKey("alert:a")] == .pending)
        refused.refused(effect, reason: "404")
        refused.finish()
        #expect(refused.record.stage == .done && refused.record.effects[EffectKey("alert:a")] == .refused("404"))

        var failed = try judged()
        failed.willApply(effect)
        failed.failed(effect)
        #expect(failed.next() == .end(.effectsFailed))
        failed.finish()
        #expect(failed.record.stage == .verdict && failed.record.attempts == 1)
        // The next run looks whether it has arrived, since nobody knows.
        var next = SampleTriage(failed.record, policy: .init())
        #expect(next.next() == .check(effect))
        next.checked(effect, applied: Set(effect.keys))
        #expect(next.next() == .end(.suspicious))
    }

    // covers: triage:approve
    @Test func `takes up what was vetoed once a person has approved`() throws {
        var policy = TriagePolicy()
        policy.containLevels = [.suspicious]
        policy.commentsToDetection = false
        var triage = triage(policy: policy)
        triage.found([try #require(known("suspicious"))], date: nil, at: noon)
        triage.read([try #require(known("suspicious"))], analyses: [], iocs: nil)
        #expect(triage.next() == .permit(hosts: ["h"]))
        triage.permitted(["h"], vetoes: ["h": ContainmentGuard.ceilingReason])
        triage.finish()
        #expect(triage.record.stage == .done)
        var record = triage.record
        record.approve()
        #expect(SampleTriage(record, policy: policy).next() == .permit(hosts: ["h"]))
    }

    // covers: triage:parks
    @Test(arguments: [(SampleOutcome.downloadFailed, Stage.failed), (.integrityFailed, .failed), (.tooLarge, .parked)])
    func `parks what is too large at once, all else at the third failure`(_ outcome: SampleOutcome, _ stage: Stage) {
        var first = triage()
        first.found([], date: nil, at: noon)
        first.failedDownload(outcome)
        #expect(first.record.stage == stage && first.record.attempts == 1)
        var third = triage { $0.attempts = 2 }
        third.found([], date: nil, at: noon)
        third.failedDownload(outcome)
        #expect(third.record.stage == .parked)
        #expect(SampleTriage(third.record, policy: .init()).next() == .end(outcome))
    }
}
