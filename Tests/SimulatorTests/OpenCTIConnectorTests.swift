// SPDX-License-Identifier: Apache-2.0

import JSON
import OpenCTISimulator
import Testing

@Suite("Simulated OpenCTI: connectors and works") struct OpenCTIConnectorTests {
    @Test func `tells its version and who the token belongs to`() async throws {
        let consumer = try Consumer { $0.version = "6.8.10" }
        #expect(
            try await consumer.ask("query healthCheck { about { version } }") == [
                "data": ["about": ["version": "6.8.10"]]
            ])
        let me = try await consumer.ask("query Me { me { id who: name capabilities { name } } }")["data"]?["me"]
        #expect(me?["who"] == "connector")
        #expect(me?["capabilities"]?.array?.contains(["name": "TAXIIAPI"]) == true)
    }

    @Test func `an unknown token is an answer with status 200 and AUTH_REQUIRED`() async throws {
        var consumer = try Consumer()
        consumer.token = "wrong"
        let answer = try await consumer.ask("{ about { version } }")
        #expect(answer["data"] == ["about": .null])
        let error = answer["errors"]?[0]
        #expect(error?["name"] == "AUTH_REQUIRED")
        #expect(error?["extensions"]?["code"] == "AUTH_REQUIRED")
        #expect(error?["extensions"]?["data"]?["http_status"] == 401)
        #expect(error?["path"] == ["about"])
    }

    @Test func `platforms of 5 tell an error's data beside its name`() async throws {
        let consumer = try Consumer { $0.version = "5.3.17" }
        let error = try await consumer.ping("null")["errors"]?[0]
        #expect(error?["name"] == "FUNCTIONAL_ERROR")
        #expect(error?["data"]?["http_status"] == 400)
        #expect(error?["extensions"]?["data"] == nil)
    }

    @Test func `a missing capability is FORBIDDEN_ACCESS`() async throws {
        let consumer = try Consumer { $0.capabilities = ["KNOWLEDGE"] }
        let answer = try await consumer.register()
        #expect(answer["errors"]?[0]?["extensions"]?["code"] == "FORBIDDEN_ACCESS")
    }

    @Test func `keeps the state that a ping brings and gives it at the next registration`() async throws {
        let consumer = try Consumer()
        #expect(try await consumer.register()["data"]?["registerConnector"]?["connector_state"] == .null)
        let state = #"{"start_from":"5-0","recover_until":"2026-01-01T00:00:00Z"}"#
        #expect(try await consumer.ping(state)["data"]?["pingConnector"]?["connector_state"]?.string == state)
        #expect(try await consumer.register()["data"]?["registerConnector"]?["connector_state"]?.string == state)
        #expect(try await consumer.admin("GET", "connector-state")["start_from"] == "5-0")
    }

    @Test func `after a reset one ping is told so and its state ignored`() async throws {
        let consumer = try Consumer()
        _ = try await consumer.register()
        _ = try await consumer.ping(#"{"start_from":"5-0"}"#)
        try await consumer.admin("POST", "connector-state/reset")
        #expect(try await consumer.ping(#"{"start_from":"6-0"}"#)["data"]?["pingConnector"]?["connector_state"] == "")
        #expect(try await consumer.admin("GET", "connector-state") == .null)
        let next = try await consumer.ping(#"{"start_from":"7-0"}"#)["data"]?["pingConnector"]?["connector_state"]
        #expect(next?.string == #"{"start_from":"7-0"}"#)
    }

    @Test func `a ping of an unknown connector is FUNCTIONAL_ERROR`() async throws {
        let consumer = try Consumer()
        _ = try await consumer.register()
        try await consumer.admin("POST", "connectors/forget")
        let error = try await consumer.ping("null")["errors"]?[0]
        #expect(error?["name"] == "FUNCTIONAL_ERROR")
        #expect(error?["message"] == "No connector found with the specified ID")
    }

    @Test(arguments: [
        ("5.3.17", "playbook_compatible", "vhost"), ("6.4.0", "listen_callback_uri", "s3 { endpoint }"),
        ("6.8.0", "auto_update", "s3 { endpoint }"), ("6.8.10", "xtm_one_intent", "s3 { endpoint }"),
        ("7.260817.0", "version", ""),
    ])
    func `refuses what its version does not know`(version: String, input: String, output: String) async throws {
        let consumer = try Consumer { $0.version = version }
        let value: JSONValue = input == "playbook_compatible" || input == "auto_update" ? true : "x"
        let refused = try await consumer.register([input: value])["errors"]?[0]
        #expect(refused?["extensions"]?["code"] == "BAD_USER_INPUT")
        #expect(refused?["message"]?.string?.contains(#"Field "\#(input)" is not defined"#) == true)
        if !output.isEmpty {
            let fields = output == "vhost" ? "config { connection { vhost } }" : "config { \(output) }"
            let answer = try await consumer.register(asking: fields)
            #expect(answer["errors"]?[0]?["extensions"]?["code"] == "GRAPHQL_VALIDATION_FAILED")
        }
        try await consumer.admin("POST", "version", ["version": "7.261026.0"])
        #expect(try await consumer.register([input: value])["errors"] == nil)
    }

    @Test func `the broker's queues are named in the answer`() async throws {
        let consumer = try Consumer()
        let fields =
            "id connector_user_id jwks config { connection { host vhost port use_ssl user pass } listen push_routing }"
        let answer = try await consumer.register(asking: fields)["data"]?["registerConnector"]
        #expect(answer?["config"]?["listen"]?.string == "listen_" + Consumer.connectorID)
        #expect(answer?["config"]?["connection"]?["port"] == 5672)
        #expect(answer?["config"]?.object?.keys == ["connection", "listen", "push_routing"])
    }

    @Test func `refuses documents that do not fit`() async throws {
        let consumer = try Consumer()
        func code(_ query: String) async throws -> JSONValue? {
            try await consumer.ask(query)["errors"]?[0]?["extensions"]?["code"]
        }
        #expect(try await code("{ nothing { id } }") == "GRAPHQL_VALIDATION_FAILED")
        #expect(try await code("{ about { nothing } }") == "GRAPHQL_VALIDATION_FAILED")
        #expect(try await code("{ about }") == "GRAPHQL_VALIDATION_FAILED")
        #expect(try await code("{ about { version }") == "GRAPHQL_PARSE_FAILED")
        #expect(try await code("query Q($id: String!) { indicator(id: $id) { id } }") == "BAD_USER_INPUT")
        #expect(
            try await code("query Q($id: String!) { indicator(id: $id, nothing: 1) { id } }")
                == "GRAPHQL_VALIDATION_FAILED")
        #expect(try await code("{ __schema { types { name } } }") == "RESOURCE_NOT_FOUND")
        #expect(try await code("{ a: me { id } b: me { id } c: me { id } }") == "UNKNOWN_ERROR")
        #expect(try await code("{ a: me { id } b: me { id } }") == nil)
        let type = try await consumer.ask(#"{ __type(name: "RegisterConnectorInput") { inputFields { name } } }"#)
        #expect(type["data"]?["__type"]?["inputFields"]?.array?.contains(["name": "listen_callback_uri"]) == true)
    }

    @Test func `fragments and variables with defaults are understood`() async throws {
        let consumer = try Consumer()
        let query = """
            # a comment
            query M($first: Int = 1) { me { ...Who ... on MeUser { name @include(if: true) } } indicators(first: $first) { edges { node { id } } } }
            fragment Who on MeUser { id }
            """
        let data = try await consumer.ask(query)["data"]
        #expect(data?["me"]?.object?.keys == ["id", "name"])
        #expect(data?["indicators"]?["edges"] == [])
    }

    @Test func `a work goes from waiting to complete`() async throws {
        let consumer = try Consumer()
        _ = try await consumer.register()
        let added = try await consumer.ask(
            "mutation A($c: String!, $n: String) { workAdd(connectorId: $c, friendlyName: $n) { id } }",
            ["c": .string(Consumer.connectorID), "n": "a work"])
        let id = try #require(added["data"]?["workAdd"]?["id"]?.string)
        func edit(_ text: String) async throws -> JSONValue {
            try await consumer.ask("mutation W($id: ID!) { workEdit(id: $id) { \(text) } }", ["id": .string(id)])
        }
        func status() async throws -> JSONValue? {
            try await consumer.ask(
                "query W($id: ID!) { work(id: $id) { status errors { message } } }", ["id": .string(id)])["data"]?[
                    "work"]
        }
        #expect(try await status()?["status"] == "wait")
        #expect(try await edit(#"toReceived(message: "here")"#)["data"]?["workEdit"]?["toReceived"]?.string == id)
        #expect(try await status()?["status"] == "progress")
        _ = try await edit("addExpectations(expectations: 1)")
        _ = try await edit(#"toProcessed(message: "sent", inError: false)"#)
        #expect(try await status()?["status"] == "progress")
        _ = try await edit(#"reportExpectation(error: { error: "bad", source: "s" })"#)
        #expect(try await status() == ["status": "complete", "errors": [["message": "bad"]]])
        _ = try await edit("delete")
        #expect(try await status() == .null)
        #expect(try await edit("addExpectations(expectations: 1)")["errors"]?[0]?["name"] == "WORK_NOT_ALIVE")
    }
}
