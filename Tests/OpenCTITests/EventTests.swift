// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import OpenCTI
import Testing
import Vectors

private let octi = #""extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba""#
private let sco = #""extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82""#
private let mitre = #""extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b""#

private func read<Result>(_ json: String, _ body: (JSONElement) throws -> Result) throws -> Result {
    try JSONParser().withDocument(Array(json.utf8), body)
}

private func indicator<Result>(_ json: String, _ body: (IndicatorEvent) throws -> Result) throws -> Result? {
    try read(json) { root in try IndicatorEvent(StreamEnvelope(root)).map(body) }
}

@Suite("Stream events") struct EventTests {
    // covers: event:create
    @Test func `give an indicator's fields`() throws {
        let json = """
            {"version":"4","type":"create","data":{"id":"indicator--4d0c","type":"indicator","revoked":false,
            "labels":["c2",7,"apt"],"object_marking_refs":["marking-definition--1"],"name":"n","description":"d é",
            "pattern":"[ipv4-addr:value = '203.0.113.7']","pattern_type":"stix","created":"2025-01-02T03:04:05.000Z",
            "modified":"2025-01-02T03:04:05.120Z","valid_from":"2025-01-02T03:04:05.000Z",
            "valid_until":"2026-01-02T04:04:05.000+01:00","extensions":{\(octi):{"id":"0f7c","type":"Indicator",
            "updated_at":"2025-01-02T03:04:05.130Z","detection":true,"score":80},
            \(mitre):{"platforms":["Windows","macOS"]}}},"event_id":"1-0"}
            """
        let isRead: Void? = try indicator(json) { event in
            #expect(event.isSTIXPattern)
            #expect(event.pattern == "[ipv4-addr:value = '203.0.113.7']")
            #expect(event.withPattern { $0.count } == event.pattern.utf8.count)
            #expect(event.stableID == "0f7c" && event.stixID == "indicator--4d0c")
            #expect(event.withStableID { $0.count } == 4)
            #expect(event.score?.int == 80)
            #expect(event.labels == ["c2", "apt"] && event.hasLabels)
            #expect(event.platforms == ["Windows", "macOS"])
            #expect(event.markings == ["marking-definition--1"])
            #expect(event.name == "n" && event.description == "d é")
            #expect(event.validUntil?.secondsDescription == "2026-01-02T03:04:05Z")
            #expect(event.created?.description == "2025-01-02T03:04:05.000Z")
            #expect(event.modified?.description == "2025-01-02T03:04:05.120Z")
            #expect(event.updatedAt?.description == "2025-01-02T03:04:05.130Z")
            #expect(event.isForDetection == true && !event.isRevoked)
            #expect(event.envelope.origin == .live)
            let before = try event.previous()
            #expect(before == nil)
        }
        #expect(isRead != nil)
    }

    @Test func `leave open what is absent`() throws {
        let json = #"{"data":{"id":"indicator--1","type":"indicator","pattern_type":"yara"}}"#
        let isRead: Void? = try indicator(json) { event in
            #expect(!event.isSTIXPattern && event.patternType == "yara")
            #expect(event.stableID == "indicator--1")
            #expect(event.score == nil && event.platforms == nil && !event.hasLabels && event.labels.isEmpty)
            #expect(event.validUntil == nil && event.isForDetection == nil && event.description == nil)
        }
        #expect(isRead != nil)
    }

