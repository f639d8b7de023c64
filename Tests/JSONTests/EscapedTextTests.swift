// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Testing

@Suite("Escaped text") struct EscapedTextTests {
    private func escaped(_ text: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: EscapedText.room(for: text.count)) { buffer, count in
            count = text.withUnsafeBytes { EscapedText.write($0, into: UnsafeMutableRawBufferPointer(buffer)) }
        }
    }

    @Test func `writes quotes, backslashes and control characters as escapes and all else as it stands`() {
        let text = Array("a\"b\\c\u{1}\n\t\u{1F}é😀/\u{7F}".utf8)
        #expect(String(decoding: escaped(text), as: UTF8.self) == "a\\\"b\\\\c\\u0001\\u000a\\u0009\\u001fé😀/\u{7F}")
    }

    /// Lengths around the vector's, every position of a special byte, every byte.
    @Test func `reads back as the same bytes`() throws {
        var random = SeededRandom(seed: 7)
        for length in 0...70 {
            for round in 0..<20 {
                let text = (0..<length).map { _ -> UInt8 in
                    random.chance(0.15)
                        ? [0x22, 0x5C, 0x00, 0x1F, 0x20][round % 5] : UInt8.random(in: 0x20...0x7E, using: &random)
                }
                let json = try JSONValue(parsing: [UInt8(ascii: "\"")] + escaped(text) + [UInt8(ascii: "\"")])
                #expect(json.string.map { Array($0.utf8) } == text)
            }
        }
        for byte in UInt8(0)...0x7F {
            for place in 0..<17 {
                var text = [UInt8](repeating: UInt8(ascii: "x"), count: 17)
                text[place] = byte
                let json = try JSONValue(parsing: [UInt8(ascii: "\"")] + escaped(text) + [UInt8(ascii: "\"")])
                #expect(json.string.map { Array($0.utf8) } == text, "\(byte) at \(place)")
            }
        }
    }
}
