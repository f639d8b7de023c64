// SPDX-License-Identifier: Apache-2.0

public import Base

/// How connections are encrypted and whom they trust. The default verifies against the system's authorities.
public struct TLSConfiguration: Sendable, Hashable {
    /// Whether the server's certificate and name are checked. Turning it off is the operator's explicit choice; whoever
    /// builds the configuration warns of it.
    public var verifies = true
    /// Certificates of authorities to trust, one PEM source after the other.
    public var authorities: [PEM] = []
    /// Whether ``authorities`` come on top of the system's or instead of them.
    public var trustsSystemAuthorities = true
    public var clientCertificate: ClientCertificate?
    /// The oldest protocol version accepted.
    public var minimumVersion: Version = .tls12

    public enum Version: Sendable, Hashable { case tls12, tls13 }

    /// PEM text, or the file that holds it. A client certificate's file is read at each handshake, so a rotated one is
    /// picked up; authorities are read once.
    public enum PEM: Sendable, Hashable {
        case file(String)
        case text(Secret)
    }

    /// A certificate (with its chain, if the server needs it) and the private key, which may be in the same file.
    public struct ClientCertificate: Sendable, Hashable {
        public var certificate: PEM
        public var key: PEM
        public var passphrase: Secret?

        public init(certificate: PEM, key: PEM? = nil, passphrase: Secret? = nil) {
            self.certificate = certificate
            self.key = key ?? certificate
            self.passphrase = passphrase
        }
    }

    public init() {}

    /// The originals' `ssl_verify`: a boolean in any usual spelling, or the path of a CA bundle that replaces the
    /// system's, as the Python HTTP library reads it. Empty means verify.
    ///
    /// Source: "OpenCTI protocol, 1.4".
    public init(sslVerify text: String) {
        switch text.trimmed.lowercased() {
        case "", "true", "yes", "on", "1": break
        case "false", "no", "off", "0": verifies = false
        default:
            authorities = [.file(String(text.trimmed))]
            trustsSystemAuthorities = false
        }
    }
}
