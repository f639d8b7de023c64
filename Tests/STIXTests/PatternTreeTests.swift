// SPDX-License-Identifier: Apache-2.0

import STIX
import Testing

@Suite("STIX patterns, tree") struct PatternTreeTests {
    private func comparison(_ text: String) throws -> Comparison {
        guard case .observation(.comparison(let comparison), _) = try Pattern(parsing: text).root else {
            throw PatternVectorMismatch()
        }
        return comparison
    }
    private struct PatternVectorMismatch: Error {}

    @Test func `keeps operator, negation, path and literal`() throws {
        let found = try comparison("[ x-a:b.'c d'[*][-1].e NOT LIKE 'it\\'s \\\\ %' ]")
        #expect(found.path.objectType == "x-a")
        #expect(found.path.steps == [.key("b"), .key("c d"), .anyIndex, .index("-1"), .key("e")])
        #expect(found.path.description == "x-a:b.'c d'[*][-1].e")
        #expect(found.operator == .like)
        #expect(found.isNegated)
        #expect(found.literals == [.string("it's \\ %")])
        #expect(found.offset == 2)
    }

    @Test func `reads every kind of literal`() throws {
        let found = try comparison(
            "[a:b IN ('x', 1, -2, +.5, true, false, h'00fF', b'YQ==', t'2024-02-29T23:59:60.5Z')]")
        #expect(
            found.literals == [
                .string("x"), .integer("1"), .integer("-2"), .float("+.5"), .boolean(true), .boolean(false),
                .hex("00fF"), .binary("YQ=="), .timestamp("2024-02-29T23:59:60.5Z"),
            ])
    }

    @Test(arguments: [
        ("=", ComparisonOperator.equal), ("==", .equal), ("!=", .notEqual), ("<>", .notEqual), ("<", .less),
        ("<=", .lessOrEqual), (">", .greater), (">=", .greaterOrEqual), ("LIKE", .like), ("MATCHES", .matches),
        ("ISSUBSET", .isSubset), ("ISSUPERSET", .isSuperset),
    ])
    func `knows every operator`(_ text: String, _ expected: ComparisonOperator) throws {
        let plain = try comparison("[a:b \(text) 'x']")
        #expect(plain.operator == expected && !plain.isNegated)
        let negated = try comparison("[a:b NOT \(text) 'x']")
        #expect(negated.operator == expected && negated.isNegated)
    }

    @Test func `EXISTS has a path and no literal`() throws {
        let found = try comparison("[NOT EXISTS a:b.c]")
        #expect(found.operator == .exists && found.isNegated && found.literals.isEmpty)
        #expect(found.path.description == "a:b.c")
    }

    @Test func `AND binds closer than OR, and OR than FOLLOWEDBY`() throws {
        func leaf(_ name: String, _ offset: Int) throws -> ObservationExpression {
            .observation(.comparison(try comparison(name, at: offset + 1)), offset: offset)
        }
        let text = "[a:a=1] FOLLOWEDBY [b:b=1] OR [c:c=1] AND [d:d=1]"
        let expected: ObservationExpression = .followedBy([
            try leaf("a", 0), .or([try leaf("b", 19), .and([try leaf("c", 30), try leaf("d", 42)])]),
        ])
        #expect(try Pattern(parsing: text).root == expected)

        guard case .observation(.or(let parts), _) = try Pattern(parsing: "[a:a=1 OR b:b=1 AND (c:c=1 OR d:d=1)]").root,
            case .comparison = parts[0], case .and(let inner) = parts[1], case .or = inner[1]
        else {
            Issue.record("comparisons are joined otherwise")
            return
        }
    }

    private func comparison(_ name: String, at offset: Int) throws -> Comparison {
        let padding = String(repeating: " ", count: offset - 1)
        return try comparison("[\(padding)\(name):\(name)=1]")
    }

    @Test func `qualifiers stay with what they follow`() throws {
        let root = try Pattern(parsing: "([a:b=1] WITHIN 5 SECONDS REPEATS 3 TIMES) WITHIN 1.5 SECONDS").root
        guard case .qualified(.group(.qualified(.observation, let inner)), let outer) = root else {
            Issue.record("qualifiers are attached otherwise")
            return
        }
        #expect(inner.map(\.kind) == [.within(seconds: "5"), .repeats(times: "3")])
        #expect(inner.map(\.offset) == [9, 26])
        #expect(outer.map(\.kind) == [.within(seconds: "1.5")])
    }

    @Test(arguments: [
        ("[file:hashes.MD5 = 'f00']", PatternIssue.Rule.malformedHash, 1, true),
        ("[a:b = 1 OR x509-certificate:hashes.'SHA-1' != 'z']", .malformedHash, 12, true),
        ("[a:b = 1] REPEATS 2 TIMES REPEATS 2 TIMES", .duplicateQualifier, 26, true),
        ("[a:b = 1] START t'2020-01-02T00:00:00Z' STOP t'2020-01-02T00:00:00Z'", .emptyInterval, 10, false),
        ("[a:b = 1] START t'2020-02-30T00:00:00Z' STOP t'2020-03-02T00:00:00Z'", .impossibleDate, 10, false),
        ("[a:b = 1 OR a:b > t'2023-02-29T00:00:00Z']", .impossibleDate, 12, false),
        ("[a:b = 1] REPEATS 0 TIMES", .zeroQualifier, 10, false),
        ("[a:b = 1] WITHIN 0.0 SECONDS", .zeroQualifier, 10, false),
        ("[a:b = 1 AND c:d = 1]", .mixedTypes, 13, false),
        ("[(a:b = 1 OR c:d = 1) AND e:f = 1]", .mixedTypes, 26, false),
    ])
    func `what the grammar lets through is named`(
        _ text: String, _ rule: PatternIssue.Rule, _ offset: Int, _ isRefused: Bool
    ) throws {
        let pattern = try Pattern(parsing: text)
        #expect(pattern.issues.map(\.rule) == [rule])
        #expect(pattern.issues.first?.offset == offset)
        #expect(pattern.isValid == !isRefused)
    }

    @Test(arguments: [
        "[a:b = 1 AND a:c = 2]", "[(a:b = 1 OR c:d = 1) AND c:f = 1]", "[a:b = 1 OR c:d = 2]",
        "([a:b = 1] REPEATS 2 TIMES) REPEATS 2 TIMES", "([a:b = 1]) WITHIN 5 SECONDS WITHIN 6 SECONDS",
        "[file:hashes.FOO = 'f00']", "[file:hashes.MD5 LIKE 'f00%']", "[file:hashes[*] = 'f00']",
    ])
    func `what may stand raises no issue`(_ text: String) throws {
        #expect(try Pattern(parsing: text).issues == [])
    }
}
