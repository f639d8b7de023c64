// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import Synchronization
import TestKit
import Testing

@Suite("Falcon tokens") struct FalconSessionTests {
    private static let contract = FalconContract.shared

    // covers: falcon:token, call:token
    @Test func `one request serves all callers`() async throws {
        let tenant = try Tenant()
        let client = tenant.client
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { _ = try await client.platforms() } }
            try await group.waitForAll()
        }
        #expect(tenant.tokenRequests.count == 1)
        #expect(tenant.calls.allSatisfy { $0.request.headers["Authorization"] == "Bearer token-1" })
    }

    // covers: falcon:member-cid
    @Test func `ends with a cancelled caller, and only for it`() async throws {
        let isFirst = Mutex(true)
        let transport = ScriptedTransport { recorded throws(HTTPError) in
            guard recorded.request.url.hasSuffix("/oauth2/token") else { return .status(200, #"{"resources":["x"]}"#) }
            let waits = isFirst.withLock { first in
                defer { first = false }
                return first
            }
            guard waits else { return .status(201, #"{"access_token":"t","expires_in":1799}"#) }
            while !Task.isCancelled { await Task.yield() }
            throw .cancelled
        }
        let client = try FalconClient(
            transport: transport, credentials: FalconCredentials(clientID: "x", clientSecret: Secret("y")))
        let impatient = Task { try await client.platforms() }
        while transport.requests.isEmpty { await Task.yield() }
        let patient = Task { try await client.platforms() }
        impatient.cancel()
        let error = await #expect(throws: FalconError.self) { _ = try await impatient.value }
        #expect(error?.code == "http.cancelled")
        #expect(try await patient.value == ["x"])
    }

    @Test func `asks as the contract says, with the member CID`() async throws {
        let tenant = try Tenant(memberCID: "0123456789ABCDEF0123456789ABCDEF-A1")
        _ = try await tenant.client.platforms()
        let request = try #require(tenant.tokenRequests.first)
        #expect(try Self.contract.get().problems(request) == [])
        #expect(
            request.text
                == "client_id=\(Tenant.id)&client_secret=s3cret&member_cid=0123456789abcdef0123456789abcdef")
    }

    // covers: falcon:token
    @Test func `renews 300 s before the end`() async throws {
        let tenant = try Tenant()
        _ = try await tenant.client.platforms()
        tenant.time.advance(by: .seconds(1498))
        _ = try await tenant.client.platforms()
        #expect(tenant.tokenRequests.count == 1)
        tenant.time.advance(by: .seconds(2))
        _ = try await tenant.client.platforms()
        #expect(tenant.tokenRequests.count == 2)
    }

    @Test func `goes on with a token that is still good when the renewal fails`() async throws {
        let tenant = try Tenant()
        _ = try await tenant.client.platforms()
        tenant.time.advance(by: .seconds(1600))
        tenant.transport.answer(.status(503))
        _ = try await tenant.client.platforms()
        #expect(tenant.calls.last?.request.headers["Authorization"] == "Bearer token-1")
        tenant.time.advance(by: .seconds(300))
        tenant.transport.answer(.status(503))
        let error = await #expect(throws: FalconError.self) { _ = try await tenant.client.platforms() }
        #expect(error?.code == "falcon.unavailable")
    }

    // covers: falcon:token-401
    @Test func `fetches one more token on a 401 and repeats the call once`() async throws {
        let tenant = try Tenant { recorded in
            recorded.request.headers["Authorization"] == "Bearer token-1"
                ? .status(401, #"{"meta":{},"errors":[{"code":401,"message":"access denied, invalid bearer token"}]}"#)
                : .status(200, #"{"meta":{},"resources":["windows"],"errors":null}"#)
        }
        #expect(try await tenant.client.platforms() == ["windows"])
        #expect(tenant.tokenRequests.count == 2)
        #expect(tenant.calls.count == 2)
    }

    @Test func `gives up after the second 401`() async throws {
        let tenant = try Tenant { _ in .status(401) }
        let error = await #expect(throws: FalconError.self) { _ = try await tenant.client.platforms() }
        #expect(error?.code == "falcon.unauthorized")
        #expect(tenant.calls.count == 2)
    }

    // covers: falcon:token-errors
    @Test(arguments: [400, 401, 403])
    func `names bad credentials, without the secret`(status: Int) async throws {
        let tenant = try Tenant()
        tenant.transport.answer(
            .status(
                status, headers: ["X-Cs-Traceid": "abc"],
                #"{"meta":{"query_time":0,"trace_id":"x"},"errors":[{"code":\#(status),"message":"access denied"}]}"#))
        let error = await #expect(throws: FalconError.self) { _ = try await tenant.client.platforms() }
        #expect(error?.code == "falcon.credentials")
        #expect(error?.isRetryable == false)
        #expect(error?.description.contains("s3cret") == false)
        #expect(error?.description.contains("abc") == true)
    }

    // covers: falcon:discovery
    @Test func `moves to the tenant's cloud named beside the token`() async throws {
        let tenant = try Tenant()
        tenant.transport.answer(
            .status(201, headers: ["x-cs-region": "EU-1"], #"{"access_token":"t","expires_in":1799}"#))
        _ = try await tenant.client.platforms()
        #expect(URLParts(tenant.calls[0].request.url)?.origin == "https://api.eu-1.crowdstrike.com")
        #expect(await tenant.client.session.address.cloud == .eu1)
    }

    @Test(arguments: [
        ("http://127.0.0.1:8080", "us-1"), ("https://api.crowdstrike.com", "us-gov-1"),
        ("https://api.laggar.gcw.crowdstrike.com", "us-1"), ("https://gateway.example", "eu-1"),
        ("https://api.crowdstrike.com", "mars-1"),
    ])
    func `stays where it is otherwise`(base: String, region: String) async throws {
        let tenant = try Tenant(baseURL: base)
        tenant.transport.answer(
            .status(201, headers: ["X-Cs-Region": region], #"{"access_token":"t","expires_in":1799}"#))
        _ = try await tenant.client.platforms()
        #expect(URLParts(tenant.calls[0].request.url)?.origin == base)
    }

    // covers: falcon:discovery
    @Test(arguments: [
        ["Location": "https://api.us-2.crowdstrike.com/oauth2/token", "X-Cs-Region": "us-2"],
        ["X-Cs-Region": "us-2"], ["Location": "https://api.us-2.crowdstrike.com/oauth2/token"],
    ])
    func `follows a 308 with method and body`(fields: [String: String]) async throws {
        var headers = HTTPHeaders()
        for (name, value) in fields { headers.append(name, value) }
        let tenant = try Tenant()
        tenant.transport.answer(.status(308, headers: headers))
        _ = try await tenant.client.platforms()
        #expect(tenant.tokenRequests.count == 2)
        #expect(tenant.tokenRequests[1].request.url == "https://api.us-2.crowdstrike.com/oauth2/token")
        #expect(tenant.tokenRequests[1].request.method == .post)
        #expect(tenant.tokenRequests[1].body == tenant.tokenRequests[0].body)
        #expect(URLParts(tenant.calls[0].request.url)?.origin == "https://api.us-2.crowdstrike.com")
    }

    // covers: falcon:no-leak
    @Test(arguments: [
        "https://evil.example/oauth2/token", "http://api.us-2.crowdstrike.com/oauth2/token",
        "https://crowdstrike.com.evil.example/oauth2/token", "https://evilcrowdstrike.com/oauth2/token",
        "https://user@api.us-2.crowdstrike.com/oauth2/token", "https://api.crowdstrike.com:8443/oauth2/token",
        "http://127.0.0.1:1/oauth2/token",
    ])
    func `never sends the secret elsewhere`(location: String) async throws {
        let tenant = try Tenant()
        tenant.transport.answer(.status(308, headers: ["Location": location]))
        let error = await #expect(throws: FalconError.self) { _ = try await tenant.client.platforms() }
        #expect(error?.code == "falcon.redirected")
        #expect(tenant.transport.requests.count == 1)
    }

    @Test func `follows a simulator to another port of this machine`() async throws {
        let tenant = try Tenant(baseURL: "http://127.0.0.1:8080")
        tenant.transport.answer(.status(308, headers: ["Location": "http://127.0.0.1:8081/oauth2/token"]))
        _ = try await tenant.client.platforms()
        #expect(URLParts(tenant.calls[0].request.url)?.origin == "http://127.0.0.1:8081")
        let other = try Tenant(baseURL: "http://127.0.0.1:8080")
        other.transport.answer(.status(308, headers: ["Location": "https://api.crowdstrike.com/oauth2/token"]))
        await #expect(throws: FalconError.self) { _ = try await other.client.platforms() }
    }

    @Test func `does not run in circles`() async throws {
        let tenant = try Tenant()
        for _ in 0..<5 {
            tenant.transport.answer(.status(308, headers: ["Location": "https://api.crowdstrike.com/oauth2/token"]))
        }
        await #expect(throws: FalconError.self) { _ = try await tenant.client.platforms() }
        #expect(tenant.transport.requests.count == 3)
    }

    // covers: falcon:no-leak
    @Test func `never follows a redirect on another path`() async throws {
        let tenant = try Tenant { _ in .status(302, headers: ["Location": "https://evil.example/?q=1"]) }
        let error = await #expect(throws: FalconError.self) { _ = try await tenant.client.platforms() }
        #expect(error?.code == "falcon.redirected")
        #expect(tenant.calls.count == 1)
    }

    @Test func `revokes with basic authorization`() async throws {
        let tenant = try Tenant()
        try await tenant.client.session.revoke()
        #expect(tenant.transport.requests.isEmpty)
        _ = try await tenant.client.platforms()
        try await tenant.client.session.revoke()
        let request = try #require(tenant.tokenRequests.last)
        #expect(try Self.contract.get().problems(request) == [])
        #expect(request.request.url == "https://api.crowdstrike.com/oauth2/revoke")
        #expect(
            request.request.headers["Authorization"]
                == "basic ZWQ1NzhkYTZiOGQ4NGQxZTkzMTJlODMzZTQ5Mzc3M2E6czNjcmV0")
        _ = try await tenant.client.platforms()
        #expect(tenant.calls.last?.request.headers["Authorization"] == "Bearer token-2")
    }

    @Test(arguments: ["", "<html>", "{}", #"{"access_token":""}"#, #"{"access_token":7}"#])
    func `explains an answer without a token`(body: String) async throws {
        let tenant = try Tenant()
        tenant.transport.answer(.status(201, body))
        let error = await #expect(throws: FalconError.self) { _ = try await tenant.client.platforms() }
        #expect(error?.code == "falcon.malformed")
    }
}
