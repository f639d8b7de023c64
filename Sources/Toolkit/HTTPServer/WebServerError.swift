// SPDX-License-Identifier: Apache-2.0

public import Base

/// Why a server does not listen.
public enum WebServerError: ActionableError {
    case invalidAddress(String)
    case addressInUse(address: String, port: UInt16)
    case notPermitted(address: String, port: UInt16)
    case cannotListen(address: String, port: UInt16, errno: Int32)
    case cannotStart
    case badCertificate
    case noTLS

    public var code: ErrorCode {
        switch self {
        case .invalidAddress: "http_server.invalid_address"
        case .addressInUse: "http_server.address_in_use"
        case .notPermitted: "http_server.not_permitted"
        case .cannotListen: "http_server.cannot_listen"
        case .cannotStart: "http_server.cannot_start"
        case .badCertificate: "http_server.bad_certificate"
        case .noTLS: "http_server.no_tls"
        }
    }

    public var isRetryable: Bool {
        switch self {
        case .addressInUse, .cannotListen, .cannotStart: true
        case .invalidAddress, .notPermitted, .badCertificate, .noTLS: false
        }
    }

    public var description: String {
        switch self {
        case .invalidAddress(let address):
            "“\(address)” is no address to listen at. Give an IPv4 or IPv6 address such as 127.0.0.1, 0.0.0.0 or ::1."
        case .addressInUse(let address, let port):
            "Port \(port) at \(address) is taken by another program. Stop it or choose another port."
        case .notPermitted(let address, let port):
            "The system forbids to listen at \(address) port \(port). Ports below 1024 need a privilege: choose a higher one."
        case .cannotListen(let address, let port, let errno):
            "Listening at \(address) port \(port) failed (errno \(errno)). Check that this machine has the address."
        case .cannotStart:
            "The HTTP server's threads did not start. Check the limits of processes and open files."
        case .badCertificate:
            "The server's certificate, its key and its passphrase do not fit each other, or one of them is no PEM text."
        case .noTLS:
            "This system's libmicrohttpd was built without TLS. Install Debian's libmicrohttpd12, or let a proxy in front "
                + "speak TLS."
        }
    }
}
