// SPDX-License-Identifier: Apache-2.0

import Base
import Synchronization
import TestKit
import Testing

@testable import HTTPClient

@Suite("Tokens", .timeLimit(.minutes(1))) struct AuthorizationTests {
    let time = TestTime()

    private func token(_ text: String, lasts seconds: Int64? = nil) -> AccessToken {
        AccessToken(Secret(text), expiry: seconds.map { time.uptime + .seconds($0) })
    }

    // covers: falcon:token
    @Test func `one fetch serves everybody who waits`() async throws {
        let gate = BoundedChannel<AccessToken>(capacity: 1)
        let fetches = Recorder<Void>()
        let cache = TokenCache(time: time) { () async throws(HTTPError) in
            fetches.append(())
            guard let token = await gate.receive() else { throw .cancelled }
            return token
        }
        let callers = (0..<50).map { _ in Task { try await cache.token() } }
        let impatient = Task { try await cache.token() }
        await fetches.wait(for: 1)
        impatient.cancel()
        await #expect(throws: HTTPError.self) { try await impatient.value }
        try await gate.send(token("one"))
        for caller in callers { #expect(try await caller.value == token("one")) }
        #expect(fetches.elements.count == 1)
    }

    @Test func `a token is renewed in the background ahead of its end, and kept if that fails`() async throws {
        let outcomes = BoundedChannel<Result<AccessToken, HTTPError>>(capacity: 10)
        let ended = Recorder<Void>()
        struct Observer: HTTPObserver {
            let ended: Recorder<Void>
            func observe(_ event: HTTPEvent) { ended.append(()) }
        }
        let cache = TokenCache(time: time, observer: Observer(ended: ended)) { () async throws(HTTPError) in
            guard let outcome = await outcomes.receive() else { throw .cancelled }
            return try outcome.get()
        }
        let first = token("first", lasts: 1800)
        try await outcomes.send(.success(first))
        #expect(try await cache.token() == first)
        time.advance(by: .seconds(1499))
        #expect(try await cache.token() == first)
        #expect(ended.elements.count == 1)
        // Five minutes before the end: the old one is still good while the new one is fetched.
        time.advance(by: .seconds(1))
        try await outcomes.send(.failure(.connectionLost(url: "", reason: "")))
        #expect(try await cache.token() == first)
        await ended.wait(for: 2)
        #expect(try await cache.token() == first)
        time.advance(by: .seconds(5))
        let second = token("second", lasts: 1800)
        try await outcomes.send(.success(second))
        #expect(try await cache.token() == first)
        await ended.wait(for: 3)
        #expect(try await cache.token() == second)
    }

    @Test func `an expired token is never handed out`() async throws {
        let count = Recorder<Void>()
        let cache = TokenCache(time: time) { [time] () async throws(HTTPError) in
            count.append(())
            return AccessToken(Secret("\(count.elements.count)"), expiry: time.uptime + .seconds(100))
        }
        #expect(try await cache.token().value.reveal() == "1")
        time.advance(by: .seconds(100))
        #expect(try await cache.token().value.reveal() == "2")
    }

    @Test func `a rejected token is replaced once for all who saw it rejected`() async throws {
        let count = Recorder<Void>()
        let cache = TokenCache(time: time) { () async throws(HTTPError) in
            count.append(())
            return AccessToken(Secret("\(count.elements.count)"), expiry: nil)
        }
        let first = try await cache.token()
        let second = try await cache.token(rejecting: first)
        #expect(second != first)
        #expect(try await cache.token(rejecting: first) == second)
        #expect(count.elements.count == 2)
    }

    @Test func `after a refusal the endpoint is left alone for a while`() async throws {
        let count = Recorder<Void>()
        let cache = TokenCache(time: time) { () async throws(HTTPError) in
            count.append(())
            throw .unauthorized(url: "u", status: 403, reason: "r")
        }
        for _ in 0..<10 {
            let error = await #expect(throws: HTTPError.self) { try await cache.token() }
            #expect(error?.code == "http.unauthorized")
        }
        #expect(count.elements.count == 1)
        time.advance(by: .seconds(5))
        await #expect(throws: HTTPError.self) { try await cache.token() }
        #expect(count.elements.count == 2)
    }

    // covers: falcon:token-401, config:secret-files
    @Test func `adds the token, and on a 401 tries once more with another`() async throws {
        let script = ScriptedTransport()
        let count = Recorder<Void>()
        let cache = TokenCache(time: time) { () async throws(HTTPError) in
            count.append(())
            return AccessToken(Secret("t\(count.elements.count)"), expiry: nil)
        }
        let transport = Authorizing(script, tokens: cache)
        for status in [200, 401, 200, 401, 401] { script.answer(.status(status)) }
        let request = HTTPRequest(.post, "http://h/", body: .bytes([1]))
        #expect(try await transport.send(request, by: .never).status == 200)
        #expect(try await transport.send(request, by: .never).status == 200)
        #expect(try await transport.send(request, by: .never).status == 401)
        let sent = script.requests.map { $0.request.headers["Authorization"] ?? "none" }
        #expect(sent == ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2", "Bearer t3"])
        script.answer(.status(401))
        script.answer(.stream(["a"]))
        #expect(try await transport.open(request, by: .never).head.status == 200)
        script.answer(.status(401))
        let streamed = HTTPRequest(.post, "http://h/", body: .stream(length: 0) { nil })
        #expect(try await transport.send(streamed, by: .never).status == 401)
        script.answer(.status(200))
        _ = try await transport.send(HTTPRequest(.get, "http://h/", headers: ["authorization": "own"]), by: .never)
        #expect(script.requests.last?.request.headers["Authorization"] == "own")
    }

    @Test func `asks for a token as the standard has it, with the secret of that moment`() async throws {
        let script = ScriptedTransport()
        let secret = Mutex("old & shaky")
        let credentials = OAuth2Credentials(clientID: "id", fields: [("member_cid", "abc")]) {
            Secret(secret.withLock { $0 })
        }
        let cache = TokenCache(credentials, from: "https://h/oauth2/token?x=secret", over: script, time: time)
        script.answer(.status(201, #"{"access_token":"tok","expires_in":1799,"token_type":"bearer"}"#))
        let token = try await cache.token()
        #expect(token == AccessToken(Secret("tok"), expiry: time.uptime + .seconds(1799)))
        let sent = try #require(script.requests.first)
        #expect(sent.text == "client_id=id&client_secret=old%20%26%20shaky&member_cid=abc")
        #expect(sent.request.headers["Content-Type"] == "application/x-www-form-urlencoded")
        #expect(!"\(sent.request) \(sent) \(token)".contains("tok\"") && !"\(sent.request)".contains("secret"))
        secret.withLock { $0 = "new" }
        script.answer(.status(200, #"{"access_token":"tok2","expires_in":"60"}"#))
        #expect(try await cache.token(rejecting: token).expiry == time.uptime + .seconds(60))
        #expect(script.requests.last?.text.contains("client_secret=new&") == true)
    }

    @Test(arguments: [
        (403, #"{"errors":[{"code":403,"message":"access denied"}]}"#, "http.unauthorized"),
        (401, #"{"error":"invalid_client"}"#, "http.unauthorized"), (503, "", "http.connection_lost"),
        (429, "", "http.connection_lost"), (200, "", "http.unauthorized"), (308, "", "http.unauthorized"),
        (200, #"{"access_token":"t","token_type":"mac"}"#, "http.unauthorized"),
        (200, #"{"access_token":7}"#, "http.unauthorized"), (200, #"{"access_token":""}"#, "http.unauthorized"),
    ])
    func `refusals are told from hiccups`(_ status: Int, _ body: String, _ code: ErrorCode) async throws {
        let script = ScriptedTransport()
        script.answer(.status(status, body))
        let credentials = OAuth2Credentials(clientID: "id") { Secret("s") }
        let error = await #expect(throws: HTTPError.self) {
            try await credentials.grant(from: "https://h/token", over: script, time: time)
        }
        #expect(error?.code == code)
        #expect(error?.description.contains("invalid_client") == (status == 401))
        #expect(error?.description.contains("access denied") == false)
    }

    @Test func `a secret that cannot be read is said so`() async throws {
        struct NoFile: Error {}
        let credentials = OAuth2Credentials(clientID: "id") { throw NoFile() }
        let error = await #expect(throws: HTTPError.self) {
            try await credentials.grant(from: "https://h/token", over: ScriptedTransport(), time: time)
        }
        #expect(error?.code == "http.unauthorized")
    }
}
