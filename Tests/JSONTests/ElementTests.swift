// SPDX-License-Identifier: Apache-2.0

import JSON
import Testing
import Vectors

@Suite("JSON elements") struct ElementTests {
    static let text = Array(
        #"""
        {"type":"indicator","n":-5,"u":18446744073709551615,"d":2.5,"whole":3.0,"yes":true,"no":false,"nil":null,"list":[1,[2],{"k":3}],
        "deep":{"type":"inner","":"empty"},"é":"ü","dup":1,"dup":2}
        """#.utf8)

    @Test func `gives typed access`() throws {
        try JSONParser().withDocument(Self.text) { root in
            #expect(root.kind == .object)
            #expect(root["type"]?.string == "indicator")
            #expect(root["type"]?.equals("indicator") == true)
            #expect(root["type"]?.equals("indicato") == false)
            #expect(root["type"]?.int == nil)
            #expect(root["type"]?.double == nil)
            #expect(root["n"]?.int == -5)
            #expect(root["n"]?.uint == nil)
            #expect(root["n"]?.double == -5)
            #expect(root["u"]?.int == nil)
            #expect(root["u"]?.uint == .max)
            #expect(root["d"]?.int == nil)
            #expect(root["d"]?.double == 2.5)
            #expect(root["whole"]?.int == 3)
            #expect(root["yes"]?.bool == true)
            #expect(root["no"]?.bool == false)
            #expect(root["nil"]?.isNull == true)
            #expect(root["nil"]?.kind == .null)
            #expect(root["missing"] == nil)
            #expect(root["yp"] == nil)
            #expect(root["deep"]?["type"]?.string == "inner")
            #expect(root["deep"]?[""]?.string == "empty")
            #expect(root[key: "é"]?.string == "ü")
            #expect(root["type"]?["type"] == nil)
            #expect(root["type"]?.withUTF8 { Array($0) } == Array("indicator".utf8))
            #expect(root["n"]?.withUTF8 { $0.count } == nil)
        }
    }

    @Test func `the last member of a repeated name counts, as in the value type`() throws {
        let value = try JSONValue(parsing: Self.text)
        try JSONParser().withDocument(Self.text) { root in
            #expect(root["dup"]?.int == 2)
            #expect(value["dup"]?.int == 2)
            #expect(rawMember(["dup"], of: Self.text).map { Array(Self.text[$0]) } == Array("2".utf8))
        }
    }

    @Test func `walks elements and members in order`() throws {
        try JSONParser().withDocument(Self.text) { root in
            var kinds: [JSONElement.Kind] = []
            root["list"]?.forEachElement { kinds.append($0.kind) }
            #expect(kinds == [.number, .array, .object])
            #expect(root["list"]?[2]?["k"]?.int == 3)
            #expect(root["list"]?[3] == nil)
            #expect(root["list"]?[-1] == nil)
            var names: [String] = []
            root.forEachMember { name, _ in names.append(String(decoding: name, as: UTF8.self)) }
            #expect(names == ["type", "n", "u", "d", "whole", "yes", "no", "nil", "list", "deep", "é", "dup", "dup"])
            var count = 0
            root["type"]?.forEachElement { _ in count += 1 }
            root["list"]?.forEachMember { _, _ in count += 1 }
            #expect(count == 0)
        }
    }

    @Test func `copies a value that outlives the document`() throws {
        let copy = try JSONParser().withDocument(Self.text) { $0.value }
        #expect(copy["list"] == [1, [2], ["k": 3]])
        #expect(copy["u"]?.number?.text == "18446744073709551615")
        #expect(copy.object?.keys == (try JSONValue(parsing: Self.text)).object?.keys)
    }

    @Test func `parses in place, whatever follows the text`() throws {
        let parser = JSONParser()
        for filler in [UInt8(ascii: "0"), UInt8(ascii: "\""), UInt8(ascii: "]"), 0xFF] {
            for text in ["12", "[1,2]", "true", "\"ab\"", "-1.5"] {
                let padded = Array(text.utf8) + [UInt8](repeating: filler, count: JSONParser.padding)
                let value = try padded.withUnsafeBytes {
                    try parser.withDocument(
                        UnsafeRawBufferPointer(rebasing: $0[..<text.utf8.count]), padding: JSONParser.padding, \.value)
                }
                #expect(value.text == text)
            }
        }
    }

    @Test func `a parser serves many texts, also after a bad or a big one`() throws {
        let parser = JSONParser()
        let big = Array("[\(String(repeating: "123,", count: 400_000))0]".utf8)
        #expect(try parser.withDocument(big) { $0[400_000]?.int } == 0)
        #expect(throws: JSONError.self) { try parser.withDocument(Array("[1,".utf8)) { _ in } }
        for index in 0..<3 { #expect(try parser.withDocument(Array("[\(index)]".utf8)) { $0[0]?.int } == Int64(index)) }
    }

    @Test func `a text read within another leaves the outer one alone`() throws {
        let parser = JSONParser()
        try parser.withDocument(Array(#"{"inner":"[1]","after":2}"#.utf8)) { outer in
            let inner = outer["inner"]?.string ?? ""
            let first = try parser.withDocument(Array(inner.utf8)) { $0[0]?.int }
            #expect(first == 1)
            #expect(outer["after"]?.int == 2)
        }
    }

    @Test func `lets the closure's own error through`() {
        struct Own: Error {}
        #expect(throws: Own.self) { try JSONParser().withDocument(Self.text) { _ in throw Own() } }
    }
}

@Suite("Raw members") struct RawMemberTests {
    /// Lines whose spacing, escapes, numbers, order and repeated names only a byte-for-byte pass-through keeps.
    static func oddLines() throws -> [[UInt8]] {
        try Vectors.data("falcon-events-odd.ndjson").split(separator: UInt8(ascii: "\n")).map(Array.init)
    }

    @Test func `passes odd events on byte for byte`() throws {
        let lines = try Self.oddLines()
        #expect(lines.count == 8)
        let parser = JSONParser()
        var joined: [String] = []
        for line in lines {
            let offset = try parser.withDocument(line) { $0["metadata"]?["offset"]?.int }
            let raw = try #require(rawMember(["metadata", "offset"], of: line))
            #expect(String(decoding: line[raw], as: UTF8.self) == offset.map(String.init))
            let event = try #require(rawMember(["event"], of: line))
            joined.append(String(decoding: line[event], as: UTF8.self))
            var writer = JSONWriter()
            writer.raw(Array(line[event]))
            #expect(writer.bytes == Array(line[event]))
            #expect(rawMember([], of: line).map { Array(line[$0]) } == line)
        }
        // Taken by eye from the file.
        #expect(joined[0] == #"{"ComputerName": "HOST-1" , "Note": "spaces kept"}"#)
        #expect(joined[1] == #"{"Path":"C:\\Temp\u00e9\/a","Emoji":"\ud83d\ude00","Raw":"é😀","Tab":"a\tb"}"#)
        #expect(
            joined[2] == #"{"Big":123456789012345678901234567890,"Max":18446744073709551615,"Exp":1.0E+2,"Neg0":-0.0,"#
                + #""Long":0.10000000000000000555}"#)
        #expect(joined[3] == #"{"Dup":1,"Dup":2,"":"empty key","a.b":"dotted"}"#)
        #expect(joined[5] == #"{"metadata":{"offset":1,"eventType":"Inner"},"Text":"\"offset\":7"}"#)
    }

    @Test func `finds names in any spelling and only at their own level`() throws {
        let text = Array(#" { "x" : {"a":1} , "\u0061" : [ "}" , "\"" ] , "b\\":"q" , "n" : -1.5e3 } "#.utf8)
        func raw(_ path: [StaticString]) -> String? {
            rawMember(path, of: text).map { String(decoding: text[$0], as: UTF8.self) }
        }
        #expect(raw(["a"]) == #"[ "}" , "\"" ]"#)
        #expect(raw(["x", "a"]) == "1")
        #expect(raw(["n"]) == "-1.5e3")
        #expect(raw(["b\\"]) == #""q""#)
        #expect(raw(["n", "a"]) == nil)
        #expect(raw(["c"]) == nil)
        #expect(raw([])?.count == text.count - 2)
    }

    @Test func `survives text that was never validated`() throws {
        let text = Array(#"{"a\u00":{"b":"c\"#.utf8)
        for end in 0...text.count { _ = rawMember(["a", "b"], of: Array(text[..<end])) }
        #expect(rawMember(["a"], of: []) == nil)
        #expect(rawMember(["a"], of: Array("[[[".utf8)) == nil)
    }
}
