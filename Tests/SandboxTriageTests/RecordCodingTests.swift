// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@testable import SandboxTriage

@Suite("Stored records") struct RecordCodingTests {
    private var full: SampleRecord {
        var record = SampleRecord(sha256: String(repeating: "a", count: 64))
        record.stage = .submitted
        record.outcome = .analysisTimeout
        record.attempts = 2
        record.alerts = [AlertFact(compositeID: "c:ind:h:1", product: "epp", link: "l", status: "new", host: "h")]
        record.files = [QuarantineFact(id: "h_a", host: "h")]
        record.submitStarted = Instant(milliseconds: 1)
        record.submissionID = 9001
        record.submittedAt = Instant(milliseconds: 2)
        record.runningSince = Instant(milliseconds: 3)
        record.isCleanInDoubt = true
        record.findings = .init(
            sampleID: 7, verdict: .malicious, link: "https://v/7", classifications: ["c"], threatNames: ["t"],
            indicators: [TriageIndicator(kind: .ipv6, value: "2001:db8::1")], hashes: ["b"], otherHosts: ["x"])
        record.effects = [
            EffectKey("alert:c:ind:h:1"): .done, EffectKey("contain:h"): .vetoed("r"), EffectKey("case:a"): .pending,
            EffectKey("ioc:ipv6:2001:db8::1"): .refused("no"),
        ]
        return record
    }

    // covers: triage:stored_record
    @Test func `nothing of a record is lost in the store`() {
        #expect(SampleRecord(stored: full.stored) == full)
        let bare = SampleRecord(sha256: "b")
        #expect(SampleRecord(stored: bare.stored) == bare)
        #expect(SampleRecord(stored: Array("{}".utf8)) == nil)
        #expect(SampleRecord(stored: Array("x".utf8)) == nil)
    }

    // covers: triage:stored_record
    @Test func `a key tells what is changed`() {
        #expect(EffectKey("alert:c:ind:h:1").subject == "c:ind:h:1")
        #expect(EffectKey("ioc:ipv6:2001:db8::1").subject == "2001:db8::1")
        #expect(EffectKey("contain:h").subject == "h")
    }

    // covers: triage:dlq_retry
    @Test func `a retried record begins where it makes sense, with a fresh deadline`() {
        var record = full
        record.stage = .parked
        record.retry()
        #expect(record.stage == .submitted && record.attempts == 0 && record.runningSince == nil)
        record.stage = .parked
        record.outcome = .effectsFailed
        record.retry()
        #expect(record.stage == .verdict)
        record.stage = .parked
        record.outcome = .downloadFailed
        record.retry()
        #expect(record.stage == .found)
        record.stage = .done
        record.retry()
        #expect(record.stage == .done)
    }

    // covers: triage:fair
    @Test func `samples of both sources take turns`() {
        let detected = (0..<3).map { number in
            var record = SampleRecord(sha256: "d\(number)")
            record.alerts = full.alerts
            return record
        }
        let quarantined = (0..<2).map { SampleRecord(sha256: "q\($0)") }
        #expect(TriageRun.byTurns(detected + quarantined).map(\.sha256) == ["d0", "q0", "d1", "q1", "d2"])
    }
}
