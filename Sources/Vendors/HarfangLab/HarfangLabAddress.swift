// SPDX-License-Identifier: Apache-2.0

/// Where a console lives: scheme, host, port and perhaps a base path, without a slash at the end.
public struct HarfangLabAddress: Sendable, Hashable, CustomStringConvertible {
    /// `https://tenant.hurukai.io:8443`
    public let description: String
    /// `tenant.hurukai.io:8443`
    public let authority: String

    /// - Throws: ``HarfangLabError/configuration(_:)`` for another scheme than http(s), a missing host, user info, a query
    ///   or a fragment.
    public init(_ text: String) throws(HarfangLabError) {
        let isBlank = { (character: Character) in character.isWhitespace }
        var url = String(text.drop(while: isBlank))
        while url.last.map({ isBlank($0) || $0 == "/" }) ?? false { url.removeLast() }
        let lowercased = url.lowercased()
        guard lowercased.hasPrefix("https://") || lowercased.hasPrefix("http://") else {
            throw .configuration("The HarfangLab URL must begin with https:// or http://.")
        }
        let afterScheme = url.drop { $0 != ":" }.dropFirst(3)
        let authority = afterScheme.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.isEmpty, !authority.hasPrefix(":"), !authority.contains("@") else {
            throw .configuration("The HarfangLab URL names no host, or a user: the token has its own setting.")
        }
        guard !afterScheme.contains("?"), !afterScheme.contains("#"),
            afterScheme.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw .configuration(
                "The HarfangLab URL must be a plain address: no query, fragment, blank or other script.")
        }
        description = url
        self.authority = authority.lowercased()
    }

    /// A page's `next`: a path with its parameters, or an absolute URL of this console.
    ///
    /// - Throws: ``HarfangLabError/malformed(operation:reason:)`` for another host: the token must not go there.
    func resolve(next: String, of operation: String) throws(HarfangLabError) -> String {
        if next.hasPrefix("/") && !next.hasPrefix("//") { return next }
        let afterScheme = next.drop { $0 != ":" }.dropFirst(3)
        let host = afterScheme.prefix { $0 != "/" && $0 != "?" }
        guard next.contains("://"), host.lowercased() == authority || host.lowercased() == hostOnly else {
            throw .malformed(operation: operation, reason: "its next page is at another host")
        }
        let path = afterScheme.dropFirst(host.count)
        return path.isEmpty ? "/" : String(path)
    }

    // Behind a proxy the console may leave its port out.
    private var hostOnly: String {
        authority.hasSuffix("]") ? authority : String(authority.prefix { $0 != ":" })
    }
}
