// SPDX-License-Identifier: Apache-2.0

import Base
import Foundation
import JSON
import Testing

@Suite("JSON writing") struct WriterTests {
    @Test func `places commas by itself`() {
        var writer = JSONWriter(reserving: 64)
        writer.beginObject()
        writer.key("a")
        writer.beginArray()
        writer.int(1)
        writer.beginObject()
        writer.endObject()
        writer.beginArray()
        writer.endArray()
        writer.null()
        writer.endArray()
        writer.key("b" as String)
        writer.bool(true)
        writer.key("c")
        writer.double(1.5)
        writer.key("d")
        writer.raw(Array("[ 1 ]".utf8))
        writer.key("e")
        writer.value(["x": nil])
        writer.endObject()
        #expect(text(writer) == #"{"a":[1,{},[],null],"b":true,"c":1.5,"d":[ 1 ],"e":{"x":null}}"#)
    }

    @Test func `writes lines, starts over, and goes on after other text`() {
        var writer = JSONWriter()
        writer.beginArray()
        writer.endArray()
        writer.endLine()
        writer.int(2)
        writer.endLine()
        #expect(text(writer) == "[]\n2\n")
        writer.reset()
        writer.int(Int64.min)
        #expect(text(writer) == "-9223372036854775808")
        var appended = JSONWriter(appendingTo: Array("data: ".utf8))
        appended.string("x")
        #expect(text(appended) == #"data: "x""#)
        var bytes = Array("data: ".utf8)
        JSONValue.string("y").write(into: &bytes)
        #expect(bytes == Array(#"data: "y""#.utf8))
    }

    @Test func `writes numbers so that they read back`() throws {
        for value in [0, 1, -1, 9, 10, 99, 100, .max, .min] as [Int64] {
            var writer = JSONWriter()
            writer.int(value)
            #expect(text(writer) == String(value))
        }
        var writer = JSONWriter()
        writer.int(UInt64.max)
        writer.double(.infinity)
        writer.double(.nan)
        writer.double(1e300)
        #expect(text(writer) == "18446744073709551615,null,null,1e+300")
        #expect(JSONValue.double(-.infinity) == .null)
    }

    @Test func `escapes exactly what must be escaped`() {
        var writer = JSONWriter()
        writer.string("\u{0}\u{1}\u{8}\u{9}\u{A}\u{B}\u{C}\u{D}\u{1F} \"\\/\u{7F}é\u{2028}😀")
        #expect(
            text(writer) == #""\u0000\u0001\b\t\n\u000b\f\r\u001f \"\\/"# + "\u{7F}é\u{2028}😀\"")
    }

    @Test func `escapes a special byte at every place of a word and a piece`() throws {
        for special in ["\"", "\\", "\n", "\u{1}", "\u{1F}", "é", "😀", " "] {
            for length in [0, 1, 7, 8, 9, 15, 16, 158, 159, 160, 161, 319, 320, 321, 1000] {
                for place in Set([0, 1, 6, 7, 8, 9, length / 2, max(length - 1, 0), length]) where place <= length {
                    let string =
                        String(repeating: "a", count: place) + special + String(repeating: "z", count: length - place)
                    let bytes = JSONValue.string(string).bytes
                    #expect(try JSONValue(parsing: bytes) == .string(string))
                    let key = JSONValue.object([string: 1])
                    #expect(try JSONValue(parsing: key.bytes) == key)
                }
            }
        }
    }

    @Test func `agrees with Foundation on random strings`() throws {
        var random = SeededRandom(seed: 7)
        let alphabet: [Unicode.Scalar] = [
            "a", "\"", "\\", "\n", "\u{0}", "\u{1F}", " ", "é", "€", "😀", "\u{7F}", "b", "c", "d",
        ]
        for _ in 0..<2_000 {
            let count = Int.random(in: 0...400, using: &random)
            var string = String.UnicodeScalarView()
            for _ in 0..<count { string.append(alphabet.randomElement(using: &random) ?? "a") }
            let bytes = JSONValue.string(String(string)).bytes
            let back = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            #expect((back as? String).map { Array($0.utf8) } == Array(String(string).utf8))
            #expect(
                try JSONParser().withDocument(bytes) { $0.string }.map { Array($0.utf8) } == Array(String(string).utf8))
        }
    }

    private func text(_ writer: JSONWriter) -> String { String(decoding: writer.bytes, as: UTF8.self) }
}
