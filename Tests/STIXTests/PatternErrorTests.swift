// SPDX-License-Identifier: Apache-2.0

import Base
import STIX
import Testing

@Suite("STIX patterns, errors and limits") struct PatternErrorTests {
    // covers: pattern:error
    @Test(arguments: [
        ("", 0, "the pattern ends where “[” or “(” should follow"),
        ("file:size = 1280", 0, "found “file” where “[” or “(” should stand"),
        ("[]", 1, "found “]” where an object path such as ipv4-addr:value should stand"),
        ("[file.size = 1]", 5, "found “.” where “:” after the object type should stand"),
        (
            "[file:hashes.SHA-256 = 'x']", 13,
            "found “SHA-256” where a property; one with a hyphen stands in single quotes should stand"
        ),
        ("[file:size ~ 1]", 11, "found “~” where “=”, another comparison operator, or a path step should stand"),
        ("[file:size = ]", 13, "found “]” where a value should stand"),
        ("[file:size < true]", 13, "found “true” where a value that has an order should stand"),
        ("[a:b LIKE 5]", 10, "found “5” where a quoted text should stand"),
        ("[a:b = h'abc']", 7, "this is no hexadecimal, base64 or timestamp value"),
        ("[a:b = 'abc]", 7, "the quote that opens here is never closed"),
        ("[a:b = '\\d']", 8, "after a backslash only \\ or ' may follow; write \\\\ for a backslash"),
        ("[a:b IN (1 2)]", 11, "found “2” where “,” or “)” should stand"),
        ("[a:b = 1", 8, "the pattern ends where “]”, AND or OR should follow"),
        ("[a:b = 1]]", 9, "found “]” where the end, AND, OR, FOLLOWEDBY or a qualifier should stand"),
        ("[a:b = 1] WITHIN 5 HOURS", 19, "found “HOURS” where SECONDS, the only unit of WITHIN should stand"),
        ("[a:b = 1] REPEATS -1 TIMES", 18, "found “-1” where a positive whole number should stand"),
        ("[ä:b = 1]", 1, "found “ä” where an object path such as ipv4-addr:value should stand"),
        ("[a:b = 'ä'", 11, "the pattern ends where “]”, AND or OR should follow"),
    ])
    // covers: pattern:error, bad:pattern
    func `say what is wrong at which byte`(_ pattern: String, _ offset: Int, _ message: String) throws {
        let error = try #require(throws: PatternError.self) { try Pattern(parsing: pattern) }
        #expect(error.offset == offset)
        #expect(error.message == message)
        #expect(error.kind == .syntax)
        #expect(error.code == "stix.pattern_invalid")
        #expect(!error.isRetryable)
        #expect(error.description.contains("at byte \(offset): "))
    }

    @Test func `a message never repeats a whole hostile pattern`() throws {
        let long = String(repeating: "x", count: 100_000)
        let error = try #require(throws: PatternError.self) { try Pattern(parsing: long) }
        #expect(error.description.utf8.count < 250)
    }

    // covers: bad:pattern
    @Test func `nesting is bounded`() throws {
        func nested(_ depth: Int, _ inner: String) -> String {
            String(repeating: "(", count: depth) + inner + String(repeating: ")", count: depth)
        }
        _ = try Pattern(parsing: nested(128, "[a:b = 1]"))
        _ = try Pattern(parsing: "[" + nested(128, "a:b = 1") + "]")
        for pattern in [nested(129, "[a:b = 1]"), "[" + nested(129, "a:b = 1") + "]", nested(1_000_000, "")] {
            let error = try #require(throws: PatternError.self) { try Pattern(parsing: pattern) }
            #expect(error.kind == .tooDeep)
            #expect(error.code == "stix.pattern_too_large")
        }
    }

    @Test func `size is bounded`() throws {
        let pattern = "[a:b = 1]"
        _ = try Pattern(parsing: pattern, limits: PatternLimits(maxBytes: 9))
        let error = try #require(throws: PatternError.self) {
            try Pattern(parsing: pattern, limits: PatternLimits(maxBytes: 8))
        }
        #expect(error.kind == .tooLarge)
    }

    @Test func `a large pattern is read whole`() throws {
        let values = (0..<50_000).map { "'203.0.\($0 >> 8).\($0 & 255)'" }
        let list = try PatternParser.observables(in: "[ipv4-addr:value IN (\(values.joined(separator: ", ")))]")
        #expect(list.observables.count == 50_000)
        let chain = try PatternParser.observables(
            in: "[" + values.map { "ipv4-addr:value = \($0)" }.joined(separator: " OR ") + "]")
        #expect(chain.observables == list.observables)
    }
}
