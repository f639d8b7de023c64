// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Testing

/// What the hot reader makes of a text.
func parse(_ text: [UInt8], limits: JSONLimits = JSONLimits()) -> Result<JSONValue, JSONError> {
    do { return .success(try JSONParser(limits: limits).withDocument(text) { $0.value }) } catch let error as JSONError
    {
        return .failure(error)
    } catch {
        return .failure(JSONError(.invalid, offset: nil, reason: "wrong error type: \(error)"))
    }
}

/// What the value type makes of it.
func read(_ text: [UInt8], limits: JSONLimits = JSONLimits()) -> Result<JSONValue, JSONError> {
    do throws(JSONError) { return .success(try JSONValue(parsing: text, limits: limits)) } catch {
        return .failure(error)
    }
}

struct BadText: Sendable, CustomTestStringConvertible {
    let bytes: [UInt8]
    let offset: Int
    let reason: String

    init(_ text: String, _ offset: Int, _ reason: String) { self.init(Array(text.utf8), offset, reason) }

    init(_ bytes: [UInt8], _ offset: Int, _ reason: String) {
        self.bytes = bytes
        self.offset = offset
        self.reason = reason
    }

    var testDescription: String { String(decoding: bytes, as: UTF8.self) }
}

@Suite("JSON reading") struct ParsingTests {
    static let bad: [BadText] = [
        BadText("", 0, "the text is empty"),
        BadText(" \n", 2, "the text ends early"),
        BadText("tru", 3, "expected true"),
        BadText("truE", 3, "expected true"),
        BadText("True", 0, "expected a value"),
        BadText("nul", 3, "expected null"),
        BadText("falsey", 5, "unexpected text"),
        BadText("NaN", 0, "expected a value"),
        BadText("-Infinity", 1, "expected a digit"),
        BadText("'a'", 0, "expected a value"),
        BadText("01", 1, "may not start with 0"),
        BadText("-01", 2, "may not start with 0"),
        BadText("+1", 0, "expected a value"),
        BadText("-", 1, "expected a digit"),
        BadText(".5", 0, "expected a value"),
        BadText("1.", 2, "expected a digit"),
        BadText("1.e3", 2, "expected a digit"),
        BadText("1e", 2, "expected a digit"),
        BadText("1e+", 3, "expected a digit"),
        BadText("0x1F", 1, "unexpected text"),
        BadText("1 2", 2, "unexpected text"),
        BadText("{} {}", 3, "unexpected text"),
        BadText("[1,2}", 4, "expected a comma or ]"),
        BadText("[1 2]", 3, "expected a comma or ]"),
        BadText("[1,]", 3, "expected a value"),
        BadText("[,1]", 1, "expected a value"),
        BadText("[1", 2, "expected a comma or ]"),
        BadText("[", 1, "expected a value"),
        BadText("]", 0, "expected a value"),
        BadText("[1]]", 3, "unexpected text"),
        BadText("{", 1, "expected a member's name"),
        BadText(#"{"a" 1}"#, 5, "expected a colon"),
        BadText(#"{"a":}"#, 5, "expected a value"),
        BadText(#"{"a":1,}"#, 7, "expected a member's name"),
        BadText(#"{"a":1 "b":2}"#, 7, "expected a comma or }"),
        BadText("{a:1}", 1, "expected a member's name"),
        BadText("{1:1}", 1, "expected a member's name"),
        BadText(#"{"a":1]"#, 6, "expected a comma or }"),
        BadText(#""\q""#, 1, "unknown escape"),
        BadText(#""\'""#, 1, "unknown escape"),
        BadText(#""\u12G4""#, 5, "four hexadecimal digits"),
        BadText(#""\u12"#, 5, "four hexadecimal digits"),
        BadText(#""abc"#, 4, "starts at byte 0 is not closed"),
        BadText(#"["abcdefghijklm\""#, 17, "starts at byte 1 is not closed"),
        BadText("\"a\tb\"", 2, "control character"),
        BadText("\"a\nb\"", 2, "control character"),
        BadText("\"12345678\u{1}\"", 9, "control character"),
        BadText("/* c */ 1", 0, "expected a value"),
        BadText("1 // c", 2, "unexpected text"),
        BadText("[1]\u{0}", 3, "unexpected text"),
        BadText("\u{0}", 0, "expected a value"),
        BadText("\"a\u{0}b\"", 2, "control character"),
        BadText("\u{C}1", 0, "expected a value"),
        BadText("\u{A0}1", 0, "expected a value"),
        BadText([0xEF, 0xBB, 0xBF, 0x31], 0, "byte order mark"),
        BadText([0xFF, 0xFE, 0x31, 0x00], 0, "expected a value"),
        BadText([0x22, 0xFF, 0x22], 1, "not valid UTF-8"),
        BadText([0x22, 0x80, 0x22], 1, "not valid UTF-8"),
        BadText([0x22, 0xC0, 0xAF, 0x22], 1, "not valid UTF-8"),
        BadText([0x22, 0xC3, 0x22], 1, "not valid UTF-8"),
        BadText([0x22, 0xE0, 0x80, 0x80, 0x22], 1, "not valid UTF-8"),
        BadText([0x22, 0xED, 0xA0, 0x80, 0x22], 1, "not valid UTF-8"),
        BadText([0x22, 0xF0, 0x80, 0x80, 0x80, 0x22], 1, "not valid UTF-8"),
        BadText([0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], 1, "not valid UTF-8"),
        BadText([0x22, 0xF0, 0x9F, 0x98, 0x22], 1, "not valid UTF-8"),
        BadText([0x5B, 0x31, 0xC3, 0xA9, 0x5D], 2, "expected a comma or ]"),
    ]

    @Test(arguments: bad)
    func `refuses with the offset of the first wrong byte`(_ text: BadText) {
        for result in [read(text.bytes), parse(text.bytes)] {
            guard case .failure(let error) = result else {
                Issue.record("accepted as \(result)")
                continue
            }
            #expect(error.kind == .invalid)
            #expect(error.offset == text.offset)
            #expect(error.reason.contains(text.reason), "\(error.reason)")
            #expect(error.code == "json.invalid")
            #expect(!error.isRetryable)
            #expect(error.description.contains("byte \(text.offset)"))
        }
    }

    @Test(
        arguments: [
            "0", "-0", "1", "-1", "0.5", "1e5", "1E+5", "1.25e-3", "18446744073709551615", "-9223372036854775808",
            "true", "null",
            "false", "\"\"", "[]", "{}", " [ ] ", "\t{\r\n}", "[[],{},[{}]]", #"{"":""}"#, #""\"\\\/\b\f\n\r\t""#,
            #""\u0041\u00e9\u20ac\ud83d\ude00""#, #""é€😀""#, "\"\u{7F}\u{2028}\"", #""\u0000""#,
            #"{"a":{"b":[1,{"c":null}]}}"#,
        ])
    func `both readers agree on a valid text`(_ text: String) throws {
        let value = try JSONValue(parsing: text)
        let fast = try parse(Array(text.utf8)).get()
        switch value {
        case .number(let number): #expect(number.double == fast.double)
        default: #expect(value == fast)
        }
    }

    @Test func `decodes every escape`() throws {
        let value = try JSONValue(parsing: #"["\"\\\/\b\f\n\r\t","\u0041\u00E9\u20ac","\ud83d\ude00","a\u0000b"]"#)
        #expect(value == ["\"\\/\u{8}\u{C}\n\r\t", "Aé€", "😀", "a\u{0}b"])
    }

    @Test(arguments: [#""\ud83d""#, #""\ude00""#, #""\ud83dx""#, #""\ud83d\n""#, #""\ud83d\ud83d\ude00""#])
    func `reads a lone surrogate escape as the replacement character`(_ text: String) throws {
        let value = try JSONValue(parsing: text)
        #expect(value.string?.unicodeScalars.contains("\u{FFFD}") == true)
        #expect(try parse(Array(text.utf8)).get() == value)
        #expect(value.string?.contains("😀") == text.contains(#"\ud83d\ude00"#))
    }

    @Test func `one bad number or surrogate does not cost the event`() throws {
        let text =
            #"{"a":123456789012345678901234567890,"b":[-1e400,"\udc00",1.5,18446744073709551615,-7],"c":{"d":true}}"#
        try JSONParser().withDocument(Array(text.utf8)) { root in
            #expect(root["a"]?.kind == .number)
            #expect(root["a"]?.int == nil)
            #expect(root["a"]?.number?.text == "123456789012345678901234567890")
            #expect(root["a"]?.double == 1.2345678901234568e29)
            #expect(root["b"]?[0]?.double == -.infinity)
            #expect(root["b"]?[0]?.number?.text == "-1e400")
            #expect(root["b"]?[1]?.string == "\u{FFFD}")
            #expect(root["b"]?[2]?.double == 1.5)
            #expect(root["b"]?[3]?.uint == .max)
            #expect(root["b"]?[4]?.int == -7)
            #expect(root["b"]?[5] == nil)
            #expect(root["c"]?["d"]?.bool == true)
        }
    }

    @Test func `holds the depth limit exactly, an empty container at the bottom not counted`() throws {
        let limits = JSONLimits(maxDepth: 4)
        for (text, isAccepted) in [
            ("[[[[1]]]]", true), ("[[[[[1]]]]]", false), ("[[[[[]]]]]", true), (#"{"a":{"a":{"a":{"a":1}}}}"#, true),
            (#"{"a":{"a":{"a":{"a":{"a":1}}}}}"#, false), (#"{"a":{"a":{"a":{"a":{}}}}}"#, true),
        ] {
            for result in [read(Array(text.utf8), limits: limits), parse(Array(text.utf8), limits: limits)] {
                switch result {
                case .success: #expect(isAccepted, "\(text)")
                case .failure(let error):
                    #expect(!isAccepted, "\(text)")
                    #expect(error.kind == .tooDeep)
                    #expect(error.code == "json.too_deep")
                }
            }
        }
        let hostile = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        guard case .failure(let error) = parse(hostile, limits: JSONLimits(maxDepth: .max)) else {
            Issue.record("accepted")
            return
        }
        #expect(error == JSONError(.tooDeep, offset: 1024, reason: "the limit is 1024 levels"))
    }

    @Test func `refuses a text over the size limit before reading it`() {
        let limits = JSONLimits(maxBytes: 4)
        for result in [read(Array("[1,2]".utf8), limits: limits), parse(Array("xxxxx".utf8), limits: limits)] {
            guard case .failure(let error) = result else {
                Issue.record("accepted")
                continue
            }
            #expect(error.code == "json.too_large")
            #expect(error.description.contains("5 bytes"))
        }
        #expect((try? parse(Array("[12]".utf8), limits: limits).get()) == [12])
    }

    @Test func `keeps number texts, member order and repeated names`() throws {
        let text = #"{"z":1.0E+2,"a":-0.0,"n":0.10000000000000000555,"z":12345678901234567890123,"b":9007199254740993}"#
        let value = try JSONValue(parsing: text)
        #expect(value.text == text)
        #expect(value["z"]?.number?.text == "12345678901234567890123")
    }

    @Test func `reads any collection of bytes`() throws {
        let expected: JSONValue = ["a": [1, nil]]
        let bytes = Array(#"xx{"a":[1,null]}"#.utf8)
        #expect(try JSONValue(parsing: bytes[2...]) == expected)
        #expect(try JSONValue(parsing: bytes.dropFirst(2).lazy.map { $0 }) == expected)
        #expect(
            try bytes.withUnsafeBytes { try JSONValue(parsing: UnsafeRawBufferPointer(rebasing: $0[2...])) } == expected
        )
    }
}
