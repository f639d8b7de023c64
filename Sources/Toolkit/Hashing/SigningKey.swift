// SPDX-License-Identifier: Apache-2.0

import CCrypto

/// A fresh Ed25519 key pair (RFC 8032), for whoever has to sign tokens: a simulated platform.
public final class SigningKey: @unchecked Sendable {
    // Safe because: an EVP_PKEY is not changed after it was made, and each signature has a context of its own.
    private let key: OpaquePointer

    public init() {
        guard let key = sp_ed25519_pair() else { preconditionFailure("libcrypto makes no Ed25519 key") }
        self.key = key
    }

    deinit { EVP_PKEY_free(key) }

    /// The 32 bytes of the public half.
    public var publicBytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { output, count in
            count = 32
            let isThere = EVP_PKEY_get_raw_public_key(key, output.baseAddress, &count)
            precondition(isThere == 1, "libcrypto does not show the public half of its own key")
        }
    }

    /// 64 bytes.
    public func signature(over text: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 64) { output, count in
            let isSigned = sp_ed25519_sign(key, text, text.count, output.baseAddress)
            precondition(isSigned == 1, "libcrypto failed to sign \(text.count) bytes")
            count = 64
        }
    }
}
