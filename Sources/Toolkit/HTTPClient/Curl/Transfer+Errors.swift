// SPDX-License-Identifier: Apache-2.0

import Base
import CCurl

/// What libcurl's result codes mean to a caller. Its texts name hosts, ports and certificates, never a query or a secret.
extension Transfer {
    /// `nil` for success.
    func error(for code: CURLcode) -> HTTPError? {
        if let ownFailure { return ownFailure }
        switch code {
        case CURLE_OK: return nil
        case CURLE_COULDNT_RESOLVE_HOST: return .cannotResolve(host: hop.address.host)
        case CURLE_COULDNT_RESOLVE_PROXY:
            return .proxyRefused(url: display, reason: "the proxy's name does not resolve")
        case CURLE_PROXY: return .proxyRefused(url: display, reason: text(for: code))
        case CURLE_COULDNT_CONNECT:
            return usesProxy
                ? .proxyRefused(url: display, reason: text(for: code))
                : .cannotConnect(url: display, reason: text(for: code))
        case CURLE_OPERATION_TIMEDOUT:
            // The only time-out given to libcurl is the one for connecting.
            return .timedOut(url: display, phase: .connect)
        case CURLE_URL_MALFORMAT: return .invalidURL(display)
        case CURLE_UNSUPPORTED_PROTOCOL:
            // The scheme has been checked; this is what libcurl says to an answer without a status line.
            return .connectionLost(url: display, reason: "what answers there does not speak HTTP")
        case CURLE_SEND_FAIL_REWIND:
            return .connectionLost(url: display, reason: "it ended after the request, which must not be sent twice")
        case CURLE_SSL_CONNECT_ERROR where TLSTexts.tellABreak(text(for: code)):
            return .connectionLost(url: display, reason: "it ended during the TLS handshake")
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ENGINE_INITFAILED,
            CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_INVALIDCERTSTATUS,
            CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_CLIENTCERT, CURLE_USE_SSL_FAILED:
            return .tls(url: display, reason: text(for: code))
        case CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING:
            if let status = refusedTunnel { return .proxyRefused(url: display, reason: "it answered status \(status)") }
            // In TLS 1.3 a server that misses a client certificate says so only after the handshake.
            if TLSTexts.tellARefusal(text(for: code)) { return .tls(url: display, reason: text(for: code)) }
            return .connectionLost(url: display, reason: String(cString: curl_easy_strerror(code)))
        default:
            return .connectionLost(url: display, reason: String(cString: curl_easy_strerror(code)))
        }
    }

    private var usesProxy: Bool { options.proxies.proxy(for: hop.address) != nil }

    /// The status with which the proxy refused to tunnel.
    private var refusedTunnel: Int? {
        guard usesProxy, let easy else { return nil }
        var status = 0
        sp_curl_get_long(easy.pointer, CURLINFO_HTTP_CONNECTCODE, &status)
        return status >= 300 ? status : nil
    }

    private func text(for code: CURLcode) -> String {
        if let easy, easy.errorText.pointee != 0 { return String(cString: easy.errorText) }
        return String(cString: curl_easy_strerror(code))
    }
}

/// What OpenSSL's texts, as libcurl passes them on, tell beyond libcurl's code.
enum TLSTexts {
    /// A peer that closes or resets in the middle of the handshake is a broken connection, not a refused certificate.
    static func tellABreak(_ text: String) -> Bool {
        ["SSL_ERROR_SYSCALL", "reset by peer", "unexpected eof"].contains { contains(text, $0) }
    }

    /// The peer sent an alert.
    static func tellARefusal(_ text: String) -> Bool { contains(text, "SSL routines") && contains(text, " alert ") }

    private static func contains(_ text: String, _ part: String) -> Bool {
        text.indices.contains { text[$0...].hasPrefix(part) }
    }
}
