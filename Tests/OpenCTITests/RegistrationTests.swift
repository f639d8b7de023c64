// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import OpenCTI
import Testing

@Suite("Connector registration") struct RegistrationTests {
    private static let profile = ConnectorProfile(
        id: "6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11", name: "Falcon", kind: .stream, scope: [" a ", "b"],
        intent: "block", version: "1.0.0", slug: "falcon")
    private static let answer = #"""
        {"registerConnector":{"id":"6b8d","connector_state":"{\"start_from\": \"17-0\", \"recover_until\": \"2025-01-01T00:00:00Z\"}",
        "connector_user_id":"88ec","config":{"connection":{"host":"rabbitmq","vhost":"/v","use_ssl":true,"port":5671,
        "user":"opencti","pass":"s3cr3t"},"listen":"l","listen_routing":"lr","listen_exchange":"le","push":"p",
        "push_routing":"pr","push_exchange":"pe"}}}
        """#

    private func inputs(_ version: PlatformVersion?) async throws -> (keys: [String], query: String) {
        let platform = try Platform { _ in .data(Self.answer) }
        _ = try await platform.client.register(Self.profile, on: version)
        let body = try #require(try platform.bodies().first)
        return (body["variables"]?["input"]?.object?.keys.sorted() ?? [], body["query"]?.string ?? "")
    }

    @Test func `reads the whole answer`() async throws {
        let platform = try Platform { _ in .data(Self.answer) }
        let registration = try await platform.client.register(Self.profile, on: PlatformVersion(6, 8, 10))
        #expect(registration.id == "6b8d")
        #expect(registration.state?["start_from"]?.string == "17-0")
        #expect(registration.userID == "88ec")
        #expect(!registration.isReduced)
        let queue = try #require(registration.queue)
        #expect(queue.host == "rabbitmq" && queue.port == 5671 && queue.usesTLS && queue.virtualHost == "/v")
        #expect(queue.password.reveal() == "s3cr3t")
        #expect(!"\(registration)".contains("s3cr3t"))
        #expect(queue.pushRoutingKey == "pr")
        let input = try #require(try platform.bodies()[0]["variables"]?["input"])
        #expect(input["scope"] == ["a", "b"])
        #expect(input["type"] == "STREAM")
    }

    // covers: octi:register, octi:versions
    @Test(arguments: [
        (PlatformVersion(5, 3), 0), (PlatformVersion(5, 4), 0), (PlatformVersion(5, 11), 1),
        (PlatformVersion(6, 4, 9), 1),
        (PlatformVersion(6, 5), 2), (PlatformVersion(6, 8, 9), 2), (PlatformVersion(6, 8, 10), 4),
        (PlatformVersion(7, 260_430), 4), (PlatformVersion(7, 260_817), 5), (PlatformVersion(7, 261_026), 7),
    ])
    func `sends only fields that the version has`(version: PlatformVersion, more: Int) async throws {
        let optional = [
            "playbook_compatible", "listen_callback_uri", "auto_update", "enrichment_resolution", "xtm_one_intent",
            "version", "slug",
        ]
        let expected = ["auto", "id", "name", "only_contextual", "scope", "type"] + optional.prefix(more)
        #expect(try await inputs(version).keys == expected.sorted())
    }

    @Test func `sends the smallest form to an unknown version`() async throws {
        let (keys, query) = try await inputs(nil)
        #expect(keys == ["auto", "id", "name", "only_contextual", "scope", "type"])
        #expect(!query.contains("jwks"))
    }

    @Test func `asks for what the version answers`() async throws {
        #expect(try await inputs(PlatformVersion(5, 3)).query.contains("connector_user { id }"))
        #expect(try await !inputs(PlatformVersion(5, 3)).query.contains("vhost"))
        #expect(try await inputs(PlatformVersion(6, 9)).query.contains("vhost"))
        #expect(try await !inputs(PlatformVersion(6, 9)).query.contains("jwks"))
        #expect(try await inputs(PlatformVersion(7, 260_224)).query.contains("jwks"))
    }

    // covers: octi:register-no-secrets
    @Test func `leaves the broker's credentials alone when it uses none`() async throws {
        var profile = Self.profile
        profile.usesBroker = false
        let platform = try Platform { _ in .data(#"{"registerConnector":{"id":"6b8d","jwks":"{}"}}"#) }
        for version in [PlatformVersion(6, 8, 10), PlatformVersion(7, 261_026)] {
            let registration = try await platform.client.register(profile, on: version)
            #expect(registration.queue == nil && registration.state == nil)
        }
        for body in try platform.bodies() { #expect(body["query"]?.string?.contains("connection") == false) }
    }

    @Test func `builds the routing key that early platforms do not name`() async throws {
        let platform = try Platform { _ in
            .data(
                #"{"registerConnector":{"id":"c","connector_user":{"id":"u"},"config":{"connection":{"host":"h","use_ssl":false,"port":5672,"user":"a","pass":"b"},"listen":"l","listen_exchange":"le","push":"p","push_exchange":"pe"}}}"#
            )
        }
        let registration = try await platform.client.register(Self.profile, on: PlatformVersion(5, 3))
        #expect(registration.userID == "u")
        #expect(registration.queue?.pushRoutingKey == "push_routing_c")
        #expect(registration.queue?.virtualHost == "/")
    }

    // covers: octi:register
    @Test(arguments: ["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"])
    func `falls back once to the smallest form`(code: String) async throws {
        let platform = try Platform { _ in .data(Self.answer) }
        platform.transport.answer(.error(code, "Field \\\"jwks\\\" unknown"))
        let registration = try await platform.client.register(Self.profile, on: PlatformVersion(7, 999_999))
        #expect(registration.isReduced)
        let bodies = try platform.bodies()
        #expect(bodies.count == 2)
        #expect(bodies[1]["variables"]?["input"]?.object?.count == 6)
        #expect(bodies[1]["query"]?.string?.contains("jwks") == false)
        let stubborn = try Platform { _ in .error(code) }
        let error = await #expect(throws: OpenCTIError.self) {
            _ = try await stubborn.client.register(Self.profile, on: PlatformVersion(7, 999_999))
        }
        #expect(error?.code == "opencti.version")
        #expect(stubborn.transport.requests.count == 2)
    }

    @Test func `does not try again what another form cannot mend`() async throws {
        let platform = try Platform { _ in .error("AUTH_REQUIRED") }
        await #expect(throws: OpenCTIError.self) {
            _ = try await platform.client.register(Self.profile, on: PlatformVersion(7, 999_999))
        }
        #expect(platform.transport.requests.count == 1)
    }

    @Test(arguments: ["", "null", "[]", "7", "nonsense"]) func `reads odd states as none`(state: String) async throws {
        let platform = try Platform { _ in
            .data(#"{"registerConnector":{"id":"c","connector_state":\#(JSONValue.string(state).text)}}"#)
        }
        #expect(try await platform.client.register(Self.profile, on: nil).state == nil)
    }
}

@Suite("Works") struct WorkTests {
    private let version = PlatformVersion(7, 261_026)

    // covers: octi:works
    @Test func `are added, alone or in parts`() async throws {
        let platform = try Platform { _ in .data(#"{"workAdd":{"id":"work_c_1"}}"#) }
        #expect(try await platform.client.addWork(connector: "c", name: "n", on: version) == "work_c_1")
        _ = try await platform.client.addWork(connector: "c", name: "n", isMultiPart: true, on: version)
        _ = try await platform.client.addWork(connector: "c", name: "n", isMultiPart: true, on: PlatformVersion(6, 9))
        let bodies = try platform.bodies()
        #expect(bodies.map { $0["variables"]?["isMultiPartWork"] } == [nil, true, nil])
        #expect(bodies.map { $0["query"]?.string?.contains("isMultiPartWork") } == [false, true, false])
    }

    // covers: octi:works
    @Test func `are moved on`() async throws {
        let platform = try Platform { _ in .data(#"{"workEdit":{"toReceived":"w"}}"#) }
        let client = platform.client
        try await client.received(work: "w", message: "m")
        try await client.processed(work: "w", message: "m", isError: true)
        #expect(try await client.addExpectations(work: "w", count: 3))
        #expect(try await client.reportExpectation(work: "w"))
        #expect(try await client.reportExpectation(work: "w", error: (message: "e", source: "s")))
        try await client.addDraftContext(work: "w", draft: "d")
        try await client.delete(work: "w")
        let variables = try platform.bodies().map { $0["variables"]?.text }
        #expect(
            variables == [
                #"{"id":"w","message":"m"}"#, #"{"id":"w","message":"m","inError":true}"#,
                #"{"id":"w","expectations":3}"#, #"{"id":"w","error":null}"#,
                #"{"id":"w","error":{"error":"e","source":"s"}}"#, #"{"id":"w","draftContext":"d"}"#, #"{"id":"w"}"#,
            ])
    }

    @Test func `that were deleted are no failure`() async throws {
        let platform = try Platform { _ in .error("WORK_NOT_ALIVE") }
        #expect(try await !platform.client.addExpectations(work: "w", count: 1))
        #expect(try await !platform.client.reportExpectation(work: "w"))
        try await platform.client.delete(work: "w")
        await #expect(throws: OpenCTIError.self) { try await platform.client.received(work: "w", message: "m") }
    }

    @Test func `are read`() async throws {
        let platform = try Platform { recorded in
            recorded.text.contains("isWorkAlive")
                ? .data(#"{"isWorkAlive":true}"#)
                : .data(
                    #"{"work":{"id":"w","name":"n","status":"progress","tracking":{"import_expected_number":5,"import_processed_number":2},"errors":[{"timestamp":"t","message":"bad","source":"s"}]}}"#
                )
        }
        let work = try #require(try await platform.client.work("w"))
        #expect(work.expected == 5 && work.processed == 2 && work.errors == ["bad"])
        #expect(try await platform.client.isWorkAlive("w", on: version))
        #expect(try await platform.client.isWorkAlive("w", on: PlatformVersion(6, 2)))
        #expect(platform.transport.requests.map { $0.text.contains("isWorkAlive") } == [false, true, false])
        let complete = try Platform { _ in
            .data(#"{"work":{"id":"w","status":"complete","processed_time":null,"tracking":{}}}"#)
        }
        #expect(try await complete.client.work("w")?.isProcessed == false, "its bundles are in, its report is not")
        let gone = try Platform { _ in .data(#"{"work":null}"#) }
        #expect(try await gone.client.work("w") == nil)
        #expect(try await !gone.client.isWorkAlive("w", on: nil))
    }
}
