// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@Suite("Base64") struct Base64Tests {
    /// RFC 4648, 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func `agrees with the RFC`(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
        #expect(Base64.decode(encoded.filter { $0 != "=" }) == Array(plain.utf8))
    }

    @Test func `reads both alphabets and gives every byte back`() {
        let bytes = (0...255).map { UInt8($0) }
        let text = Base64.encode(bytes)
        #expect(Base64.decode(text) == bytes)
        #expect(Base64.decode(text.replacing("+", with: "-").replacing("/", with: "_")) == bytes)
    }

    @Test(arguments: ["A", "Zg=", "Zg===", "Z g=", "Zm9v=", "=Zg", "Zg==Zg==", "é"])
    func `refuses what is none`(text: String) {
        #expect(Base64.decode(text) == nil)
    }
}
