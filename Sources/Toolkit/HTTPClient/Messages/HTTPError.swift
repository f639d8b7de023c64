// SPDX-License-Identifier: Apache-2.0

public import Base

/// Why there is no response. URLs in here are cut to scheme, host, port and path: no query, no user info.
public enum HTTPError: ActionableError {
    case invalidURL(String)
    /// The request cannot be written as HTTP: a line break in a header field, for instance.
    case invalidRequest(url: String, reason: String)
    case cannotResolve(host: String)
    case cannotConnect(url: String, reason: String)
    /// The certificate or the handshake was refused; `reason` is OpenSSL's.
    case tls(url: String, reason: String)
    case connectionLost(url: String, reason: String)
    /// With phase `queue` nothing was sent, and `url` is the name of the request budget.
    case timedOut(url: String, phase: Phase)
    case bodyTooLarge(limit: Int, url: String)
    case tooManyRedirects(url: String)
    /// Following would have carried credentials or the body where they must not go.
    case redirectRefused(url: String, reason: String)
    case proxyRefused(url: String, reason: String)
    /// The request's own body stream threw.
    case uploadFailed(reason: String)
    /// The circuit breaker is open; nothing was sent.
    case circuitOpen(host: String, retryAfter: Duration)
    /// The token endpoint refused, or the token could not be read. `status` is the endpoint's.
    case unauthorized(url: String, status: Int, reason: String)
    case cancelled

    public enum Phase: String, Sendable { case connect, head, idle, total, queue }

    public var code: ErrorCode {
        switch self {
        case .invalidURL: "http.invalid_url"
        case .invalidRequest: "http.invalid_request"
        case .cannotResolve: "http.dns"
        case .cannotConnect: "http.connect"
        case .tls: "http.tls"
        case .connectionLost: "http.connection_lost"
        case .timedOut: "http.timeout"
        case .bodyTooLarge: "http.body_too_large"
        case .tooManyRedirects: "http.redirects"
        case .redirectRefused: "http.redirect_refused"
        case .proxyRefused: "http.proxy"
        case .uploadFailed: "http.upload"
        case .circuitOpen: "http.circuit_open"
        case .unauthorized: "http.unauthorized"
        case .cancelled: "http.cancelled"
        }
    }

    public var isRetryable: Bool {
        switch self {
        case .cannotResolve, .cannotConnect, .connectionLost, .timedOut, .circuitOpen: true
        default: false
        }
    }

    public var description: String {
        switch self {
        case .invalidURL(let url): "“\(url)” is no valid URL. Give it as https://host[:port][/path]."
        case .invalidRequest(let url, let reason): "The request to \(url) cannot be sent: \(reason)."
        case .cannotResolve(let host): "The name “\(host)” does not resolve. Check the URL and the DNS of this machine."
        case .cannotConnect(let url, let reason):
            "No connection to \(url): \(reason). Check address, port and firewall."
        case .tls(let url, let reason):
            "TLS with \(url) failed: \(reason). Name the CA in the connection's `ssl_verify` (a PEM file), or check the clock."
        case .connectionLost(let url, let reason): "The connection to \(url) broke: \(reason)."
        case .timedOut(let name, .queue):
            "The request budget “\(name)” leaves no room before the deadline. Nothing was sent."
        case .timedOut(let url, let phase): "\(url) did not answer in time (\(phase.rawValue))."
        case .bodyTooLarge(let limit, let url): "The answer of \(url) is larger than \(limit) bytes and was not read."
        case .tooManyRedirects(let url): "\(url) redirects too often or in a circle."
        case .redirectRefused(let url, let reason):
            "\(url) redirects, and that was not followed: \(reason). Configure the URL it should be."
        case .proxyRefused(let url, let reason):
            "The proxy refused the connection to \(url): \(reason). Check HTTPS_PROXY and NO_PROXY."
        case .uploadFailed(let reason): "The request body could not be read: \(reason)."
        case .circuitOpen(let host, let wait): "\(host) failed too often; the next try is in \(wait). Nothing is lost."
        case .unauthorized(let url, let status, let reason):
            "\(url) refused the credentials (status \(status)): \(reason). Check client id and secret."
        case .cancelled: "The call was cancelled."
        }
    }
}
