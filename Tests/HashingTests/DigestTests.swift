// SPDX-License-Identifier: Apache-2.0

import Base
import Hashing
import Testing

@Suite("Digests") struct DigestTests {
    @Test func `SHA-256 equals the NIST examples`() {
        #expect(
            Hex.encode(SHA256.digest("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            Hex.encode(SHA256.digest([UInt8]())) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func `SHA-1 equals the NIST examples`() {
        #expect(Hex.encode(SHA1.digest("abc")) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(Hex.encode(SHA1.digest("")) == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    }

    // RFC 4231, test cases 1, 2 and 6.
    @Test(arguments: [
        (
            String(repeating: "0b", count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            "4a656665", "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            String(repeating: "aa", count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func `HMAC-SHA256 equals RFC 4231`(_ key: String, _ message: String, _ expected: String) throws {
        let key = try #require(Hex.decode(key))
        let code = HMACSHA256.code(for: Array(message.utf8), key: key)
        #expect(Hex.encode(code) == expected)
        #expect(HMACSHA256.isValid(code, for: Array(message.utf8), key: key))
        #expect(!HMACSHA256.isValid(Array(code.dropLast()), for: Array(message.utf8), key: key))
        #expect(!HMACSHA256.isValid(code, for: Array((message + "!").utf8), key: key))
    }

    @Test func `UUIDv5 equals the RFC 9562 example`() throws {
        let dns = try #require(Digest128(uuid: "6ba7b810-9dad-11d1-80b4-00c04fd430c8"))
        #expect(
            UUIDv5.make(namespace: dns, name: "www.example.com").uuidDescription
                == "2ed6657d-e927-568b-95e1-2665a8aea6a2")
        #expect(
            UUIDv5.make(namespace: dns, name: Array("python.org".utf8)).uuidDescription
                == "886313e1-3b8a-5372-9b90-0c9aee199e5d")
    }
}
