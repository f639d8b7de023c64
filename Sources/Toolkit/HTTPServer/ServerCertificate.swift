// SPDX-License-Identifier: Apache-2.0

public import Base

/// What a server shows to prove its name.
public struct ServerCertificate: Sendable {
    /// PEM: the server's certificate first, then those between it and the authority.
    public var chain: String
    /// PEM, encrypted or not.
    public var key: Secret
    /// Of an encrypted key.
    public var passphrase: Secret?

    public init(chain: String, key: Secret, passphrase: Secret? = nil) {
        self.chain = chain
        self.key = key
        self.passphrase = passphrase
    }
}
