// SPDX-License-Identifier: Apache-2.0

/// One HTTP request, read whole: the body is bounded by ``WebServer/Configuration/maxBodyBytes``.
public struct ServerRequest: Sendable {
    /// Upper case as sent: `GET`, `POST`, …
    public var method: String
    /// Percent-decoded, always with a leading slash. A path that is no valid UTF-8 has its bad bytes replaced.
    public var path: String
    /// The path as sent. An encoded slash in it does not separate segments.
    public var rawPath: String
    /// What stands behind the first `?`, as sent; empty without one.
    public var rawQuery: String
    public var query: QueryItems
    public var headers: ServerHeaders
    public var body: [UInt8]
    /// Values of the route's `{name}` segments, percent-decoded.
    public var parameters: [String: String]
    /// Numeric address of the other side; empty when unknown.
    public var peer: String

    /// - Parameter target: path and query as they stand in the request line: `/a%20b?x=1`.
    public init(
        method: String, target: String, headers: ServerHeaders = [:], body: [UInt8] = [], peer: String = ""
    ) {
        self.method = method
        self.headers = headers
        self.body = body
        self.peer = peer
        let mark = target.utf8.firstIndex(of: UInt8(ascii: "?"))
        let rawPath = mark.map { target[..<$0] } ?? target[...]
        self.rawPath = String(rawPath)
        let decoded = PercentDecoding.decode(rawPath, plusIsBlank: false)
        path = decoded.utf8.first == UInt8(ascii: "/") ? decoded : "/" + decoded
        rawQuery = mark.map { String(target[target.utf8.index(after: $0)...]) } ?? ""
        query = QueryItems(parsing: rawQuery)
        parameters = [:]
    }
}

/// The parameters of a query string or a form, decoded, in order; a name may occur more than once.
public struct QueryItems: Sendable, Hashable {
    public struct Item: Sendable, Hashable {
        public let name: String
        public let value: String
    }
    public let items: [Item]

    /// Reads `a=1&b=x%20y&b=z`: pairs end at `&`, `+` is a blank, a name without `=` has an empty value.
    public init(parsing text: String) {
        items =
            text.isEmpty
            ? []
            : text.utf8.split(separator: UInt8(ascii: "&")).map { pair in
                let equals = pair.firstIndex(of: UInt8(ascii: "="))
                let name = PercentDecoding.decode(Substring(pair[..<(equals ?? pair.endIndex)]), plusIsBlank: true)
                guard let equals else { return Item(name: name, value: "") }
                let value = Substring(pair[pair.index(after: equals)...])
                return Item(name: name, value: PercentDecoding.decode(value, plusIsBlank: true))
            }
    }

    /// The first value of that name.
    public subscript(_ name: String) -> String? { items.first { $0.name == name }?.value }

    /// Every value of that name, in order.
    public func all(_ name: String) -> [String] { items.filter { $0.name == name }.map(\.value) }
}

enum PercentDecoding {
    /// Broken escapes stay as they are; bytes that are no UTF-8 become U+FFFD.
    static func decode(_ text: Substring, plusIsBlank: Bool) -> String {
        let percent = UInt8(ascii: "%")
        let plus = UInt8(ascii: "+")
        guard text.utf8.contains(where: { $0 == percent || (plusIsBlank && $0 == plus) }) else { return String(text) }
        let bytes = Array(text.utf8)
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == percent, index + 2 < bytes.count, let high = nibble(bytes[index + 1]),
                let low = nibble(bytes[index + 2])
            {
                decoded.append(high << 4 | low)
                index += 3
                continue
            }
            decoded.append(plusIsBlank && byte == plus ? UInt8(ascii: " ") : byte)
            index += 1
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
