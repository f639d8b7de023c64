// SPDX-License-Identifier: Apache-2.0

import HTTPClient

/// Where a platform lives: scheme, host, port and base path (`app:base_path`), without a slash at the end.
public struct PlatformAddress: Sendable, Hashable, CustomStringConvertible {
    /// `https://host[:port][/base]`.
    public let base: String

    /// Trailing slashes, blanks around, and a `/graphql` that somebody copied along are cut. Source: OpenCTI protocol, 1.1.
    ///
    /// - Throws: ``OpenCTIError/configuration(_:)`` for an empty text, another scheme than http(s), a missing host, user
    ///   info, a query or a fragment.
    public init(_ text: String) throws(OpenCTIError) {
        var url = text.trimmingBlanks()
        guard !url.isEmpty, url != "ChangeMe" else {
            throw .configuration("The OpenCTI URL is not set. Give it as `opencti.url` or OPENCTI_URL.")
        }
        let lowercased = url.lowercased()
        guard lowercased.hasPrefix("https://") || lowercased.hasPrefix("http://") else {
            throw .configuration("The OpenCTI URL must begin with https:// or http://.")
        }
        url.removeTrailingSlashes()
        if url.hasSuffix("/graphql") {
            url.removeLast("/graphql".count)
            url.removeTrailingSlashes()
        }
        let afterScheme = url.drop { $0 != ":" }.dropFirst(3)
        let authority = afterScheme.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.isEmpty, !authority.hasPrefix(":") else {
            throw .configuration("The OpenCTI URL names no host.")
        }
        guard !authority.contains("@") else {
            throw .configuration("The OpenCTI URL must not carry a user or password: the token has its own setting.")
        }
        guard !afterScheme.contains("?"), !afterScheme.contains("#"),
            afterScheme.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw .configuration("The OpenCTI URL must be a plain address: no query, fragment, blank or other script.")
        }
        base = url
    }

    public var description: String { base }

    public var graphQL: String { base + "/graphql" }

    /// The live stream's URL; `recover` is percent-encoded, so that `+00:00` survives.
    func stream(_ id: String, recover: String?) -> String {
        var url = base + "/stream/" + PercentEncoding.component(id)
        if let recover { url += "?recover=" + PercentEncoding.component(recover) }
        return url
    }
}

extension String {
    fileprivate mutating func removeTrailingSlashes() { while hasSuffix("/") { removeLast() } }

    func trimmingBlanks() -> String {
        let isBlank = { (character: Character) in character.isWhitespace }
        var text = drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return String(text)
    }
}
