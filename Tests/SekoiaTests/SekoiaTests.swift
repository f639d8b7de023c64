// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import Sekoia
import TestKit
import Testing

@Suite("Sekoia's intake") struct IntakeTests {
    // covers: intake:request
    @Test func `posts a body to /batch without credentials in any header`() async throws {
        let transport = ScriptedTransport()
        transport.answer(.status(200, #"{"event_ids":["a"]}"#))
        let intake = try SekoiaIntake(
            transport: transport, url: "https://intake.example/", userAgent: "sallyport-1", time: TestTime())
        #expect(await intake.send(Array(#"{"intake_key":"k","jsons":["{}"]}"#.utf8)) == .accepted)
        let request = try #require(transport.requests.first).request
        #expect(request.method == .post && request.url == "https://intake.example/batch")
        #expect(request.headers["Authorization"] == nil && request.headers["User-Agent"] == "sallyport-1")
        #expect(request.headers["Content-Type"] == "application/json")
    }

    // covers: intake:400, intake:401, intake:413, intake:429, intake:5xx, intake:network
    @Test func `tells what each answer means for the body`() async throws {
        let transport = ScriptedTransport()
        let intake = try SekoiaIntake(transport: transport, userAgent: "s", time: TestTime())
        func answer(_ status: Int, _ headers: HTTPHeaders = [:]) async -> SekoiaIntake.Answer {
            transport.answer(.status(status, headers: headers))
            return await intake.send([])
        }
        for status in [200, 201, 202] { #expect(await answer(status) == .accepted) }
        for status in [400, 413, 422] { #expect(await answer(status) == .refused(status: status)) }
        for status in [401, 403, 404] { #expect(await answer(status) == .closed(status: status)) }
        #expect(
            await answer(429, ["Retry-After": "12"])
                == .unavailable(reason: "status 429", retryAfter: .seconds(12), isOutcomeUnknown: false))
        #expect(await answer(503) == .unavailable(reason: "status 503", retryAfter: nil, isOutcomeUnknown: true))
        transport.answer(.failure(.cannotConnect(url: "u", reason: "r")))
        guard case .unavailable(_, nil, isOutcomeUnknown: false) = await intake.send([]) else {
            Issue.record("connect")
            return
        }
        transport.answer(.failure(.connectionLost(url: "u", reason: "r")))
        guard case .unavailable(_, nil, isOutcomeUnknown: true) = await intake.send([]) else {
            Issue.record("lost")
            return
        }
    }

    @Test func `refuses an address that would show the key to everybody`() {
        func intake(_ url: String) throws {
            _ = try SekoiaIntake(transport: ScriptedTransport(), url: url, userAgent: "s")
        }
        for url in [
            "http://intake.example", "ftp://x", "intake.sekoia.io", "http://127.0.0.1.evil.example",
            "http://localhost.evil.example/x", "http://127.evil.example", "http://127.0.0.1@evil.example",
        ] { #expect(throws: SekoiaError.self, "\(url)") { try intake(url) } }
        for url in ["http://127.0.0.1:8080/", "http://localhost/x", "http://[::1]:9", "https://intake.example"] {
            #expect(throws: Never.self, "\(url)") { try intake(url) }
        }
    }

    @Test func `frames a body that reads back`() throws {
        let frame = IntakeFrame(key: Secret("k\"\\\u{7}é"))
        let body = frame.head + Array(#""{}""#.utf8) + frame.tail
        let json = try JSONValue(parsing: body)
        #expect(json["intake_key"]?.string == "k\"\\\u{7}é" && json["jsons"]?[0]?.string == "{}")
    }
}

@Suite("Sekoia's asset API") struct AssetTests {
    private func assets(_ transport: ScriptedTransport, _ time: TestTime = TestTime(jumping: true)) throws
        -> SekoiaAssets
    {
        try SekoiaAssets(
            transport: transport, url: "", connectorID: "c-1", key: { Secret("key") }, time: time)
    }

    // covers: assets:request, assets:task
    @Test func `pushes items and follows the platform's task to its end`() async throws {
        let transport = ScriptedTransport()
        transport.answer(.status(200, #"{"task_id":"t-9"}"#))
        for status in ["PENDING", "RUNNING", "FINISHED"] { transport.answer(.status(200, #"{"status":"\#(status)"}"#)) }
        let time = TestTime(jumping: true)
        let assets = try assets(transport, time)
        let ticket = try await assets.push([Array(#"{"a":1}"#.utf8), Array(#"{"b":2}"#.utf8)])
        #expect(ticket.taskID == "t-9")
        #expect(try await assets.outcome(of: ticket) == .finished)
        let first = transport.requests[0]
        #expect(first.text == #"{"version":1,"items":[{"a":1},{"b":2}]}"#)
        #expect(first.request.url == "https://api.sekoia.io/api/v2/asset-management/asset-connector/c-1")
        #expect(first.request.headers["Authorization"] == "Bearer key")
        #expect(first.request.headers["User-Agent"] == "sekoiaio-asset-connector-c-1")
        #expect(transport.requests[1].request.url == "https://api.sekoia.io/api/v1/tasks/t-9")
        #expect(time.slept == [.seconds(1), .seconds(2), .seconds(4)])
    }

    // covers: assets:429, assets:status
    @Test func `takes exactly 200 for success, and a pause of at most an hour from a 429`() async throws {
        let transport = ScriptedTransport()
        let assets = try assets(transport)
        func failure(_ status: Int, _ headers: HTTPHeaders = [:]) async -> SekoiaError? {
            transport.answer(.status(status, headers: headers, #"{"code":"E1","message":"no"}"#))
            do throws(SekoiaError) {
                _ = try await assets.push([])
                return nil
            } catch { return error }
        }
        for status in [400, 413, 422] {
            guard case .refused(status, "E1: no")? = await failure(status) else {
                Issue.record("\(status)")
                return
            }
        }
        // Not one that says so of an item: it is sent again, not taken apart.
        for status in [201, 202, 405, 408, 410] {
            guard case .unavailable(status)? = await failure(status) else {
                Issue.record("\(status)")
                return
            }
        }
        guard case .rateLimited(.seconds(3600))? = await failure(429),
            case .rateLimited(.seconds(5))? = await failure(429, ["Retry-After": "5"]),
            case .rateLimited(.seconds(3600))? = await failure(429, ["Retry-After": "9999"]),
            case .closed(403)? = await failure(403), case .unavailable(502)? = await failure(502)
        else {
            Issue.record("a status was judged otherwise")
            return
        }
        #expect(throws: SekoiaError.self) {
            try SekoiaAssets(transport: transport, connectorID: "", key: { Secret("k") })
        }
    }

    @Test func `gives up on a task that never ends, and tells of one that failed`() async throws {
        let transport = ScriptedTransport { _ in .status(200, #"{"status":"RUNNING"}"#) }
        #expect(try await assets(transport).outcome(of: .init(taskID: "t"), patience: .seconds(20)) == .unknown)
        transport.answer(.status(200, #"{"status":"failure"}"#))
        #expect(try await assets(transport).outcome(of: .init(taskID: "t")) == .failed(status: "FAILURE"))
        #expect(try await assets(transport).outcome(of: .init(taskID: nil)) == .finished)
    }
}
