// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import TestKit
import Testing

@testable import FalconIndicators

@Suite("A custom indicator's content") struct IOCContentTests {
    static let end = Instant(milliseconds: 1_900_000_000_000)
    static let sha256 = String(repeating: "ab", count: 32)
    static let samples: [IOCContent] =
        IOCType.allCases.map { type in
            let values: [IOCType: String] = [
                .domain: "a.example", .ipv4: "192.0.2.1", .ipv6: "2001:db8::1",
                .md5: String(repeating: "ab", count: 16), .sha256: sha256,
            ]
            return .sample(values[type] ?? "", type)
        } + IOCAction.allCases.map { action in .sample(sha256, .sha256) { $0.action = action } }
        + IOCSeverity.allCases.map { severity in .sample { $0.severity = severity } }
        + [
            .sample { $0.platforms = [.windows, .android, .ios] },
            .sample { $0.expiration = .at(end) },
            .sample { $0.expiration = .asItIs },
            .sample { $0.tags = ["b", "ä ☃", "c\"\\"] },
            .sample { $0.description = "Ümlaut\n“quoted” \u{0} end" },
            .sample(sha256, .sha256) { $0.fileName = "invoice.exe" },
            .sample {
                $0.isMarked = true
                $0.tags = ["TO_DELETE"]
                $0.expiration = .asItIs
            },
        ]

    @Test(arguments: samples) func `survives the ledger`(_ content: IOCContent) {
        #expect(IOCContent(encoded: content.encoded) == content)
    }

    @Test func `has its own bytes for each difference`() {
        #expect(Set(Self.samples.map(\.encoded)).count == Set(Self.samples).count)
    }

    @Test func `is not made of broken bytes`() {
        let whole = IOCContent.sample { $0.expiration = .at(Self.end) }.encoded
        for count in 0..<whole.count { #expect(IOCContent(encoded: Array(whole[..<count])) == nil, "\(count) bytes") }
        #expect(IOCContent(encoded: [2] + whole.dropFirst()) == nil)
        #expect(IOCContent(encoded: [1, 99] + whole.dropFirst(2)) == nil)
        #expect(IOCContent(encoded: whole + [0]) == nil)
    }

    @Test func `cuts a text that is too long at a character's end`() throws {
        let content = IOCContent.sample { $0.description = String(repeating: "ä", count: 70_000) }
        let read = try #require(IOCContent(encoded: content.encoded))
        #expect(read.description.utf8.count <= 65_535 && read.description.allSatisfy { $0 == "ä" })
        #expect(read.value == content.value)
    }

    // covers: field:action, field:applied-globally, field:source, field:comment, field:severity
    @Test(arguments: samples) func `is a body that Falcon takes`(_ content: IOCContent) throws {
        let contract = try FalconContract.shared.get()
        var create = JSONWriter()
        content.writeCreate(to: &create)
        var update = JSONWriter()
        content.writeUpdate(id: String(repeating: "0f", count: 32), to: &update)
        for (method, object) in [("POST", create.bytes), ("PATCH", update.bytes)] {
            let body: JSONValue = [
                "comment": .string(IOCContent.comment), "indicators": [try JSONValue(parsing: object)],
            ]
            #expect(contract.problems(inBody: body, of: method, FakeTenant.path) == [], "\(method) \(body.text)")
        }
    }

    // covers: bug:10, bug:11
    @Test func `creates with what is set and nothing else`() throws {
        func created(_ content: IOCContent) throws -> JSONObject {
            var writer = JSONWriter()
            content.writeCreate(to: &writer)
            return try JSONValue(parsing: writer.bytes).object ?? [:]
        }
        let plain = try created(.sample())
        #expect(
            plain.map(\.key) == [
                "action", "mobile_action", "type", "value", "severity", "applied_globally", "source", "platforms",
            ])
        let full = try created(
            .sample(Self.sha256, .sha256) {
                $0.action = .allow
                $0.description = "d"
                $0.expiration = .at(Self.end)
                $0.tags = ["t"]
                $0.fileName = "x.exe"
            })
        #expect(full["severity"] == nil && full["mobile_action"] == "allow")
        #expect(full["expiration"] == "2030-03-17T17:46:40.000Z" && full["tags"] == ["t"])
        #expect(full["metadata"] == ["filename": "x.exe"] && full["source"] == "OpenCTI IOC")
        #expect(full["applied_globally"] == true)
    }

    // covers: bug:13
    @Test func `updates so that what is gone is cleared`() throws {
        func updated(_ content: IOCContent) throws -> JSONObject {
            var writer = JSONWriter()
            content.writeUpdate(id: "id", to: &writer)
            return try JSONValue(parsing: writer.bytes).object ?? [:]
        }
        let plain = try updated(.sample())
        #expect(plain["description"] == "" && plain["tags"] == [] && plain["expiration"] == .null)
        #expect(plain["type"] == nil && plain["value"] == nil)
        #expect(try updated(.sample { $0.expiration = .asItIs })["expiration"] == nil)
        #expect(try updated(.sample { $0.platforms = [] })["platforms"] == nil)
    }
}
