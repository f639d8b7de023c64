// SPDX-License-Identifier: Apache-2.0

public import Base
import Hashing
import JSON

/// Decides whether a caller of our HTTP listener is the platform's worker.
///
/// Platforms up to 6.9 send the token of the connector's user, which must be ours. From 7.0 on they send a JSON Web Token
/// signed by one of the keys that the registration brought: issuer `opencti`, subject `connector`, not expired.
/// Source: OpenCTI protocol, 5.6; `OpenCTI-Platform/client-python: pycti/connector/opencti_connector_helper.py`.
public struct CallbackToken: Sendable {
    private struct Key: Sendable {
        var id: String
        var key: PublicKey
        var algorithm: PublicKey.Algorithm
    }

    private let keys: [Key]
    private let token: @Sendable () -> Secret

    /// - Parameters:
    ///   - keySet: `jwks` of the registration; `nil` for a platform that signs nothing.
    ///   - token: our own, asked for each call.
    public init(keySet: String?, token: @escaping @Sendable () -> Secret) {
        self.token = token
        let listed = keySet.flatMap { try? JSONValue(parsing: $0) }?["keys"]?.array ?? []
        keys = listed.compactMap(Self.key)
    }

    /// Whether tokens are checked by the platform's keys.
    public var isSigned: Bool { !keys.isEmpty }

    /// - Parameter authorization: the header's value.
    public func accepts(_ authorization: String?, at now: Instant) -> Bool {
        guard let parts = authorization?.split(separator: " "), parts.count == 2, parts[0].lowercased() == "bearer"
        else {
            return false
        }
        return keys.isEmpty ? isOurs(parts[1]) : isSignedByPlatform(parts[1], at: now)
    }

    /// Takes the same time wherever the first difference is.
    private func isOurs(_ given: Substring) -> Bool {
        let expected = Array(token().reveal().utf8)
        let given = Array(given.utf8)
        guard !expected.isEmpty, expected.count == given.count else { return false }
        return zip(expected, given).reduce(UInt8(0)) { $0 | $1.0 ^ $1.1 } == 0
    }

    private func isSignedByPlatform(_ text: Substring, at now: Instant) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, text.utf8.count < 16_384, let header = Self.json(parts[0]),
            let claims = Self.json(parts[1]), let signature = Base64.decode(parts[2]),
            let key = keys.first(where: { $0.id == header["kid"]?.string }),
            header["alg"]?.string == key.algorithm.rawValue,
            key.key.verifies(signature, over: Array("\(parts[0]).\(parts[1])".utf8), by: key.algorithm),
            claims["iss"]?.string == "opencti", claims["sub"]?.string == "connector"
        else { return false }
        let seconds = Double(now.milliseconds) / 1000
        if let expiry = claims["exp"] {
            guard let expiry = expiry.double, seconds < expiry else { return false }
        }
        // A minute for clocks that differ.
        if let start = claims["nbf"]?.double, seconds < start - 60 { return false }
        return true
    }

    private static func json(_ part: Substring) -> JSONValue? {
        Base64.decode(part).flatMap { try? JSONValue(parsing: $0) }
    }

    private static func key(_ json: JSONValue) -> Key? {
        func bytes(_ name: String) -> [UInt8]? { json[name]?.string.flatMap { Base64.decode($0) } }
        guard let id = json["kid"]?.string else { return nil }
        let key: PublicKey?
        let usual: PublicKey.Algorithm
        switch json["kty"]?.string {
        case "RSA":
            guard let n = bytes("n"), let e = bytes("e") else { return nil }
            key = PublicKey(rsaModulus: n, exponent: e)
            usual = .rs256
        case "EC":
            guard let curve = json["crv"]?.string, let x = bytes("x"), let y = bytes("y") else { return nil }
            key = PublicKey(curve: curve, x: x, y: y)
            usual = curve == "P-384" ? .es384 : curve == "P-521" ? .es512 : .es256
        case "OKP":
            guard json["crv"]?.string == "Ed25519", let x = bytes("x") else { return nil }
            key = PublicKey(ed25519: x)
            usual = .edDSA
        default: return nil
        }
        guard let key else { return nil }
        if let named = json["alg"]?.string {
            guard let algorithm = PublicKey.Algorithm(rawValue: named) else { return nil }
            return Key(id: id, key: key, algorithm: algorithm)
        }
        return Key(id: id, key: key, algorithm: usual)
    }
}
