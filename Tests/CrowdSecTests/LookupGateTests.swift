// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import TestKit
import Testing

@testable import CrowdSec

@Suite("CrowdSec quota") struct LookupGateTests {
    // covers: crowdsec:status_429, crowdsec:error_quota
    @Test func `gives a spent quota six attempts, then names it and fails at once for a while`() async throws {
        let service = try Service(Service.sequence("rate-limited-quota"))
        await #expect {
            try await service.client.lookUp("192.0.2.62")
        } throws: {
            "\($0)"
                == "Quota exceeded for CrowdSec CTI API. Please visit https://www.crowdsec.net/pricing to upgrade your plan."
        }
        #expect(service.slept == [2, 4, 8, 16, 32])
        #expect(service.transport.requests.count == 6)

        // covers: crowdsec:rule_cool_down
        #expect(service.gate.coolsUntil != nil)
        await #expect(throws: CrowdSecError.self) { try await service.client.lookUp("192.0.2.63") }
        #expect(service.transport.requests.count == 6)
        service.time.advance(by: .seconds(900))
        service.transport.answer(Service.item)
        #expect(try await service.client.lookUp("192.0.2.63") != nil)
    }

    // covers: key:CROWDSEC_MAX_ATTEMPTS
    @Test(arguments: [1, 3]) func `gives up after as many attempts as it was told`(attempts: Int) async throws {
        let service = try Service(Service.sequence("rate-limited-quota"), attempts: attempts)
        await #expect(throws: CrowdSecError.self) { try await service.client.lookUp("192.0.2.62") }
        #expect(service.slept == Array([2, 4].prefix(attempts - 1)))
        #expect(service.transport.requests.count == attempts && service.gate.coolsUntil != nil)
        let down = try Service(Array(repeating: Service.down, count: attempts), attempts: attempts)
        await #expect(throws: CrowdSecError.self) { try await down.client.lookUp("192.0.2.62") }
        #expect(down.transport.requests.count == attempts)
    }

    @Test func `does not cool down after a throttle that lasted`() async throws {
        let service = try Service(Array(repeating: Service.throttle, count: 6) + [Service.item])
        await #expect(throws: CrowdSecError.self) { try await service.client.lookUp("192.0.2.61") }
        #expect(service.gate.coolsUntil == nil)
        #expect(try await service.client.lookUp("192.0.2.61") != nil)
    }

    // covers: crowdsec:rule_shared_gate
    @Test func `lets one look-up probe while all others wait for what it finds`() async throws {
        let time = TestTime()
        let service = try Service([Service.throttle, Service.throttle], time: time)
        for _ in 0..<10 { service.transport.answer(Service.item) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask { try await service.client.lookUp("192.0.2.1") != nil }
            await time.waitForSleepers(1)
            for number in 2...10 {
                group.addTask { try await service.client.lookUp("192.0.2.\(number)") != nil }
            }
            while service.gate.waiting < 9 { await Task.yield() }
            #expect(service.transport.requests.count == 1)
            time.advance(by: .seconds(2))
            // The probe is refused too: somebody else's turn, after 4 s.
            while service.transport.requests.count < 2 { await Task.yield() }
            await time.waitForSleepers(1)
            while service.gate.waiting < 9 { await Task.yield() }
            time.advance(by: .seconds(4))
            var found = 0
            for try await isThere in group where isThere { found += 1 }
            #expect(found == 10)
        }
        #expect(service.transport.requests.count == 12)
    }

    @Test func `fails everybody who waits when the quota is spent, after six calls in all`() async throws {
        let time = TestTime()
        let service = try Service(Array(repeating: Service.limit, count: 6), time: time)
        await withTaskGroup(of: ErrorCode?.self) { group in
            for number in 1...20 {
                group.addTask {
                    do {
                        _ = try await service.client.lookUp("192.0.2.\(number)")
                        return nil
                    } catch { return (error as? CrowdSecError)?.code }
                }
                if number == 1 { await time.waitForSleepers(1) }
            }
            for seconds in [2, 4, 8, 16, 32] {
                while service.gate.waiting < 19 { await Task.yield() }
                await time.waitForSleepers(1)
                time.advance(by: .seconds(seconds))
            }
            for await code in group { #expect(code == "crowdsec.quota") }
        }
        #expect(service.transport.requests.count == 6)
    }

    @Test func `hands the probe on when the one that waited for it is cancelled`() async throws {
        let time = TestTime()
        let service = try Service([Service.throttle, Service.item], time: time)
        let first = Task { try await service.client.lookUp("192.0.2.1") }
        await time.waitForSleepers(1)
        let second = Task { try await service.client.lookUp("192.0.2.2") }
        while service.gate.waiting < 1 { await Task.yield() }
        first.cancel()
        await #expect(throws: (any Error).self) { try await first.value }
        await time.waitForSleepers(1)
        time.advance(by: .seconds(2))
        #expect(try await second.value != nil)
    }

    @Test func `is not closed by other failures of a probe`() async throws {
        let service = try Service([Service.throttle, .status(403), Service.item])
        await #expect(throws: CrowdSecError.self) { try await service.client.lookUp("192.0.2.1") }
        #expect(try await service.client.lookUp("192.0.2.1") != nil)
    }

    @Test func `counts mixed failures of one look-up together`() async throws {
        let service = try Service([.status(500), Service.throttle, .status(502), Service.item])
        #expect(try await service.client.lookUp("192.0.2.1") != nil)
        #expect(service.slept == [2, 4, 8])
    }
}
