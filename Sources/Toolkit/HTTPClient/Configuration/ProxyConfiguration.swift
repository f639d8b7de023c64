// SPDX-License-Identifier: Apache-2.0

public import Base

#if canImport(Glibc)
    import Glibc
#endif

/// Which proxy requests go through.
public enum ProxyConfiguration: Sendable, Hashable {
    /// `HTTPS_PROXY` and `HTTP_PROXY` by the URL's scheme, else `ALL_PROXY`, except for what `NO_PROXY` names. A
    /// lower-case name wins over its upper-case form.
    case environment
    case none
    /// `scheme://[user:password@]host:port`, scheme one of http (also when missing), https, socks4, socks4a, socks5 and
    /// socks5h (the `a` and `h` forms let the proxy resolve names). `bypass` has the form of ``NoProxy``.
    case url(Secret, bypass: String = "")
}

/// One proxy, checked.
struct ProxyAddress: Sendable, Hashable {
    let url: Secret
    /// Where it listens if its URL does not say: 80 and 443 as for any web address (libcurl would take 1080), or 1080.
    let defaultPort: Int
}

/// The proxies in force.
struct ProxyRules: Sendable {
    private var http: ProxyAddress?
    private var https: ProxyAddress?
    private var bypass: NoProxy

    init(_ configuration: ProxyConfiguration) throws(HTTPConfigurationError) {
        switch configuration {
        case .environment: try self.init { name in getenv(name).map { String(cString: $0) } }
        case .none: try self.init { _ in nil }
        case .url(let url, let bypass):
            try self.init { name in
                switch name {
                case "all_proxy": url.reveal()
                case "no_proxy": bypass
                default: nil
                }
            }
        }
    }

    init(environment: (String) -> String?) throws(HTTPConfigurationError) {
        func value(_ name: String) -> String? { environment(name.lowercased()) ?? environment(name) }
        func proxy(_ name: String) throws(HTTPConfigurationError) -> ProxyAddress? {
            guard let url = value(name), !url.trimmed.isEmpty else { return nil }
            return try Self.checked(Secret(String(url.trimmed)), name: name)
        }
        let all = try proxy("ALL_PROXY")
        https = try proxy("HTTPS_PROXY") ?? all
        // In a CGI program a client's `Proxy:` header arrives as HTTP_PROXY (CVE-2016-5385): only the lower case counts.
        let isCGI = environment("REQUEST_METHOD") != nil && environment("http_proxy") == nil
        http = isCGI ? all : try proxy("HTTP_PROXY") ?? all
        bypass = NoProxy(value("NO_PROXY") ?? "")
    }

    /// `nil` for a direct connection.
    func proxy(for address: WebAddress) -> ProxyAddress? {
        guard let proxy = address.isSecure ? https : http, !bypass.covers(host: address.host, port: address.port) else {
            return nil
        }
        return proxy
    }

    private static let schemes = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"]

    private static func checked(_ url: Secret, name: String) throws(HTTPConfigurationError) -> ProxyAddress {
        let text = url.reveal()
        let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        let hasScheme = parts.count == 3 && parts[0].hasSuffix(":") && parts[1].isEmpty
        let scheme = hasScheme ? parts[0].dropLast().lowercased() : "http"
        guard schemes.contains(scheme) else {
            throw .invalidProxy(reason: "\(name) has the unknown scheme “\(scheme)”")
        }
        // The parser of http URLs reads every scheme's authority alike.
        let authority = hasScheme ? String(parts[2]) : text
        guard (try? WebAddress("http://" + authority)) != nil else {
            throw .invalidProxy(reason: "\(name) names no host and port")
        }
        return ProxyAddress(url: url, defaultPort: scheme == "http" ? 80 : scheme == "https" ? 443 : 1080)
    }
}

/// The hosts that are reached without a proxy: a list separated by commas or blanks.
///
/// An entry is a host name (covering its subdomains too, with or without a leading `.` or `*.`), an address, a range such
/// as `10.0.0.0/8` or `fd00::/8`, or `*` for everything; a name or address may end in `:port`.
struct NoProxy: Sendable {
    private enum Entry {
        case everything
        case name(String, port: Int?)
        case range(bytes: [UInt8], prefix: Int, port: Int?)
    }
    private let entries: [Entry]

    init(_ list: String) {
        entries = list.split { $0 == "," || $0 == " " || $0 == "\t" }.compactMap { Self.entry(String($0).lowercased()) }
    }

    func covers(host: String, port: Int) -> Bool {
        let address = Self.addressBytes(host)
        let name = host.hasSuffix(".") ? String(host.dropLast()) : host
        return entries.contains { entry in
            switch entry {
            case .everything: return true
            case .name(let suffix, let wanted):
                return (wanted ?? port) == port && address == nil && (name == suffix || name.hasSuffix("." + suffix))
            case .range(let bytes, let prefix, let wanted):
                guard let address, address.count == bytes.count, (wanted ?? port) == port else { return false }
                return Self.agree(address, bytes, bits: prefix)
            }
        }
    }

    private static func entry(_ text: String) -> Entry? {
        if text == "*" { return .everything }
        if let slash = text.firstIndex(of: "/") {
            guard let bytes = addressBytes(String(text[..<slash])), let prefix = Int(text[text.index(after: slash)...]),
                (0...bytes.count * 8).contains(prefix)
            else { return nil }
            return .range(bytes: bytes, prefix: prefix, port: nil)
        }
        let (host, port) = splitPort(text)
        if let bytes = addressBytes(host) { return .range(bytes: bytes, prefix: bytes.count * 8, port: port) }
        var name = host[...]
        if name.hasPrefix("*.") { name = name.dropFirst(2) }
        if name.hasPrefix(".") { name = name.dropFirst() }
        if name.hasSuffix(".") { name = name.dropLast() }
        return name.isEmpty ? nil : .name(String(name), port: port)
    }

    private static func splitPort(_ text: String) -> (host: String, port: Int?) {
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            let host = String(text[text.index(after: text.startIndex)..<end])
            return (host, Int(text[text.index(after: end)...].dropFirst()))
        }
        // More than one colon is a bare IPv6 address.
        guard let colon = text.lastIndex(of: ":"), text.firstIndex(of: ":") == colon,
            let port = Int(text[text.index(after: colon)...])
        else { return (text, nil) }
        return (String(text[..<colon]), port)
    }

    private static func addressBytes(_ text: String) -> [UInt8]? {
        for (family, size) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: size)
            if inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }

    private static func agree(_ left: [UInt8], _ right: [UInt8], bits: Int) -> Bool {
        let whole = bits / 8
        guard left[..<whole] == right[..<whole] else { return false }
        let rest = bits % 8
        return rest == 0 || (left[whole] ^ right[whole]) >> (8 - rest) == 0
    }
}
