// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Settings

@Suite("YAML") struct YAMLTests {
    func read(_ text: String, limits: YAMLLimits = YAMLLimits()) -> YAMLReader.Document {
        YAMLReader.read(Array(text.utf8), file: "f", limits: limits)
    }

    /// The tree in one line.
    func shape(_ node: YAMLNode?) -> String {
        switch node?.content {
        case nil: "nothing"
        case .scalar(_, isNull: true): "null"
        case .scalar(let text, _): text
        case .sequence(let nodes): "[" + nodes.map(shape).joined(separator: ",") + "]"
        case .mapping(let members): "{" + members.map { "\($0.key):\(shape($0.value))" }.joined(separator: ",") + "}"
        }
    }

    @Test(arguments: [
        ("a: 1\nb: {c: [x, 'y z'], d: ~}\n", "{a:1,b:{c:[x,y z],d:null}}"), ("", "nothing"), ("# only\n", "nothing"),
        ("a: \"~\"\nb: |\n  two\n  lines\n", "{a:~,b:two\nlines\n}"), ("a: yes\nb: 010\nc:", "{a:yes,b:010,c:null}"),
        ("x: &d {p: 1, q: 2}\ny: {<<: *d, q: 3}\n", "{x:{p:1,q:2},y:{q:3,p:1}}"),
        ("x: &a {p: 1}\ny: &b {p: 2, r: 3}\nz: {<<: [*a, *b]}", "{x:{p:1},y:{p:2,r:3},z:{p:1,r:3}}"),
        ("a: !!str 1", "{a:1}"), ("---\na: 1\n...\n", "{a:1}"), ("\u{FEFF}a: 1", "{a:1}"),
    ])
    func `reads`(_ text: String, _ expected: String) {
        let document = read(text)
        #expect(shape(document.root) == expected)
        #expect(document.problems.isEmpty)
    }

    @Test func `every node has its place`() throws {
        let root = try #require(read("a: 1\nb:\n  - x\n  - {c: d}\n").root)
        #expect(root["b"]?.location.description == "f:3:3")
        guard case .sequence(let nodes) = root["b"]?.content else { return #expect(Bool(false)) }
        #expect(nodes[1]["c"]?.location.description == "f:4:9")
    }

    @Test func `references need no quotes inside braces, and columns stay`() throws {
        let root = try #require(read("a: { t: ${file:/run/x}, é: \"${env:Y}\", l: $${env:Z} }  # ${env:\n").root)
        #expect(shape(root) == "{a:{t:${file:/run/x},é:${env:Y},l:$${env:Z}}}")
        #expect(root["a"]?["l"]?.location.description == "f:1:43")
    }

    // covers: bad:settings
    @Test(arguments: [
        ("a: 1\na: 2\nb: 3\nb: 4\n", ["f:2:1", "f:4:1"], "a second time"),
        ("a:\n\tb: 1\n", ["f:2:1"], "tab"), ("a: b: c\n", ["f:1:5"], "no YAML"), ("a: [1, 2\n", ["f:2:1"], "no YAML"),
        ("a: 'x\n", ["f:2:1"], "no YAML"), ("? [1]\n: 2\n", ["f:1:3"], "plain text"),
        ("a: *x\n", ["f:1:4"], "no anchor"),
        ("a: &a [*a]\n", ["f:1:8"], "no anchor"), ("a: !!python/object:os.system x\n", ["f:1:4"], "another program"),
        ("a: !vault x\n", ["f:1:4"], "another program"), ("a: 1\n---\nb: 2\n", ["f:2:1"], "second document"),
        ("a: {<<: 1}\n", ["f:1:9"], "merges sections"), ("a: \u{1}\n", ["f:1:1"], "no YAML"),
        ("a: @x\n", ["f:1:4"], "no YAML"),
    ])
    func `refuses`(_ text: String, _ places: [String], _ words: String) {
        let problems = read(text).problems
        #expect(problems.map { $0.location?.description } == places)
        #expect(problems.allSatisfy { $0.description.contains(words) && !$0.remedy.isEmpty }, "\(problems)")
    }

    @Test func `refuses bytes that are no text`() {
        let document = YAMLReader.read([0x61, 0x3A, 0x20, 0xFF, 0xFE], file: "f")
        #expect(document.root == nil && document.problems.first?.remedy == "Save the file as UTF-8.")
    }

    @Test func `depth, size and aliases are bounded`() {
        #expect(read(String(repeating: "[", count: 100_000)).problems.first?.what.contains("deeper") == true)
        var limits = YAMLLimits()
        limits.maxBytes = 10
        #expect(read("a: 123456789", limits: limits).problems.first?.what.contains("the limit is 10") == true)
        var bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        for level in 1...9 {
            bomb += "a\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ","))]\n"
        }
        let document = read(bomb)
        #expect(document.root == nil && document.problems.first?.what.contains("aliases counted") == true)
    }
}