    @Test func `are not about an indicator`() throws {
        for type in ["identity", "ipv4-addr", "marking-definition"] {
            let result = try indicator(#"{"data":{"id":"x--1","type":"\#(type)"}}"#) { _ in true }
            #expect(result == nil)
        }
    }

    // covers: event:no-pattern-type
    @Test(arguments: [
        "[]", "7", "{}", #"{"data":null}"#, #"{"data":[]}"#,
        #"{"data":{"type":"indicator","id":"i","pattern":"x"}}"#,
        #"{"data":{"type":"indicator","id":"i","pattern_type":"stix"}}"#,
        #"{"data":{"type":"indicator","id":"i","pattern_type":"stix","pattern":null}}"#,
        #"{"data":{"type":"indicator","pattern_type":"stix","pattern":"x"}}"#,
        #"{"data":{"type":"indicator","id":7,"pattern_type":"stix","pattern":"x"}}"#,
    ])
    func `are malformed without what even the original needs`(json: String) {
        let error = #expect(throws: StreamEnvelope.Malformed.self) { try indicator(json) { _ in } }
        #expect(error?.isRetryable == false)
    }

    @Test func `tell JSON errors as such`() {
        #expect(throws: JSONError.self) { try indicator(#"{"data":{"type":"indicator","#) { _ in } }
    }

    @Test func `look attributes up as pycti does`() throws {
        func score(_ extensions: String, _ more: String = "") throws -> String? {
            try read(#"{"type":"indicator","extensions":{\#(extensions)}\#(more)}"#) {
                $0.octiAttribute("score")?.value.text
            }
        }
        #expect(try score("\(octi):{\"score\":1},\(sco):{\"score\":2}", #","score":3"#) == "1")
        #expect(try score("\(sco):{\"score\":2}", #","score":3"#) == "2")
        #expect(try score("", #","score":3"#) == "3")
        #expect(try score("\(octi):{\"score\":null},\(sco):{\"score\":2}") == "null")
        #expect(try score("") == nil)
        #expect(try read(#"{"type":"indicator"}"#) { $0.octiAttribute("type")?.string } == nil)
        #expect(
            try read(#"{"type":"x","extensions":{\#(octi):{"type":"Indicator"}}}"#) { $0.octiAttribute("type")?.string }
                == "Indicator")
    }

    @Test func `know who caused them`() throws {
        func origin(_ json: String) throws -> StreamEnvelope.Origin {
            try read(#"{"data":{}\#(json)}"#) { try StreamEnvelope($0).origin }
        }
        #expect(try origin(#","origin":{"referer":"init-create"}"#) == .recovery)
        #expect(try origin(#","origin":{"referer":"init-dependencies"}"#) == .dependency)
        #expect(try origin(#","origin":{"socket":"query"}"#) == .live)
        #expect(try origin("") == .live)
    }

    private func previous(_ patch: String) throws -> String? {
        let json =
            #"{"data":{"type":"indicator","id":"indicator--new","pattern_type":"stix","pattern":"new","labels":["a"]},"context":{"reverse_patch":\#(patch)}}"#
        return try indicator(json) { event in try event.previous().map { "\($0.pattern) \($0.stixID)" } } ?? nil
    }

    @Test(
        arguments: [
            (
                #"[{"op":"replace","path":"/pattern","value":"old"},{"op":"replace","path":"/id","value":"indicator--old"}]"#,
                "old indicator--old"
            ),
            (#"[{"op":"replace","path":"/pattern","value":"old"}]"#, "old indicator--new"),
            (#"[{"op":"replace","path":"/id","value":"indicator--old"}]"#, "new indicator--old"),
            (#"[{"op":"add","path":"/pattern","value":"old"}]"#, "old indicator--new"),
            (#"[{"op":"remove","path":"/pattern"}]"#, " indicator--new"),
            (
                #"[{"op":"add","path":"/x","value":"kept"},{"op":"move","from":"/x","path":"/pattern"}]"#,
                "kept indicator--new"
            ),
            (#"[{"op":"replace","path":"","value":{"pattern":"old","id":"o"}}]"#, "old o"),
            (#"[{"op":"replace","path":"/modified","value":"x"},{"op":"add","path":"/labels/-","value":"b"}]"#, nil),
            ("[]", nil), ("null", nil), ("{}", nil),
        ] as [(String, String?)])
    // covers: pattern:id-change, bug:8
    func `give the pattern before an update`(patch: String, expected: String?) throws {
        #expect(try previous(patch) == expected)
    }

    @Test func `refuse a patch that does not fit`() {
        #expect(throws: JSONPatch.Failure.self) {
            try previous(#"[{"op":"move","from":"/nowhere","path":"/pattern"}]"#)
        }
    }

    @Test func `of the shared vectors can all be read or are known to be malformed`() throws {
        let file = try JSONValue(parsing: Array(Vectors.data("opencti-crowdstrike-vectors.json")))
        let parser = JSONParser()
        var indicators = 0
        var malformed: Set<String> = []
        for vector in try #require(file["vectors"]?.array) {
            for event in vector["events"]?.array ?? [] {
                let data = event["raw"]?.string.map { Array($0.utf8) } ?? event["data"]?.bytes ?? []
                do {
                    let isIndicator = try parser.withDocument(data) { root in
                        try IndicatorEvent(StreamEnvelope(root)).map { !$0.stableID.isEmpty } ?? false
                    }
                    indicators += isIndicator ? 1 : 0
                } catch {
                    malformed.insert(vector["id"]?.string ?? "")
                }
            }
        }
        #expect(indicators > 90)
        #expect(malformed == ["oc-052"])
    }
}

@Suite("JSON patch") struct JSONPatchTests {
    @Test(arguments: [
        (#"{"a":1}"#, #"[{"op":"add","path":"/b","value":2}]"#, #"{"a":1,"b":2}"#),
        (#"{"a":[1,3]}"#, #"[{"op":"add","path":"/a/1","value":2}]"#, #"{"a":[1,2,3]}"#),
        (#"{"a":[1]}"#, #"[{"op":"add","path":"/a/-","value":2}]"#, #"{"a":[1,2]}"#),
        (#"{"a":1,"b":2}"#, #"[{"op":"remove","path":"/a"}]"#, #"{"b":2}"#),
        (#"{"a":{"b":[1,2]}}"#, #"[{"op":"replace","path":"/a/b/0","value":null}]"#, #"{"a":{"b":[null,2]}}"#),
        (#"{"a":1}"#, #"[{"op":"move","from":"/a","path":"/b"}]"#, #"{"b":1}"#),
        (#"{"a":[1,2]}"#, #"[{"op":"copy","from":"/a/1","path":"/b"}]"#, #"{"a":[1,2],"b":2}"#),
        (#"{"a~/":1}"#, #"[{"op":"replace","path":"/a~0~1","value":2}]"#, #"{"a~/":2}"#),
        (#"{"a":1}"#, #"[{"op":"test","path":"/a","value":1},{"op":"remove","path":"/a"}]"#, "{}"),
        (#"{"":1}"#, #"[{"op":"replace","path":"/","value":2}]"#, #"{"":2}"#),
        (#"{"a":1}"#, #"[{"op":"replace","path":"","value":[]}]"#, "[]"),
    ])
    func `applies`(document: String, patch: String, expected: String) throws {
        let operations = try #require(try JSONValue(parsing: patch).array)
        #expect(try JSONPatch.apply(operations, to: JSONValue(parsing: document)) == JSONValue(parsing: expected))
    }

    @Test(arguments: [
        #"[{"op":"remove","path":"/x"}]"#, #"[{"op":"replace","path":"/x","value":1}]"#,
        #"[{"op":"add","path":"/x/y","value":1}]"#, #"[{"op":"add","path":"/l/3","value":1}]"#,
        #"[{"op":"add","path":"/l/01","value":1}]"#, #"[{"op":"replace","path":"/l/-","value":1}]"#,
        #"[{"op":"test","path":"/a","value":2}]"#, #"[{"op":"add","path":"/b"}]"#, #"[{"op":"turn","path":"/a"}]"#,
        #"[{"op":"add","value":1}]"#, #"[{"op":"add","path":"a","value":1}]"#,
        #"[{"op":"move","from":"/o","path":"/o/p"}]"#, #"[{"op":"copy","from":"/x","path":"/b"}]"#, "[7]",
    ])
    func `refuses`(patch: String) throws {
        let document = try JSONValue(parsing: #"{"a":1,"l":[1,2],"o":{}}"#)
        let operations = try #require(try JSONValue(parsing: patch).array)
        let error = #expect(throws: JSONPatch.Failure.self) { try JSONPatch.apply(operations, to: document) }
        #expect(error?.operation == 0)
    }

    @Test func `turns the updates of the vectors back`() throws {
        let file = try JSONValue(parsing: Array(Vectors.data("opencti-crowdstrike-vectors.json")))
        var patterns: [String: String] = [:]
        for vector in try #require(file["vectors"]?.array) {
            for event in vector["events"]?.array ?? [] {
                guard let data = event["data"]?["data"], let patch = event["data"]?["context"]?["reverse_patch"]?.array
                else { continue }
                patterns[vector["id"]?.string ?? ""] = try JSONPatch.apply(patch, to: data)["pattern"]?.string
            }
        }
        #expect(patterns["oc-118"] == "[domain-name:value = 'old.example']")
        #expect(patterns["oc-138"] == "[domain-name:value = 'old2.example']")
        #expect(patterns.count == 3)
    }
}
