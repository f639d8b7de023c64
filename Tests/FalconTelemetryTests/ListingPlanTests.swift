// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import Testing

@testable import FalconTelemetry

@Suite("When the feeds are asked for") struct ListingPlanTests {
    // covers: appid:slots, listing:empty
    @Test func `goes round the slots while a listing is empty, resting after each round`() {
        var plan = ListingPlan()
        var slots: [Int] = []
        var waits: [Duration] = []
        for _ in 0..<10 {
            slots.append(plan.slot(used: []))
            let decision = plan.listed([], live: [], used: [])
            #expect(decision.trouble != nil && decision.start.isEmpty)
            waits.append(decision.wait)
        }
        #expect(slots == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1])
        #expect(waits[3] == .seconds(10) && waits[7] == .seconds(20) && waits[0] == .zero)
    }

    @Test func `begins with the first slot and uses another beside live readers`() {
        var plan = ListingPlan()
        #expect(plan.slot(used: []) == 0)
        let decision = plan.listed(["a", "b"], live: [], used: [])
        #expect(decision.start == ["a", "b"] && decision.trouble == nil)
        #expect(plan.slot(used: [0]) == 1)
        #expect(plan.listed(["a", "b"], live: ["a", "b"], used: [0]) == .init(wait: .seconds(600)))
    }

    // covers: listing:confirmed
    @Test func `makes the first listing twice, since a killed run's sessions may hide a feed that nobody knows of`() {
        var plan = ListingPlan()
        #expect(plan.listed(["a"], live: [], used: []) == .init(start: ["a"], wait: .seconds(1)))
        #expect(plan.slot(used: [0]) == 1)
        #expect(plan.listed(["a", "b"], live: ["a"], used: [0]) == .init(start: ["b"], wait: .seconds(600)))
        #expect(plan.listed(["a", "b"], live: ["a", "b"], used: [0]).wait == .seconds(600))
    }

    // covers: listing:shortened (right after a kill)
    @Test func `asks again for a feed of an earlier run that the first listing leaves out`() {
        var plan = ListingPlan(known: ["a", "b"])
        let first = plan.listed(["a"], live: [], used: [])
        #expect(first.start == ["a"] && first.wait == .seconds(1) && first.trouble != nil)
        let second = plan.listed(["b"], live: ["a"], used: [0])
        #expect(second == .init(start: ["b"], wait: .seconds(600)))
    }

    // covers: listing:shortened, listing:vanished, listing:new
    @Test func `asks again for a feed that a listing leaves out, and gives it up once every slot was asked`() {
        var plan = ListingPlan()
        _ = plan.listed(["a", "b"], live: [], used: [])
        var decision = plan.listed(["a"], live: ["a"], used: [0])
        #expect(decision.trouble != nil && decision.wait == .seconds(1) && decision.start.isEmpty)
        decision = plan.listed(["a"], live: ["a"], used: [0])
        decision = plan.listed(["a"], live: ["a"], used: [0])
        #expect(decision.trouble == nil && plan.known == ["a"])
        decision = plan.listed(["a", "c"], live: ["a"], used: [0])
        #expect(decision.start == ["c"] && plan.known == ["a", "c"])
    }

    // covers: listing:429, listing:forbidden, listing:unavailable
    @Test func `waits as long as a failed listing calls for`() {
        var plan = ListingPlan()
        #expect(plan.failed(.rateLimited(retryAfter: nil)).wait == .seconds(60))
        #expect(plan.failed(.rateLimited(retryAfter: .seconds(90))).wait == .seconds(90))
        #expect(plan.failed(.missingScope(.eventStreamsRead, traceID: nil)).wait == .seconds(300))
        #expect(plan.failed(.credentialsRefused(status: 403, traceID: nil)).wait == .seconds(300))
        _ = plan.listed(["a"], live: [], used: [])
        let waits = (0..<11).map { _ in plan.failed(.unavailable(status: 503, traceID: nil)).wait.components.seconds }
        #expect(waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
    }

    // covers: reader:closed, reader:short
    @Test func `relists at once after a long connection, with a growing pause after short ones`() {
        var plan = ListingPlan()
        #expect(plan.ended(after: .seconds(1800)) == .zero)
        #expect((0..<8).map { _ in plan.ended(after: .seconds(1)).components.seconds } == [1, 2, 4, 8, 16, 32, 60, 60])
        #expect(plan.ended(after: .seconds(11)) == .zero)
        #expect(plan.ended(after: .zero) == .seconds(1))
    }

    // covers: reader:429
    @Test func `waits as long as a feed that answers 429 asks for`() {
        var plan = ListingPlan()
        #expect(plan.ended(after: .zero, asking: .seconds(42)) == .seconds(42))
        #expect(plan.ended(after: .zero, asking: .milliseconds(10)) == .seconds(2))
        #expect(plan.ended(after: .seconds(900), asking: .seconds(5)) == .seconds(5))
    }

    // covers: refresh:period
    @Test(arguments: [(1800, 1500), (60, 50), (30, 30), (3600, 3300), (10, 30)])
    func `prolongs a session in time`(_ interval: Int, _ period: Int) {
        let feed = EventFeed(
            url: "https://f.example/v1/0?appId=x", token: Secret("t"), refreshURL: "https://a.example/r",
            refreshInterval: .seconds(interval))
        #expect(feed.refreshPeriod == .seconds(period))
        #expect(feed.rootURL == "https://f.example/v1/0")
    }

    @Test func `reads every form of a start`() {
        #expect(StartFrom("oldest") == .feed(.oldest) && StartFrom("NEWEST") == .feed(.newest))
        #expect(StartFrom("41216") == .feed(.offset(41216)))
        #expect(StartFrom("2026-02-14T09:00:00Z") == .time(Instant(milliseconds: 1_771_059_600_000)))
        #expect(StartFrom("yesterday") == nil && StartFrom("-1") == nil)
    }
}
