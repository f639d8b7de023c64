// SPDX-License-Identifier: Apache-2.0

import Base
import Hashing
import Testing

@Suite("Key hasher") struct KeyHasherTests {
    @Test func `is the first half of SHA-256 over length-prefixed parts`() throws {
        let message: [UInt8] = [2, 0, 0, 0] + Array("ab".utf8) + [1, 0, 0, 0] + Array("c".utf8)
        let expected = SHA256.digest(message).withUnsafeBytes { Digest128(bytes: $0) }
        #expect(KeyHasher().digest("ab", "c") == expected)
    }

    @Test func `parts do not run into each other`() {
        let hasher = KeyHasher()
        let digests = [
            hasher.digest("ab", "c"), hasher.digest("a", "bc"), hasher.digest("abc"), hasher.digest("abc", ""),
            hasher.digest("", "abc"), hasher.digest(),
        ]
        #expect(Set(digests).count == digests.count)
    }

    @Test func `the form of a part does not matter, only its bytes`() {
        let hasher = KeyHasher()
        let text = "a longer value that is no small string: evil.example"
        let expected = hasher.digest("t", text)
        #expect(hasher.digest(Array("t".utf8), Array(text.utf8)) == expected)
        #expect(hasher.digest("t"[...], text[...]) == expected)
        #expect(Array(text.utf8).withUnsafeBufferPointer { hasher.digest("t", $0) } == expected)
        #expect(Array(text.utf8).withUnsafeBytes { hasher.digest("t", $0) } == expected)
        let digest = Digest128(high: 1, low: 2)
        #expect(hasher.digest(digest) == hasher.digest([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2] as [UInt8]))
    }

    @Test func `a reused hasher gives what a fresh one gives`() {
        let hasher = KeyHasher()
        for length in [0, 1, 63, 64, 65, 1000, 100_000, 3] {
            let part = String(repeating: "x", count: length)
            #expect(hasher.digest("key", part) == KeyHasher().digest("key", part))
        }
    }
}
