// SPDX-License-Identifier: Apache-2.0

import Base
import CCurl

#if canImport(Glibc)
    import Glibc
#endif

/// A configuration made ready: files read, proxies checked.
struct CurlOptions: Sendable {
    enum Authorities: Sendable {
        case system
        /// One file instead of the system's: libcurl keeps what it has parsed.
        case file(String)
        /// PEM text, with the system's authorities on top or without.
        case text([UInt8], plusSystem: Bool)
    }

    let configuration: HTTPConfiguration
    let authorities: Authorities
    let proxies: ProxyRules

    init(_ configuration: HTTPConfiguration) throws(HTTPConfigurationError) {
        self.configuration = configuration
        proxies = try ProxyRules(configuration.proxy)
        authorities = try Self.authorities(configuration.tls)
        if let client = configuration.tls.clientCertificate {
            _ = try Self.read(client.certificate, holding: "CERTIFICATE")
            _ = try Self.read(client.key, holding: "PRIVATE KEY")
        }
    }

    private static func authorities(_ tls: TLSConfiguration) throws(HTTPConfigurationError) -> Authorities {
        guard !tls.authorities.isEmpty else {
            guard tls.trustsSystemAuthorities else { throw .noCertificate(source: "The list of authorities") }
            return .system
        }
        var text: [UInt8] = []
        for source in tls.authorities { text += try read(source, holding: "CERTIFICATE") + [UInt8(ascii: "\n")] }
        if tls.authorities.count == 1, !tls.trustsSystemAuthorities, case .file(let path) = tls.authorities[0] {
            return .file(path)
        }
        return .text(text, plusSystem: tls.trustsSystemAuthorities)
    }

    private static func read(
        _ source: TLSConfiguration.PEM, holding what: String
    ) throws(HTTPConfigurationError) -> [UInt8] {
        let bytes: [UInt8]
        let name: String
        switch source {
        case .text(let text): (bytes, name) = (Array(text.reveal().utf8), "The configured text")
        case .file(let path): (bytes, name) = (try contents(of: path), "The file \(path)")
        }
        // “BEGIN TRUSTED CERTIFICATE”, “BEGIN EC PRIVATE KEY” and the like count too.
        let isHeld = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).contains {
            $0.hasPrefix("-----BEGIN ") && $0.trimmed.hasSuffix(what + "-----")
        }
        guard isHeld else {
            throw what == "CERTIFICATE" ? .noCertificate(source: name) : .noPrivateKey(source: name)
        }
        return bytes
    }

    private static func contents(of path: String) throws(HTTPConfigurationError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .unreadableFile(path: path, reason: String(cString: strerror(errno))) }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .unreadableFile(path: path, reason: String(cString: strerror(errno))) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            // The largest bundles have some hundred kilobytes; a device file has no end.
            guard bytes.count <= 16 << 20 else { throw .unreadableFile(path: path, reason: "larger than 16 MiB") }
        }
    }
}
