// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import JSON
import Storage
import TestKit
import Testing

@testable import SandboxTriage

/// Samples that people ask a running service for.
@Suite("Requests to a service") struct RequestTests {
    private static let hash = String(repeating: "b", count: 64)
    private static let late = String(repeating: "c", count: 64)

    private func desk(_ store: SQLiteStore, _ time: TestTime, flow: String = "vmray") async throws -> (
        RequestDesk, RequestBook
    ) {
        let samples = try await SampleBook(store, flow: flow, target: "falcon", fencingToken: 0, time: time)
        return (RequestDesk(samples, time: time), RequestBook(store: store, flow: samples.flow))
    }

    // covers: triage:request
    @Test func `a request is seen, told of step by step, and answered`() async throws {
        let store = try await SQLiteStore.open(path: ":memory:")
        let time = TestTime()
        let (desk, book) = try await desk(store, time)
        let stop = StopSignal()
        async let watch: Void = desk.watch(until: stop)
        await time.waitForSleepers(1)
        try await book.set(TriageRequest(at: time.now), of: Self.hash)
        time.advance(by: RequestDesk.interval)
        await time.waitForSleepers(1)
        #expect(try await book.all()[Self.hash]?.state == .taken)
        let sign = try #require(try await book.signOfLife())
        #expect(await desk.take() == [Self.hash])
        #expect(await desk.take() == [])
        try await desk.tell(Self.hash, step: "look_up", "Does VMRay know it?")
        #expect(try await book.all()[Self.hash]?.steps == [.init(name: "look_up", detail: "Does VMRay know it?")])
        time.advance(by: RequestDesk.interval)
        await time.waitForSleepers(1)
        #expect(try await book.signOfLife() != sign)
        try await desk.end(Self.hash, .suspicious)
        #expect(try await book.all()[Self.hash]?.outcome == .suspicious)
        #expect(try await book.all()[Self.hash]?.state == .ended)
        // Nobody has fetched the answer.
        time.advance(by: .seconds(3601))
        await time.waitForSleepers(1)
        #expect(try await book.all().isEmpty)
        stop.raise()
        try await watch
        await store.close()
    }

    // covers: triage:request_restart
    @Test func `what a killed service had taken is taken by the next, and what it leaves is told`() async throws {
        let store = try await SQLiteStore.open(path: ":memory:")
        let time = TestTime()
        let (_, book) = try await desk(store, time)
        var request = TriageRequest(at: time.now)
        request.state = .taken
        try await book.set(request, of: Self.hash)
        let (next, _) = try await desk(store, time)
        let stop = StopSignal()
        async let watch: Void = next.watch(until: stop)
        await time.waitForSleepers(1)
        #expect(await next.take() == [Self.hash])
        try await next.tell(Self.hash, step: "look_up", "")
        // This one comes when nobody looks any more.
        try await book.set(TriageRequest(at: time.now), of: Self.late)
        stop.raise()
        try await watch
        try await next.close()
        let ended = try await book.all()
        #expect(ended[Self.hash]?.state == .ended && ended[Self.hash]?.outcome == nil)
        #expect(ended[Self.hash]?.failure == nil && ended[Self.late]?.failure == "it stops.")
        await store.close()
    }

    // covers: triage:request_refused
    @Test(arguments: [false, true])
    func `a command does not wait for ever for a service that shows no life`(_ wasTaken: Bool) async throws {
        let scenario = try Scenario.named("nothing-to-do")
        let world = try await ProgramWorld(scenario)
        let connector = try world.connector()
        await #expect(throws: RequestError.self) {
            _ = try await connector.follow(Self.hash, in: world.store, until: StopSignal()) { _, _ in }
        }
        let book = RequestBook(store: world.store, flow: try await world.store.number(of: "vmray", in: .flow))
        if wasTaken {
            var request = TriageRequest(at: world.time.now)
            request.state = .taken
            try await book.set(request, of: Self.hash)
        }
        let before = world.time.now
        await #expect {
            _ = try await connector.follow(Self.hash, in: world.store, until: StopSignal()) { _, _ in }
        } throws: {
            ($0 as? RequestError)?.code == (wasTaken ? "triage.left" : "triage.not_taken_up")
        }
        #expect(before.duration(to: world.time.now) >= SandboxTriageConnector.patience)
        // It does not come to life when nobody waits any more.
        #expect(try await book.all().isEmpty)
        try await world.close()
    }
}
