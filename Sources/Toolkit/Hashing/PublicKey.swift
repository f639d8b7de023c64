// SPDX-License-Identifier: Apache-2.0

import CCrypto

/// A public key that checks signatures of JSON Web Tokens (RFC 7518, 3). Symmetric and unsigned ones don't exist here, so
/// that a token can't choose them.
public final class PublicKey: @unchecked Sendable {
    // Safe because: an EVP_PKEY is not changed after it was made, and its reference count is atomic.
    private let key: OpaquePointer

    /// The algorithms of RFC 7518 and 8037 that need no shared secret.
    public enum Algorithm: String, Sendable, Hashable, CaseIterable {
        case rs256 = "RS256"
        case rs384 = "RS384"
        case rs512 = "RS512"
        case ps256 = "PS256"
        case ps384 = "PS384"
        case ps512 = "PS512"
        case es256 = "ES256"
        case es384 = "ES384"
        case es512 = "ES512"
        case edDSA = "EdDSA"

        var digest: String? {
            switch self {
            case .rs256, .ps256, .es256: "SHA256"
            case .rs384, .ps384, .es384: "SHA384"
            case .rs512, .ps512, .es512: "SHA512"
            case .edDSA: nil
            }
        }
        var isPSS: Bool { [.ps256, .ps384, .ps512].contains(self) }
        /// Bytes of r and s together.
        var halves: Int? {
            switch self {
            case .es256: 64
            case .es384: 96
            case .es512: 132
            default: nil
            }
        }
        var family: Family {
            switch self {
            case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512: .rsa
            case .es256, .es384, .es512: .ec
            case .edDSA: .ed25519
            }
        }
    }

    enum Family { case rsa, ec, ed25519 }
    private let family: Family

    /// Big-endian modulus and exponent.
    public init?(rsaModulus n: [UInt8], exponent e: [UInt8]) {
        guard n.count >= 256, let key = sp_rsa_key(n, n.count, e, e.count) else { return nil }
        self.key = key
        family = .rsa
    }

    /// A point on `P-256`, `P-384` or `P-521`.
    public init?(curve: String, x: [UInt8], y: [UInt8]) {
        let point = [4] + x + y
        guard ["P-256", "P-384", "P-521"].contains(curve), let key = sp_ec_key(curve, point, point.count) else {
            return nil
        }
        self.key = key
        family = .ec
    }

    public init?(ed25519 x: [UInt8]) {
        guard let key = sp_ed25519_key(x, x.count) else { return nil }
        self.key = key
        family = .ed25519
    }

    deinit { EVP_PKEY_free(key) }

    /// Whether `signature` is this key's over `text`. False for an algorithm of another kind of key.
    public func verifies(_ signature: [UInt8], over text: [UInt8], by algorithm: Algorithm) -> Bool {
        guard algorithm.family == family else { return false }
        if let halves = algorithm.halves, signature.count != halves { return false }
        return sp_verify(
            key, algorithm.digest, algorithm.halves == nil ? 0 : 1, algorithm.isPSS ? 1 : 0, signature, signature.count,
            text, text.count) == 1
    }
}
