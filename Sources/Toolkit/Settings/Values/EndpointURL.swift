// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// The base URL of a service: `http` or `https`, a host, perhaps a port and a path. Without credentials, query and
/// fragment; a trailing slash is cut.
public struct EndpointURL: SettingValue, Hashable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// The URL, ready to have `/path` appended.
    public let text: String
    /// `http` or `https`.
    public let scheme: String
    /// In lower case; an IPv6 address without its brackets.
    public let host: String
    /// `nil`: the scheme's own.
    public let port: Int?
    /// Begins with a slash, or empty.
    public let path: String

    public var description: String { text }
    public var settingText: String { text }

    /// Whether the host can only be this machine.
    public var isLoopback: Bool {
        host == "localhost" || host.hasSuffix(".localhost") || host == "::1"
            || (host.hasPrefix("127.") && isAddress(AF_INET, host))
    }

    /// Whether credentials may be sent there: encrypted, or not leaving the machine.
    public var isSecureOrLoopback: Bool { scheme == "https" || isLoopback }

    public static var kind: SettingKind {
        SettingKind("URL", expectation: "a URL such as https://host.example or https://host.example:8443/path")
    }

    public init(reading raw: RawSetting) throws(InvalidValue) { try self.init(parsing: raw.text()) }

    /// For URLs in this program's text.
    public init(stringLiteral value: String) {
        do { try self.init(parsing: value) } catch { preconditionFailure("“\(value)” \(error.what)") }
    }

    public init(parsing text: String) throws(InvalidValue) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else {
            throw InvalidValue("has a blank or a character that must be percent-encoded")
        }
        guard let separator = text.firstRange(of: "://") else {
            throw InvalidValue("has no scheme", remedy: "Put https:// in front of it.")
        }
        scheme = text[..<separator.lowerBound].lowercased()
        guard scheme == "https" || scheme == "http" else { throw InvalidValue("is neither http nor https") }
        let rest = text[separator.upperBound...]
        guard !rest.contains("?"), !rest.contains("#") else {
            throw InvalidValue("has a query or a fragment", remedy: "Give the URL up to the path.", showsValue: false)
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<slash]
        guard !authority.contains("@") else {
            throw InvalidValue(
                "holds credentials", remedy: "Give them in their own settings.", showsValue: false)
        }
        (host, port) = try Self.hostAndPort(authority)
        var path = String(rest[slash...])
        while path.hasSuffix("/") { path.removeLast() }
        self.path = path
        let name = host.contains(":") ? "[\(host)]" : host
        self.text = scheme + "://" + name + (port.map { ":\($0)" } ?? "") + path
    }

    private static func hostAndPort(_ authority: Substring) throws(InvalidValue) -> (String, Int?) {
        var host = authority
        var portText: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]"), isAddress(AF_INET6, String(authority.dropFirst()[..<end]))
            else { throw InvalidValue("has no valid IPv6 address in its brackets") }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw InvalidValue("has text behind its IPv6 address") }
            portText = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty else { throw InvalidValue("has no host") }
        let isName = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard isName || authority.hasPrefix("[") else { throw InvalidValue("has a host name that no host can have") }
        guard let portText else { return (host.lowercased(), nil) }
        guard let port = Int(portText), (1...65_535).contains(port) else {
            throw InvalidValue("has no valid port", remedy: "A port is a number from 1 to 65535.")
        }
        return (host.lowercased(), port)
    }
}

/// Whether a text is a numeric address of the family.
func isAddress(_ family: Int32, _ text: String) -> Bool {
    var address = in6_addr()
    return inet_pton(family, text, &address) == 1
}
