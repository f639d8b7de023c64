// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import HarfangLab
import JSON
import Testing
import Vectors

/// The shared starts: which calls find or make the source lists, in which order.
@Suite("Vectors of the originals, starts") struct StartTests {
    struct Start: Sendable, CustomTestStringConvertible {
        let json: JSONValue
        var testDescription: String { json["title"]?.string ?? "" }
    }
    private static let document = try? JSONValue(parsing: Array(Vectors.data("harfanglab-vectors.json")))
    static let starts = (document?["startup"]?.array ?? []).map { Start(json: $0) }

    @Test func `are all there`() { #expect(Self.starts.count == 2) }

    // covers: vectors:hl-start
    @Test(arguments: starts) func `makes the expected calls in their order`(_ start: Start) async throws {
        let calls = start.json["expected_calls"]?.array ?? []
        let transport = ScriptedTransport()
        for call in calls {
            transport.answer(.status(Int(call["answer_status"]?.int ?? 0), call["answer"]?.text ?? ""))
        }
        let client = try HarfangLabClient(
            transport: transport, url: "https://hl.example:8443", token: { Secret("t0ken") })
        let list = try #require(start.json["config"]?["source_list_name"]?.string)
        for kind in RuleKind.allCases { _ = try await client.obtainSource(kind, named: list) }
        let made = transport.requests.map { recorded in
            let target = recorded.request.url.dropFirst("https://hl.example:8443".count)
            let path = target.prefix { $0 != "?" }
            return [
                recorded.request.method.rawValue, path.hasSuffix("/") ? String(path.dropLast()) : String(path),
                target.contains("name__exact=\(list)") ? list : "", recorded.text.isEmpty ? "" : "body",
            ]
        }
        let expected = calls.map { call in
            let path = call["path"]?.string ?? ""
            return [
                call["method"]?.string ?? "", path.hasSuffix("/") ? String(path.dropLast()) : path,
                call["query"]?["name__exact"]?.string ?? "", call["body"] == nil ? "" : "body",
            ]
        }
        #expect(made == expected)
        for (recorded, call) in zip(transport.requests, calls) where call["body"] != nil {
            #expect((try? JSONValue(parsing: recorded.body)) == call["body"])
        }
    }
}
