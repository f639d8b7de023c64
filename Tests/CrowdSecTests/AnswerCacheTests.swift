// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import TestKit
import Testing

@testable import CrowdSec

@Suite("CrowdSec answer cache") struct AnswerCacheTests {
    // covers: crowdsec:rule_cache, key:CROWDSEC_CACHE_LIFETIME
    @Test func `asks once for an address that is wanted ten times in an hour`() async throws {
        let time = TestTime()
        let service = try Service([Service.item, Service.item], time: time)
        let lookups = CTILookups(client: service.client, cache: AnswerCache(lifetime: .seconds(3600), time: time))
        for round in 0..<10 {
            let (answer, isCached) = try await lookups.answer(about: round % 2 == 0 ? "2001:DB8::1" : "2001:db8::1")
            #expect(isCached == (round > 0))
            guard case .item = answer else {
                Issue.record("no item")
                continue
            }
            time.advance(by: .seconds(359))
        }
        #expect(service.transport.requests.count == 1)
        time.advance(by: .seconds(10))
        #expect(try await !lookups.answer(about: "2001:db8::1").isCached)
    }

    @Test func `keeps “not found” too, but no failure and nothing that can't be read`() async throws {
        let service = try Service([.status(404), .status(403), .status(200, "<html>"), Service.item])
        let lookups = CTILookups(
            client: service.client, cache: AnswerCache(lifetime: .seconds(60), time: service.time))
        for _ in 0..<3 { #expect(try await lookups.answer(about: "192.0.2.1").answer == .notFound) }
        await #expect(throws: CrowdSecError.self) { try await lookups.answer(about: "192.0.2.2") }
        await #expect(throws: CrowdSecError.self) { try await lookups.answer(about: "192.0.2.2") }
        #expect(try await lookups.answer(about: "192.0.2.2").answer != .notFound)
        #expect(service.transport.requests.count == 4)
    }

    @Test func `keeps nothing where it is turned off`() async throws {
        let service = try Service([Service.item, Service.item])
        let lookups = CTILookups(client: service.client, cache: AnswerCache(lifetime: .zero, time: service.time))
        _ = try await lookups.answer(about: "192.0.2.1")
        _ = try await lookups.answer(about: "192.0.2.1")
        #expect(service.transport.requests.count == 2)
    }

    // covers: crowdsec:rule_single_flight
    @Test func `shares a look-up that is under way, and its failure`() async throws {
        let cache = AnswerCache(lifetime: .seconds(60), time: TestTime())
        let gate = BoundedChannel<Void>(capacity: 1)
        let calls = Recorder<Int>()
        try await withThrowingTaskGroup(of: AnswerCache.Found.self) { group in
            for number in 0..<5 {
                group.addTask {
                    try await cache.answer(for: "a") { () async throws(CrowdSecError) in
                        calls.append(number)
                        _ = await gate.receive()
                        return Array("{}".utf8)
                    }
                }
            }
            await calls.wait(for: 1)
            try await gate.send(())
            for try await found in group { #expect(found.body == Array("{}".utf8)) }
        }
        #expect(calls.elements.count == 1)
    }

    @Test func `lets another one ask when the first gives up`() async throws {
        let cache = AnswerCache(lifetime: .seconds(60), time: TestTime())
        let started = Recorder<Int>()
        let time = TestTime()
        let first = Task {
            try await cache.answer(for: "a") { () async throws(CrowdSecError) in
                started.append(1)
                do { try await time.sleep(for: .seconds(1)) } catch { throw .cancelled }
                return nil
            }
        }
        await started.wait(for: 1)
        let second = Task {
            try await cache.answer(for: "a") { () async throws(CrowdSecError) in
                started.append(2)
                return Array("2".utf8)
            }
        }
        await Task.yield()
        first.cancel()
        #expect(try await second.value.body == Array("2".utf8))
        #expect(started.elements == [1, 2])
    }

    // covers: crowdsec:rule_cache_bound
    @Test func `stays within its bytes, the oldest leaving first`() async throws {
        let cache = AnswerCache(lifetime: .seconds(3600), maxBytes: 12_000, time: TestTime())
        for number in 0..<5_000 {
            _ = try await cache.answer(for: "\(number)") { () async throws(CrowdSecError) in
                [UInt8](repeating: 32, count: 1_000)
            }
        }
        #expect(cache.count == 10)
        let isAsked = Recorder<Int>()
        _ = try await cache.answer(for: "4999") { () async throws(CrowdSecError) in
            isAsked.append(1)
            return nil
        }
        #expect(isAsked.elements.isEmpty)
    }
}
