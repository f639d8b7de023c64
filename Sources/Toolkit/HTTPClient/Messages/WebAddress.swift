// SPDX-License-Identifier: Apache-2.0

import Base
import CCurl

/// An http or https URL taken apart by libcurl's own parser, so that what we decide on is what is sent.
struct WebAddress: Sendable, Hashable {
    /// The URL as it is sent: without user info and fragment.
    let text: String
    /// `http` or `https`.
    let scheme: String
    /// Lower case, without the brackets of an IPv6 address.
    let host: String
    let port: Int
    let path: String
    /// `user:password`, percent-decoded, when the URL named them.
    let credentials: Secret?

    var isSecure: Bool { scheme == "https" }

    /// What may be shown: scheme, host, port and path. No user info, no query.
    var display: String {
        let named = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        let shownPort = port == (isSecure ? 443 : 80) ? "" : ":\(port)"
        return "\(scheme)://\(named)\(shownPort)\(path)"
    }

    func hasSameOrigin(as other: WebAddress) -> Bool {
        scheme == other.scheme && host == other.host && port == other.port
    }

    init(_ text: String) throws(HTTPError) {
        let parser = try CurlURL()
        guard parser.set(CURLUPART_URL, text, CURLU_PATH_AS_IS), let address = Self(parser) else {
            throw .invalidURL(Self.displayable(text))
        }
        self = address
    }

    /// Where a `Location` points to, seen from here. Blanks and bytes beyond ASCII in it are percent-encoded.
    func resolving(_ location: String) throws(HTTPError) -> WebAddress {
        let parser = try CurlURL()
        guard parser.set(CURLUPART_URL, text, CURLU_PATH_AS_IS),
            parser.set(CURLUPART_URL, location, CURLU_URLENCODE | CURLU_ALLOW_SPACE), let address = Self(parser)
        else { throw .invalidURL(Self.displayable(location)) }
        return address
    }

    private init?(_ parser: borrowing CurlURL) {
        guard let scheme = parser.get(CURLUPART_SCHEME)?.lowercased(), scheme == "http" || scheme == "https",
            let host = parser.get(CURLUPART_HOST), !host.isEmpty,
            let port = parser.get(CURLUPART_PORT, CURLU_DEFAULT_PORT).flatMap({ Int($0) })
        else { return nil }
        let user = parser.get(CURLUPART_USER, CURLU_URLDECODE)
        let password = parser.get(CURLUPART_PASSWORD, CURLU_URLDECODE)
        credentials = user == nil && password == nil ? nil : Secret("\(user ?? ""):\(password ?? "")")
        for part in [CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_FRAGMENT] { _ = parser.set(part, nil) }
        guard let text = parser.get(CURLUPART_URL) else { return nil }
        self.text = text
        self.scheme = scheme
        self.host = (host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host).lowercased()
        self.port = port
        path = parser.get(CURLUPART_PATH) ?? "/"
    }

    /// A text that is no URL, cut so that it can be shown: a password may be in it.
    static func displayable(_ text: String) -> String {
        let shown = text.prefix { $0 != "?" && $0 != "#" }
        guard let at = shown.lastIndex(of: "@") else { return String(shown.prefix(200)) }
        let afterScheme = shown.indices.first { shown[$0...].hasPrefix("://") }.map { shown.index($0, offsetBy: 3) }
        let scheme = afterScheme.map { shown[..<min($0, at)] } ?? ""
        return String((scheme + shown[shown.index(after: at)...]).prefix(200))
    }
}

/// libcurl's URL handle.
private struct CurlURL: ~Copyable {
    private let handle: OpaquePointer

    init() throws(HTTPError) {
        guard let handle = curl_url() else { throw .invalidURL("(out of memory)") }
        self.handle = handle
    }

    deinit { curl_url_cleanup(handle) }

    func set(_ part: CURLUPart, _ text: String?, _ flags: Int32 = 0) -> Bool {
        curl_url_set(handle, part, text, UInt32(flags)) == CURLUE_OK
    }

    func get(_ part: CURLUPart, _ flags: Int32 = 0) -> String? {
        var raw: UnsafeMutablePointer<CChar>?
        guard curl_url_get(handle, part, &raw, UInt32(flags)) == CURLUE_OK, let raw else { return nil }
        defer { curl_free(raw) }
        return String(cString: raw)
    }
}
