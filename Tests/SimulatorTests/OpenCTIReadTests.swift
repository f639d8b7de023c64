// SPDX-License-Identifier: Apache-2.0

import JSON
import OpenCTISimulator
import Testing

@Suite("Simulated OpenCTI: reads") struct OpenCTIReadTests {
    private static let search = """
        query S($search: String, $filters: FilterGroup, $first: Int, $after: ID) {
          indicators(search: $search, filters: $filters, first: $first, after: $after) {
            edges { node { id standard_id pattern pattern_type revoked valid_until } } pageInfo { endCursor hasNextPage }
          }
        }
        """

    private func names(_ answer: JSONValue) -> [String] {
        answer["data"]?["indicators"]?["edges"]?.array?.compactMap { $0["node"]?["id"]?.string } ?? []
    }

    @Test func `an indicator is found by either id until it is deleted`() async throws {
        let consumer = try Consumer()
        try await consumer.admin("POST", "events", [Consumer.event(1)])
        let query =
            "query I($id: String!) { indicator(id: $id) { id name x_opencti_score objectLabel { value } notes { edges { node { id } } } } }"
        let stixID = Consumer.indicator(1)["id"]?.string ?? ""
        for id in ["internal-1", stixID] {
            let found = try await consumer.ask(query, ["id": .string(id)])["data"]?["indicator"]
            #expect(found?["name"] == "host1.example")
            #expect(found?["x_opencti_score"] == 50)
            #expect(found?["notes"] == .null)
        }
        let text = try await consumer.ask("query X($id: String!) { stix(id: $id) }", ["id": .string(stixID)])
        #expect(try text["data"]?["stix"]?.string.map { try JSONValue(parsing: $0) } == Consumer.indicator(1))
        try await consumer.admin("POST", "events", [Consumer.event(1, event: "delete")])
        #expect(try await consumer.ask(query, ["id": "internal-1"])["data"] == ["indicator": .null])
    }

    @Test func `searches phrases without case and filters`() async throws {
        let consumer = try Consumer()
        try await consumer.admin("POST", "events", .array((1...12).map { Consumer.event($0) }))
        let filters: JSONValue = [
            "mode": "and", "filterGroups": [],
            "filters": [
                ["key": ["revoked"], "values": ["false"], "operator": "eq", "mode": "or"],
                ["key": "pattern_type", "values": ["stix"]],
            ],
        ]
        let found = try await consumer.ask(Self.search, ["search": "\"HOST1.example\"", "filters": filters])
        #expect(names(found) == ["internal-1"])
        let revoked: JSONValue = [
            "mode": "and", "filterGroups": [], "filters": [["key": ["revoked"], "values": ["true"]]],
        ]
        #expect(names(try await consumer.ask(Self.search, ["search": "host1", "filters": revoked])) == [])
        let unknown: JSONValue = [
            "mode": "and", "filterGroups": [], "filters": [["key": ["nothing"], "values": ["true"]]],
        ]
        #expect(try await consumer.ask(Self.search, ["filters": unknown])["errors"]?[0]?["name"] == "UNSUPPORTED_ERROR")
    }

    @Test func `lists come in pages`() async throws {
        let consumer = try Consumer()
        try await consumer.admin("POST", "events", .array((1...5).map { Consumer.event($0) }))
        var found: [String] = []
        var after: JSONValue = .null
        repeat {
            let page = try await consumer.ask(Self.search, ["first": 2, "after": after])
            found += names(page)
            let info = page["data"]?["indicators"]?["pageInfo"]
            after = info?["hasNextPage"] == true ? info?["endCursor"] ?? .null : .null
        } while !after.isNull
        #expect(found == (1...5).map { "internal-\($0)" })
    }

    @Test func `the stream's filters can be read`() async throws {
        let consumer = try Consumer()
        let query = "query S($id: String!) { streamCollection(id: $id) { id stream_live stream_public filters } }"
        let found = try await consumer.ask(query, ["id": .string(OpenCTIConfiguration.defaultStreamID)])["data"]?[
            "streamCollection"]
        #expect(found?["stream_live"] == true)
        #expect(found?["filters"]?.string?.contains("Indicator") == true)
        #expect(try await consumer.ask(query, ["id": "other"])["data"] == ["streamCollection": .null])
        try await consumer.admin("POST", "stream", ["state": "stopped"])
        let stopped = try await consumer.ask(query, ["id": .string(OpenCTIConfiguration.defaultStreamID)])
        #expect(stopped["data"]?["streamCollection"]?["stream_live"] == false)
    }
}
