// SPDX-License-Identifier: Apache-2.0

import Base
import TestKit
import Testing

@testable import HTTPClient

private struct Observer: HTTPObserver {
    let events = Recorder<String>()
    func observe(_ event: HTTPEvent) {
        if case .retry(let operation, let attempt, let reason, _) = event {
            events.append("\(operation) \(attempt) \(reason)")
        }
    }
}

@Suite("Retrying") struct RetryingTests {
    let time = TestTime(jumping: true)
    let script = ScriptedTransport()

    private func transport(_ policy: RetryPolicy = RetryPolicy(), seed: UInt64 = 1) -> Retrying<ScriptedTransport> {
        Retrying(script, policy: policy, time: time, random: SeededRandom(seed: seed))
    }

    private let lost = ScriptedTransport.Answer.failure(.connectionLost(url: "", reason: ""))

    // covers: bug:5
    @Test func `repeats until it works and says so`() async throws {
        script.answer(.status(503))
        script.answer(lost)
        script.answer(.status(200, "fine"))
        let observer = Observer()
        let transport = Retrying(script, time: time, observer: observer)
        let response = try await transport.send(HTTPRequest(.get, "http://h/", operation: "test.get"), by: .never)
        #expect(response.status == 200 && script.requests.count == 3)
        #expect(observer.events.elements == ["test.get 2 http.status_503", "test.get 3 http.connection_lost"])
    }

    @Test func `ends with the last answer or error, unchanged`() async throws {
        for _ in 0..<5 { script.answer(.status(502, "last")) }
        let response = try await transport().send(HTTPRequest(.get, "http://h/"), by: .never)
        #expect(response.status == 502 && script.requests.count == 5)
        for _ in 0..<5 { script.answer(lost) }
        let error = await #expect(throws: HTTPError.self) {
            try await transport().send(HTTPRequest(.get, "http://h/"), by: .never)
        }
        #expect(error?.code == "http.connection_lost" && script.requests.count == 10)
    }

    @Test func `waits are drawn between the shortest and three times the last`() async throws {
        var policy = RetryPolicy()
        policy.attempts = 50
        policy.totalTime = .seconds(10_000)
        for _ in 0..<50 { script.answer(.status(500)) }
        _ = try await transport(policy).send(HTTPRequest(.get, "http://h/"), by: .never)
        #expect(time.slept.count == 49)
        var last = policy.shortestWait
        for wait in time.slept {
            #expect(wait >= policy.shortestWait && wait <= min(last * 3, policy.longestWait))
            last = wait
        }
        #expect(Set(time.slept).count > 10)
        #expect(time.slept.contains { $0 > .seconds(5) })
    }

    @Test(arguments: [
        ("GET", "none", true), ("PUT", "bytes", true), ("POST", "bytes", false), ("PUT", "stream", false),
    ])
    func `an unknown outcome is repeated only if that is safe`(_ method: String, _ body: String, _ repeats: Bool) async
    {
        let bodies: [String: HTTPBody] = ["none": .none, "bytes": .bytes([1]), "stream": .stream(length: 0) { nil }]
        let request = HTTPRequest(HTTPMethod(rawValue: method), "http://h/", body: bodies[body] ?? .none)
        for answer in [lost, .status(500), .failure(.timedOut(url: "", phase: .head))] {
            let before = script.requests.count
            script.answer(answer)
            script.answer(.status(200))
            let response = try? await transport().send(request, by: .never)
            #expect((response?.status == 200) == repeats)
            #expect(script.requests.count - before == (repeats ? 2 : 1))
            if !repeats { _ = try? await script.send(request, by: .never) }
        }
    }

    @Test(
        arguments: [
            .status(429), .failure(.cannotConnect(url: "", reason: "")), .failure(.cannotResolve(host: "")),
            .failure(.timedOut(url: "", phase: .connect)), .failure(.circuitOpen(host: "", retryAfter: .seconds(1))),
        ] as [ScriptedTransport.Answer])
    func `what the server did not do is repeated for a POST too`(_ answer: ScriptedTransport.Answer) async throws {
        script.answer(answer)
        script.answer(.status(201))
        let request = HTTPRequest(.post, "http://h/", body: .bytes([1]))
        #expect(try await transport().send(request, by: .never).status == 201)
    }

    @Test func `a POST marked as idempotent is like any other`() async throws {
        script.answer(lost)
        script.answer(.status(200))
        var request = HTTPRequest(.post, "http://h/", body: .bytes([1]))
        request.isIdempotent = true
        #expect(try await transport().send(request, by: .never).status == 200)
    }

    @Test(arguments: [400, 401, 403, 404, 409, 501])
    func `an answer that will not change is not asked for again`(_ status: Int) async throws {
        script.answer(.status(status))
        #expect(try await transport().send(HTTPRequest(.get, "http://h/"), by: .never).status == status)
    }

    // covers: falcon:429
    @Test(
        arguments: [
            (["Retry-After": "7"], 7), (["Retry-After": "Sat, 21 Nov 2026 10:00:09 GMT"], 9),
            (["X-Ratelimit-RetryAfter": "1795255211"], 11), (["x-ratelimit-retryafter": "1795255999"], 60),
            (["Retry-After": "5", "X-Ratelimit-RetryAfter": "1795255240"], 5),
        ] as [(HTTPHeaders, Int64)])
    func `the server's wish comes first`(_ headers: HTTPHeaders, _ seconds: Int64) async throws {
        script.answer(.status(429, headers: headers))
        script.answer(.status(200))
        _ = try await transport().send(HTTPRequest(.get, "http://h/"), by: .never)
        #expect(time.slept == [.seconds(seconds)])
    }

    @Test func `no attempt begins after the deadline or the total time`() async throws {
        script.answer(.status(429, headers: ["Retry-After": "60"]))
        let deadline = Deadline.after(.seconds(30), on: time)
        #expect(try await transport().send(HTTPRequest(.get, "http://h/"), by: deadline).status == 429)
        script.answer(.status(429, headers: ["Retry-After": "121"]))
        #expect(try await transport().send(HTTPRequest(.get, "http://h/"), by: .never).status == 429)
        #expect(time.slept.isEmpty && script.requests.count == 2)
    }

    @Test func `streams are repeated up to their head`() async throws {
        script.answer(.status(503))
        script.answer(.stream(["a", "b"], failure: .connectionLost(url: "", reason: "")))
        let stream = try await transport().open(HTTPRequest(.get, "http://h/"), by: .never)
        #expect(try await stream.next() == Array("a".utf8))
        #expect(try await stream.next() == Array("b".utf8))
        await #expect(throws: HTTPError.self) { try await stream.next() }
        #expect(script.requests.count == 2)
    }

    @Test func `cancelling ends the wait`() async throws {
        let time = TestTime()
        script.answer(.status(503))
        let transport = Retrying(script, time: time)
        let call = Task { try await transport.send(HTTPRequest(.get, "http://h/"), by: .never) }
        await time.waitForSleepers(1)
        call.cancel()
        let error = await #expect(throws: HTTPError.self) { try await call.value }
        #expect(error?.code == "http.cancelled")
    }
}
