// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import OpenCTI
import Storage
import TestKit
import Testing

@testable import ConnectorKit

@Suite("How long a message is held", .timeLimit(.minutes(1))) struct HoldTests {
    // covers: bus:hold
    @Test func `after twenty minutes it is ours: a job, and the broker may forget it`() async throws {
        let time = TestTime()
        let rig = try await ServiceRig(
            time: time,
            handler: ScriptedHandler { _ in
                try await time.sleep(for: .seconds(86_400))
                return .skipped(message: "too late")
            })
        let settling = Task { await rig.service.settle(rig.parcel(), rig.parts) }
        // The handler, and who looks at the clock.
        await rig.time.waitForSleepers(2)
        #expect(try await rig.jobs(dueWithin: .seconds(3600)).isEmpty)
        rig.time.advance(by: EnrichmentService.longestHold)
        await settling.value

        let job = try #require(try await rig.jobs(dueWithin: .seconds(3600)).first)
        #expect(job.payload == rig.parcel().body && job.attempts == 1)
        #expect(job.due == rig.time.now.advanced(by: .seconds(30)))
        // Nothing is said of an end that has not come.
        #expect(rig.reports.isEmpty)
        #expect(await rig.parts.register.count == 0)
    }

    // covers: bus:hold
    @Test func `a platform that is away is asked again until the message may be held no longer`() async throws {
        let rig = try await ServiceRig(
            handler: ScriptedHandler { _ in .skipped(message: "never asked") },
            answering: {
                $0.contains("stixCoreObject")
                    ? #"{"errors":[{"name":"DATABASE_ERROR","message":"away"}],"data":null}"# : nil
            })
        let settling = Task { await rig.service.settle(rig.parcel(), rig.parts) }
        while try await rig.jobs(dueWithin: .seconds(3600)).isEmpty {
            await Task.yield()
            rig.time.advance(by: .seconds(10))
        }
        await settling.value
        #expect(rig.reports.isEmpty)
    }

    // covers: bus:given-up
    @Test func `after a day it is a dead letter, and its work says why`() async throws {
        let rig = try await ServiceRig(handler: ScriptedHandler { _ in throw Away() })
        var parcel = rig.parcel()
        let job = Job(
            runner: rig.parts.jobs.runner, id: parcel.digest.description, flow: rig.service.flow, step: "enrich",
            due: rig.time.now, attempts: 9, payload: parcel.body, created: rig.time.now.advanced(by: .seconds(-90_000)))
        parcel.origin = .job(job)
        parcel.holdUntil = rig.time.uptime
        try await rig.parts.jobs.add(parcel.digest, parcel.body, due: rig.time.now)
        await rig.service.settle(parcel, rig.parts)

        #expect(rig.reports.map(\.isError) == [true])
        #expect(rig.reports.first?.message.contains("Given up after a day") == true)
        let letters = try await rig.store.deadLetters(DeadLetterQuery())
        #expect(letters.map(\.code) == ["enrichment.given_up"])
        #expect(try await rig.jobs(dueWithin: .seconds(3600)).isEmpty)
    }

    // covers: bus:unreported
    @Test(arguments: [false, true])
    func `a bundle that was taken before a crash is reported and not made again`(_ isReported: Bool) async throws {
        let rig = try await ServiceRig(
            handler: ScriptedHandler { _ in .refused(code: "test.asked", message: "asked again") },
            answering: {
                guard $0.contains("query Work") else { return nil }
                return """
                    {"data":{"work":{"id":"w","status":"complete","processed_time":\(isReported ? #""2026-01-01""# : "null"),\
                    "tracking":{"import_expected_number":4,"import_processed_number":4},"errors":[]}}}
                    """
            })
        await rig.service.settle(rig.parcel(mayBeRepeated: true), rig.parts)
        #expect(
            rig.reports.map(\.message)
                == (isReported
                    ? [] : ["The enrichment was completed before the connector was restarted (4 objects)."]))
        #expect(rig.reports.allSatisfy { !$0.isError })
    }

    // covers: bus:reset
    @Test func `a reset of the connector on the platform drops attempts and jobs`() async throws {
        let rig = try await ServiceRig(handler: ScriptedHandler { _ in .skipped(message: "") })
        let parcel = rig.parcel()
        _ = try await rig.parts.worker.attempts.begin(parcel.digest)
        try await rig.parts.jobs.add(parcel.digest, parcel.body, due: rig.time.now)
        await rig.service.heed(.replaced(["enrichment": "somebody"]), rig.parts)
        await rig.service.heed(.ok, rig.parts)
        #expect(try await rig.jobs(dueWithin: .zero).count == 1)

        await rig.service.heed(.replaced(nil), rig.parts)

        #expect(try await rig.jobs(dueWithin: .seconds(3600)).isEmpty)
        #expect(try await rig.parts.worker.attempts.begin(parcel.digest).count == 1)
    }

    private struct Away: ActionableError {
        var code: ErrorCode { "test.away" }
        var isRetryable: Bool { true }
        var description: String { "the service is away" }
    }
}
