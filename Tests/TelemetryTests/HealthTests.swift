// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import Testing

@testable import Telemetry

@Suite("Health") struct HealthTests {
    let time = ManualTime()

    @Test func `ready once no component is not ready`() {
        let health = Health(time: time)
        let (stream, target) = (health.component("stream"), health.component("target"))
        #expect(!health.isReady && health.isAlive)
        stream.report(.ok)
        #expect(!health.isReady)
        target.report(.degraded("TLS is not verified"))
        #expect(health.isReady)
        target.report(.notReady("wrong token"))
        #expect(!health.isReady && health.isAlive)
        target.remove()
        #expect(health.isReady)
    }

    @Test func `silence is not ready first and dead later`() {
        let health = Health(time: time)
        let stream = health.component("stream", staleAfter: .seconds(30), deadAfter: .seconds(600))
        stream.report(.ok)
        time.advance(by: .seconds(29))
        #expect(health.isReady)
        time.advance(by: .seconds(1))
        #expect(!health.isReady && health.isAlive)
        #expect(health.report().components[0].status == .notReady("no sign of life for 30 s"))
        stream.beat()
        #expect(health.isReady)
        time.advance(by: .seconds(600))
        #expect(!health.isAlive)
    }

    @Test func `a paused component owes no heartbeat`() {
        let health = Health(time: time)
        let stream = health.component("stream", staleAfter: .seconds(30), deadAfter: .seconds(60))
        stream.report(.ok)
        stream.pauseHeartbeat()
        time.advance(by: .seconds(3600))
        #expect(health.isReady && health.isAlive)
        stream.beat()
        time.advance(by: .seconds(30))
        #expect(!health.isReady)
    }

    @Test func `the JSON names every component with reason, since and age`() throws {
        let health = Health(time: time)
        health.component("b").report(.ok)
        let stream = health.component("a\n", staleAfter: .seconds(30))
        time.advance(by: .seconds(2))
        stream.report(.notReady("no \"token\""))
        time.advance(by: .milliseconds(1500))
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(health.report().json)) as? NSDictionary)
        #expect(
            object == [
                "status": "not_ready", "ready": false, "live": true, "version": BuildInfo.version,
                "components": [
                    [
                        "name": "a\n", "status": "not_ready", "reason": "no \"token\"",
                        "since": "2026-01-01T00:00:02.000Z", "heartbeat_age_seconds": 1.5,
                    ],
                    ["name": "b", "status": "ok", "since": "2026-01-01T00:00:00.000Z"],
                ],
            ])
    }
}
