// SPDX-License-Identifier: Apache-2.0

import JSON
import Testing

@Suite("JSON values") struct ValueTests {
    @Test func `literals build every shape`() {
        let value: JSONValue = ["a": nil, "b": true, "c": 1, "d": 1.5, "e": "x\(1)", "f": [1, []], "g": [:]]
        #expect(value.text == #"{"a":null,"b":true,"c":1,"d":1.5,"e":"x1","f":[1,[]],"g":{}}"#)
        #expect(value["a"]?.isNull == true)
        #expect(value["b"]?.bool == true)
        #expect(value["c"]?.int == 1)
        #expect(value["d"]?.double == 1.5)
        #expect(value["e"]?.string == "x1")
        #expect(value["f"]?[0]?.int == 1)
        #expect(value["f"]?[2] == nil)
        #expect(value["f"]?[-1] == nil)
        #expect(value["f"]?["a"] == nil)
        #expect(value["g"]?.object?.isEmpty == true)
        #expect(value["c"]?.string == nil)
    }

    @Test func `compares objects without regard to order, the last of a name counting`() {
        let first: JSONValue = ["a": 1, "b": [true], "c": "x"]
        let second: JSONValue = ["c": "x", "a": 2, "b": [true], "a": 1]
        #expect(first == second)
        #expect(first.hashValue == second.hashValue)
        #expect(first != ["a": 1, "b": [true]])
        #expect(first != ["a": 1, "b": [true], "c": "y"])
        #expect(JSONValue.array([1, 2]) != [2, 1])
        #expect(JSONValue.null != false)
    }

    @Test func `compares names and strings byte for byte`() {
        let composed = "\u{E9}"
        let decomposed = "e\u{301}"
        #expect(composed == decomposed)  // Swift's own equality, which must not reach JSON
        #expect(JSONValue.string(composed) != .string(decomposed))
        var object: JSONObject = [:]
        object[composed] = 1
        object[decomposed] = 2
        #expect(object.count == 2)
        #expect(object[composed] == 1)
        #expect(object[decomposed] == 2)
    }

    @Test func `an object keeps order while members change`() {
        var object: JSONObject = ["b": 1, "a": 2, "b": 3]
        #expect(object["b"] == 3)
        object["b"] = 4
        #expect(object.map(\.value) == [1, 2, 4])
        object["c"] = 5
        object["b"] = nil
        #expect(object.keys == ["a", "c"])
        object.append("a", 6)
        #expect(object["a"] == 6)
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("5", 5), ("-5", -5), ("5.0", 5), ("1e3", 1000), ("1.0E+2", 100), ("5.5", nil),
            ("9223372036854775807", .max), ("-9223372036854775808", .min), ("9223372036854775808", nil),
            ("9007199254740993", 9_007_199_254_740_993), ("9007199254740993.0", 9_007_199_254_740_992), ("1e300", nil),
            ("18014398509481985.0", nil), ("123456789012345678901234567890", nil),
        ] as [(String, Int64?)])
    func `a number keeps its text and gives an integer only when it is one`(_ text: String, _ integer: Int64?) throws {
        let number = try #require(JSONNumber(text: text))
        #expect(number.text == text)
        #expect(number.int64 == integer)
        #expect(number.double == Double(text))
        #expect(try JSONValue(parsing: text) == .number(number))
    }

    @Test func `numbers made from values equal those read`() throws {
        #expect(try JSONValue(parsing: "42") == 42)
        #expect(try JSONValue(parsing: "18446744073709551615") == .int(UInt64.max))
        #expect(try JSONValue(parsing: "1.5") == 1.5)
        #expect(JSONNumber(UInt64.max).uint64 == .max)
        #expect(JSONNumber(-1).uint64 == nil)
        #expect(JSONNumber(Double.nan) == nil)
        for text in ["", " 1", "1 ", "01", "1.", "abc", "\"1\"", "0x1", "+1", "inf"] {
            #expect(JSONNumber(text: text) == nil)
        }
    }
}

@Suite("Canonical JSON") struct CanonicalTests {
    /// RFC 8785, appendix B: the bits of a double and its text.
    static let numbers: [(UInt64, String)] = [
        (0x0000_0000_0000_0000, "0"), (0x8000_0000_0000_0000, "0"), (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"), (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"), (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"), (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"), (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"), (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"), (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"), (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"), (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"), (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"), (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ]

    @Test(arguments: numbers)
    func `writes numbers as ECMAScript does`(_ bits: UInt64, _ text: String) {
        #expect(canonical(.double(Double(bitPattern: bits))) == text)
    }

    @Test func `gives the RFC's example`() throws {
        // RFC 8785, 3.2.2 and 3.2.4.
        let source = #"""
            {
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """#
        let expected =
            #"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#
            + #""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        #expect(canonical(try JSONValue(parsing: source)) == expected)
    }

    @Test func `sorts names by UTF-16 units`() throws {
        // RFC 8785, 3.2.3: the emoji (a surrogate pair) sorts before U+FB33, unlike in UTF-8.
        let source = #"""
            {"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",
             "\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}
            """#
        let text = canonical(try JSONValue(parsing: source))
        let again = try JSONValue(parsing: text)
        #expect(again.object?.keys == ["\r", "1", "\u{80}", "\u{F6}", "\u{20AC}", "\u{1F600}", "\u{FB33}"])
        #expect(canonical(again) == text)
    }

    @Test func `is the same for every spelling of a value`() throws {
        let spellings = [#"{"a":[1.0,{"c":1,"b":2}],"d":"é"}"#, #" {"d":"\u00e9", "a":[1e0, {"b":2,"c":0,"c":1.00}]}"#]
        #expect(
            try spellings.map { canonical(try JSONValue(parsing: $0)) }
                == Array(repeating: #"{"a":[1,{"b":2,"c":1}],"d":"é"}"#, count: 2))
        #expect(canonical(try JSONValue(parsing: "1e400")) == "1e400")
        #expect(canonical(try JSONValue(parsing: "9007199254740993")) == "9007199254740992")
    }

    private func canonical(_ value: JSONValue) -> String {
        String(decoding: JSONCanonical.bytes(of: value), as: UTF8.self)
    }
}
