// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import OpenCTI
import Testing

@Suite("OpenCTI reads") struct ReadsTests {
    private let now = Instant(milliseconds: 1_767_225_600_000)

    @Test func `tell the user and what it may do`() async throws {
        let platform = try Platform { _ in
            .data(#"{"me":{"id":"u","name":"Falcon","user_email":"x","capabilities":[{"name":"TAXIIAPI"}]}}"#)
        }
        let me = try await platform.client.me()
        #expect(me.has("TAXIIAPI") && !me.has("CONNECTORAPI"))
        let admin = try Platform { _ in .data(#"{"me":{"id":"u","name":"a","capabilities":[{"name":"BYPASS"}]}}"#) }
        #expect(try await admin.client.me().has("CONNECTORAPI"))
    }

    // covers: octi:stream-collection
    @Test func `give a live stream with its filters`() async throws {
        let filters =
            #"{"mode":"and","filters":[{"key":["entity_type"],"operator":"eq","values":["Indicator"],"mode":"or"}],"filterGroups":[]}"#
        let platform = try Platform { _ in
            .data(
                #"{"streamCollection":{"id":"s","name":"Falcon","stream_live":true,"stream_public":false,"filters":\#(JSONValue.string(filters).text)}}"#
            )
        }
        let stream = try #require(try await platform.client.streamCollection("s"))
        #expect(stream.isLive && !stream.isPublic)
        #expect(stream.filters?.required("entity_type") == ["Indicator"])
        let none = try Platform { _ in .data(#"{"streamCollection":null}"#) }
        #expect(try await none.client.streamCollection("s") == nil)
        let open = try Platform { _ in .data(#"{"streamCollection":{"id":"s","stream_live":true,"filters":null}}"#) }
        #expect(try await open.client.streamCollection("s")?.filters?.isEmpty == true)
        let odd = try Platform { _ in .data(#"{"streamCollection":{"id":"s","stream_live":true,"filters":"x"}}"#) }
        #expect(try await odd.client.streamCollection("s")?.filters == nil)
    }

    @Test func `give an indicator and its STIX form`() async throws {
        let platform = try Platform { recorded in
            recorded.text.contains("stix(id:")
                ? .data(#"{"stix":"{\"type\":\"indicator\"}"}"#)
                : .data(
                    #"{"indicator":{"id":"i","standard_id":"indicator--1","name":"n","pattern":"[a:b = 'c']","pattern_type":"stix","revoked":false,"valid_until":"2027-01-01T00:00:00.000Z","x_opencti_score":80,"objectLabel":[{"value":"c2"}],"x_mitre_platforms":null}}"#
                )
        }
        let record = try #require(try await platform.client.indicator("indicator--1"))
        #expect(record.id == "i" && record.labels == ["c2"] && record.platforms.isEmpty)
        #expect(record.score == 80)
        #expect(record.isLive(at: now))
        #expect(try await platform.client.stix("i")?["type"] == "indicator")
        let none = try Platform { _ in .data(#"{"indicator":null,"stix":null}"#) }
        #expect(try await none.client.indicator("i") == nil)
        #expect(try await none.client.stix("i") == nil)
    }

    private static func page(_ nodes: [String], next: String?) -> ScriptedTransport.Answer {
        let edges = nodes.map { #"{"node":\#($0)}"# }.joined(separator: ",")
        return .data(
            #"{"indicators":{"edges":[\#(edges)],"pageInfo":{"endCursor":"\#(next ?? "")","hasNextPage":\#(next != nil)}}}"#
        )
    }

    private static func node(_ id: String, revoked: Bool = false, until: String = "2027-01-01T00:00:00.000Z") -> String
    {
        #"{"id":"\#(id)","standard_id":"indicator--\#(id)","pattern":"[domain-name:value = 'evil.example']","pattern_type":"stix","revoked":\#(revoked),"valid_until":"\#(until)"}"#
    }

    // covers: state:delete-during-recovery
    @Test func `find other live indicators that may hold a value, over all pages`() async throws {
        let platform = try Platform()
        platform.transport.answer(Self.page([Self.node("1"), Self.node("2", revoked: true)], next: "c1"))
        platform.transport.answer(
            Self.page([Self.node("3", until: "2020-01-01T00:00:00Z"), Self.node("4")], next: nil))
        let found = try await platform.client.liveIndicators(
            holding: "evil.example", excluding: ["4"], at: now, on: PlatformVersion(6, 8, 10))
        #expect(found?.map(\.id) == ["1"])
        let variables = try platform.bodies().map { $0["variables"] ?? .null }
        #expect(variables[0]["search"] == "\"evil.example\"")
        #expect(variables.map { $0["after"] } == [.null, "c1"])
        let filters = try #require(variables[0]["filters"])
        #expect(FilterGroup(parsing: filters.text)?.required("revoked") == ["false"])
    }

    @Test func `say when they cannot tell`() async throws {
        let platform = try Platform { _ in Self.page((0..<100).map { Self.node("\($0)") }, next: "more") }
        #expect(try await platform.client.liveIndicators(holding: "x", at: now, on: PlatformVersion(6, 8)) == nil)
        #expect(platform.transport.requests.count == 5)
        #expect(try await platform.client.liveIndicators(holding: "x", at: now, on: PlatformVersion(5, 11)) == nil)
        #expect(try await platform.client.liveIndicators(holding: "a\"b", at: now, on: nil) == nil)
        #expect(platform.transport.requests.count == 5)
    }

    @Test func `give the depth of the queue`() async throws {
        let platform = try Platform { _ in
            .data(#"{"connector":{"id":"c","connector_queue_details":{"messages_number":7.0,"messages_size":1e6}}}"#)
        }
        let depth = try await platform.client.queueDepth(of: "c")
        #expect(depth.messages == 7 && depth.bytes == 1_000_000)
    }
}

@Suite("Stream filters") struct FilterGroupTests {
    private func group(_ filters: String, mode: String = "and", groups: String = "") -> FilterGroup? {
        FilterGroup(parsing: #"{"mode":"\#(mode)","filters":[\#(filters)],"filterGroups":[\#(groups)]}"#)
    }
    private let indicator = #"{"key":"entity_type","values":["Indicator"]}"#

    @Test func `accept keys as text and as list`() {
        #expect(group(indicator)?.required("entity_type") == ["Indicator"])
        #expect(group(#"{"key":["entity_type"],"values":["Indicator"]}"#)?.required("entity_type") == ["Indicator"])
    }

    @Test func `leave open what they do not say`() {
        #expect(group("")?.required("entity_type") == nil)
        #expect(group(#"{"key":"revoked","values":["false"]}"#)?.required("entity_type") == nil)
        #expect(
            group(#"{"key":"entity_type","operator":"not_eq","values":["Report"]}"#)?.required("entity_type") == nil)
        #expect(
            group(indicator + #",{"key":"revoked","values":["false"]}"#, mode: "or")?.required("entity_type") == nil)
    }

    @Test func `combine alternatives and nested groups`() {
        let report = #"{"key":"entity_type","values":["Report"]}"#
        #expect(group(indicator + "," + report, mode: "or")?.required("entity_type") == ["Indicator", "Report"])
        let nested = #"{"mode":"and","filters":[\#(indicator)],"filterGroups":[]}"#
        #expect(group("", groups: nested)?.required("entity_type") == ["Indicator"])
        #expect(group(report, mode: "or", groups: nested)?.required("entity_type") == ["Indicator", "Report"])
        #expect(
            group(#"{"key":"revoked","values":["false"]}"#, groups: nested)?.required("entity_type") == ["Indicator"])
    }

    @Test func `read the form before 5.12`() {
        let old = FilterGroup(
            parsing: #"{"entity_type":[{"id":"Indicator","value":"Indicator"}],"revoked":[{"id":false}]}"#)
        #expect(old?.required("entity_type") == ["Indicator"])
        #expect(old?.required("revoked") == ["false"])
    }

    @Test(arguments: ["", "[]", "x", #"{"mode":"and","filters":[{"values":[]}],"filterGroups":[]}"#])
    func `are none when they cannot be read`(text: String) { #expect(FilterGroup(parsing: text) == nil) }

    @Test func `survive being written`() throws {
        let written = try #require(group(indicator, groups: #"{"mode":"or","filters":[],"filterGroups":[]}"#))
        #expect(FilterGroup(parsing: written.json.text) == written)
    }
}
