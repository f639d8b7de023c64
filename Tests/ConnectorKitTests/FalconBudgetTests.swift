// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import HTTPClient
import TestKit
import Testing

@testable import ConnectorKit

@Suite("A tenant's request budget") struct FalconBudgetTests {
    private func request(_ operation: String) -> HTTPRequest {
        HTTPRequest(.get, "https://api.crowdstrike.com/x", operation: operation)
    }

    /// How long so many requests take when each goes as soon as it may.
    private func seconds(_ count: Int, _ operation: String, _ budget: FalconBudget, _ time: TestTime) async throws
        -> Double
    {
        let begin = time.uptime
        for _ in 0..<count { try await budget.take(request(operation), by: .never) }
        return (time.uptime - begin).inSeconds
    }

    // covers: act:budget
    @Test func `a hundred calls a second, however many connectors share it`() async throws {
        let time = TestTime(jumping: true)
        let budget = FalconBudget(perMinute: 6000, time: time)
        let taken = try await seconds(1000, "falcon.device_query", budget, time)
        #expect(taken > 9.8 && taken < 10.1)
    }

    // covers: budget:shared, budget:telemetry, budget:inventories, budget:indicators
    @Test func `connectors of one tenant share one, whatever each does; another tenant has its own`() async throws {
        let time = TestTime(jumping: true)
        let parts = SharedParts()
        func budget(_ tenant: String) -> FalconBudget {
            FalconBudget.shared(in: parts, tenant: tenant, perMinute: 6000, time: time)
        }
        let begin = time.uptime
        for operation in ["falcon.feed_list", "falcon.device_details", "falcon.ioc_create"] {
            _ = try await seconds(400, operation, budget("a"), time)
        }
        let taken = (time.uptime - begin).inSeconds
        #expect(taken > 11.8 && taken < 12.1)
        #expect(try await seconds(5, "falcon.alert_get", budget("b"), time) < 0.1)
    }

    // covers: budget:tenant
    @Test func `API clients of one cloud count as one tenant's unless they are for different child tenants`() throws {
        func key(_ base: String, _ memberCID: String? = nil) throws -> String {
            FalconBudget.key(try FalconAddress(base), memberCID: memberCID)
        }
        #expect(try key("eu-1") == key("https://api.eu-1.crowdstrike.com/"))
        #expect(try key("eu-1") != key("us-1"))
        #expect(try key("eu-1", "a") != key("eu-1", "b"))
        #expect(try key("eu-1", "a") != key("eu-1"))
        #expect(try key("http://127.0.0.1:1") != key("http://127.0.0.1:2"))
    }

    @Test func `ten tokens a second, apart from the calls`() async throws {
        let time = TestTime(jumping: true)
        let budget = FalconBudget(perMinute: 6000, time: time)
        let tokens = try await seconds(60, "falcon.oauth2_token", budget, time)
        #expect(tokens > 4.9 && tokens < 6.1)
        #expect(try await seconds(5, "falcon.device_query", budget, time) < 0.1)
    }

    @Test func `a 429 of one makes all wait`() async throws {
        let time = TestTime(jumping: true)
        let budget = FalconBudget(perMinute: 6000, time: time)
        let head = HTTPHead(status: 429, headers: ["Retry-After": "7"])
        budget.learn(from: head, request("falcon.alert_get"))
        #expect(try await seconds(1, "falcon.device_query", budget, time) >= 7)
    }
}
