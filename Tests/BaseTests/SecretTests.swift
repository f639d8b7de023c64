// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@Suite("Secrets, digests and hexadecimal") struct SecretTests {
    @Test func `a secret does not print`() {
        let secret = Secret("hunter2")
        struct Holder { let token: Secret }
        var dumped = ""
        dump(Holder(token: secret), to: &dumped)
        #expect(!"\(secret) \(String(reflecting: Holder(token: secret))) \(dumped)".contains("hunter2"))
        #expect(secret.reveal() == "hunter2")
    }

    @Test func `a digest keeps byte order and the UUID form`() throws {
        let text = "0f7c8a3e-3a5d-4c39-9f7d-2f4a0e6a2b10"
        let digest = try #require(Digest128(uuid: text))
        #expect(digest.uuidDescription == text)
        #expect(digest.description == text.filter { $0 != "-" })
        #expect(Digest128(uuid: text.uppercased()) == digest)
        #expect(Digest128(uuid: text.dropLast()) == nil && Digest128(uuid: text + "0") == nil)
        #expect(Digest128(high: 1, low: .max) < Digest128(high: 2, low: 0))
        #expect(digest.withUnsafeBytes { Digest128(bytes: $0) } == digest)
    }

    @Test func `hexadecimal round trip`() {
        #expect(Hex.decode("00ffA5") == [0, 255, 165])
        #expect(Hex.decode("0") == nil && Hex.decode("0g") == nil)
        #expect(Hex.encode([0, 255, 165]) == "00ffa5")
    }
}
