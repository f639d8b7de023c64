// SPDX-License-Identifier: Apache-2.0

public import Base

/// Where a RabbitMQ broker is and how to get in.
public struct BrokerAddress: Sendable {
    public var host: String
    public var port: Int
    public var virtualHost: String
    public var user: Secret
    public var password: Secret
    /// `nil` for plain TCP.
    public var tls: BrokerTLS?

    public init(
        host: String, port: Int = 5672, virtualHost: String = "/", user: Secret, password: Secret,
        tls: BrokerTLS? = nil
    ) {
        self.host = host
        self.port = port
        self.virtualHost = virtualHost
        self.user = user
        self.password = password
        self.tls = tls
    }

    /// For messages: no user, no password.
    var name: String { "\(host):\(port)" }
}

/// How the connection to a broker is encrypted. Certificates and keys are PEM texts.
public struct BrokerTLS: Sendable {
    /// Whether the broker's certificate and name are checked.
    public var verifies: Bool
    /// Further authorities; without any, the system's.
    public var authorities: String?
    public var certificate: String?
    public var key: Secret?
    public var passphrase: Secret?

    public init(
        verifies: Bool = true, authorities: String? = nil, certificate: String? = nil, key: Secret? = nil,
        passphrase: Secret? = nil
    ) {
        self.verifies = verifies
        self.authorities = authorities
        self.certificate = certificate
        self.key = key
        self.passphrase = passphrase
    }
}
