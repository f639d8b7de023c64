// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Testing
import VMRay

@testable import SandboxTriage

/// What must not happen a second time, or to the wrong one, when a sample's way is taken up again.
@Suite("Taken up again") struct ResumeTests {
    private static let hash = String(repeating: "a", count: 64)
    private let noon = Instant(milliseconds: 1_795_255_200_000)

    private func record(_ adjust: (inout SampleRecord) -> Void = { _ in }) -> SampleRecord {
        var record = SampleRecord(sha256: Self.hash)
        record.merge(alerts: [Self.alert("a")], files: [])
        adjust(&record)
        return record
    }

    private static func alert(_ id: String) -> AlertFact {
        AlertFact(compositeID: id, product: "epp", link: "", status: "new", host: "h")
    }

    private func sample(_ verdict: JSONValue) throws -> VMRaySample {
        try #require(
            VMRaySample(["sample_id": 1, "sample_sha256hash": .string(Self.hash), "sample_verdict": verdict]))
    }

    private func submission(_ id: Int64, created: Instant) throws -> VMRaySubmission {
        try #require(
            VMRaySubmission([
                "submission_id": .int(id), "submission_created": .string(created.secondsDescription),
                "submission_finished": false,
            ]))
    }

    // covers: triage:submit_clock
    @Test(arguments: [600, -600])
    func `compares with the server's clock once, however often it is started`(_ seconds: Int) throws {
        var record = record {
            $0.stage = .submitting
            $0.submitStarted = noon
        }
        let theirs = noon.advanced(by: .seconds(seconds))
        for _ in 0..<3 {
            var killed = SampleTriage(record, policy: .init())
            killed.found([try sample(nil)], date: theirs, at: noon)
            record = killed.record
        }
        func next(created: Instant) throws -> SampleTriage.Action {
            var triage = SampleTriage(record, policy: .init())
            triage.found([try sample(nil)], date: theirs, at: noon)
            // Finished, so that it is not taken for one that happens to run.
            var other = try submission(7, created: created)
            other.isFinished = true
            triage.found(submissions: [other], at: noon)
            return triage.next()
        }
        #expect(try next(created: theirs.advanced(by: .seconds(1))) == .poll(submission: 7))
        #expect(try next(created: theirs.advanced(by: .seconds(-60))) == .download)
    }

    // covers: triage:submit_unknown
    @Test func `looks for its submission in the next run too when VMRay can't be asked now`() throws {
        var policy = TriagePolicy()
        policy.resubmittedVerdicts = [.malicious]
        var triage = SampleTriage(record(), policy: policy)
        triage.found([try sample("malicious")], date: nil, at: noon)
        triage.downloaded(at: noon)
        triage.lostSubmission()
        triage.refused()
        #expect(triage.next() == .end(.lookUpFailed) && triage.record.stage == .submitting)
        // Its answer was lost, but it had arrived: another submission would be one too many.
        var next = SampleTriage(triage.record, policy: policy)
        next.found([try sample("malicious")], date: noon, at: noon)
        next.found(submissions: [try submission(8, created: noon.advanced(by: .seconds(2)))], at: noon)
        #expect(next.next() == .poll(submission: 8))
        // The same after it was put aside, and a person wants it tried again.
        var parked = triage.record
        parked.stage = .parked
        parked.retry()
        #expect(parked.stage == .submitting)
        // A refusal is an answer: nothing is on its way.
        var refused = SampleTriage(record(), policy: policy)
        refused.found([], date: nil, at: noon)
        refused.downloaded(at: noon)
        refused.submitted(.rejected(["no"]), at: noon)
        #expect(refused.record.stage == .failed && refused.record.submitStarted == nil)
    }

    // covers: triage:submit_no_jobs
    @Test func `asks for another analysis also when a crash came between`() throws {
        var policy = TriagePolicy()
        policy.resubmittedVerdicts = [.malicious]
        let before = record {
            $0.stage = .submitting
            $0.submitStarted = noon
        }
        var triage = SampleTriage(before, policy: policy)
        triage.found([try sample("malicious")], date: noon, at: noon)
        triage.found(submissions: [], at: noon)
        triage.downloaded(at: noon)
        triage.submitted(.noJobs(submission: nil, sampleID: nil), at: noon)
        #expect(triage.next() == .submit(reanalyze: true))
    }

    // covers: triage:verdict_of_the_analysis
    @Test func `does not close what an old analysis called clean and the new one does not`() throws {
        func verdict(_ submission: JSONObject, _ analysis: JSONObject = [:]) throws -> Verdict? {
            var policy = TriagePolicy()
            policy.resubmittedVerdicts = [.clean]
            var triage = SampleTriage(record(), policy: policy)
            triage.found([try sample("clean")], date: nil, at: noon)
            triage.downloaded(at: noon)
            var made = submission
            made["submission_id"] = 7
            made["submission_finished"] = true
            let seen = try #require(VMRaySubmission(.object(made)))
            triage.submitted(.accepted(seen), at: noon)
            triage.polled(seen, at: noon)
            var ran = analysis
            ran["analysis_id"] = 1
            let analysed = try #require(VMRayAnalysis(.object(ran)))
            triage.read([try sample("clean")], analyses: [analysed], iocs: nil)
            return triage.record.findings?.verdict
        }
        #expect(try verdict([:]) == .clean)
        #expect(try verdict(["submission_verdict": "clean", "submission_sample_sha256": .string(Self.hash)]) == .clean)
        #expect(try verdict(["submission_verdict": "not_available"]) == Verdict.none)
        #expect(try verdict(["submission_verdict": "suspicious"]) == Verdict.none)
        #expect(try verdict(["submission_sample_sha256": .string(String(repeating: "b", count: 64))]) == Verdict.none)
        #expect(try verdict([:], ["analysis_verdict": "malicious"]) == Verdict.none)
        #expect(try verdict([:], ["analysis_verdict": "clean"]) == .clean)
    }

    // covers: triage:reopened_attempts
    @Test func `a later alert begins with a count of its own`() {
        var record = record {
            $0.stage = .done
            $0.attempts = 2
        }
        record.merge(alerts: [Self.alert("b")], files: [])
        #expect(record.stage == .found && record.attempts == 0)
    }

    // covers: triage:approve
    @Test func `an approval reaches samples that are still to be reported otherwise`() {
        for stage in [Stage.verdict, .parked, .found] {
            var record = record {
                $0.stage = stage
                $0.effects = [EffectKey("contain:h"): .vetoed("r"), EffectKey("alert:a"): .done]
            }
            record.approve()
            #expect(record.stage == stage && record.effects == [EffectKey("alert:a"): .done])
        }
    }
}
