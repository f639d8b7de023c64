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

@Suite("Pieces") struct PieceTests {
    @Test func `SHA-256 does not depend on how the bytes come`() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for size in [1, 63, 64, 65, 1000] {
            var digest = RunningSHA256()
            for start in stride(from: 0, to: bytes.count, by: size) {
                bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { digest.update($0) }
            }
            #expect(digest.finish() == SHA256.digest(bytes))
        }
        #expect(RunningSHA256().finish() == SHA256.digest([UInt8]()))
    }

    // The word `alpha` as Info-ZIP's `zip -0 -P infected` wrote it; before it the cipher's own header, which ends with the high
    // byte of the time, 0x8672.
    @Test func `the cipher of zip archives decrypts what another program has encrypted, and encrypts it again`() {
        let encrypted: [UInt8] = [
            0x05, 0xCD, 0xDD, 0xA6, 0xFE, 0x43, 0x8E, 0x35, 0x81, 0x27, 0x1F, 0x96, 0xAD, 0xDB, 0x17, 0x95, 0x00,
        ]
        var bytes = encrypted
        var cipher = ZipCipher(password: "infected")
        bytes[..<5].withUnsafeMutableBytes { cipher.decrypt($0) }
        bytes[5...].withUnsafeMutableBytes { cipher.decrypt($0) }
        #expect(bytes[ZipCipher.headerBytes - 1] == 0x86)
        #expect(bytes[ZipCipher.headerBytes...] == Array("alpha".utf8)[...])
        var again = ZipCipher(password: "infected")
        bytes.withUnsafeMutableBytes { again.encrypt($0) }
        #expect(bytes == encrypted)
    }
}
