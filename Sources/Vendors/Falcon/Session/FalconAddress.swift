// SPDX-License-Identifier: Apache-2.0

/// CrowdStrike's clouds. Source: Falcon API surface, 1.
public struct FalconCloud: Sendable, Hashable {
    /// `us-1`, `eu-1`, …
    public let name: String
    public let host: String
    /// Government clouds are reached by their own address only: nothing leads there or away from there.
    public let isGovernment: Bool
    private let spellings: Set<String>

    private init(_ name: String, _ host: String, isGovernment: Bool = false, also: Set<String> = []) {
        self.name = name
        self.host = host
        self.isGovernment = isGovernment
        spellings = also.union([Self.folded(name)])
    }

    public static let us1 = FalconCloud("us-1", "api.crowdstrike.com")
    public static let us2 = FalconCloud("us-2", "api.us-2.crowdstrike.com")
    public static let us3 = FalconCloud("us-3", "api.us-3.crowdstrike.com")
    public static let eu1 = FalconCloud("eu-1", "api.eu-1.crowdstrike.com")
    public static let usGov1 = FalconCloud(
        "us-gov-1", "api.laggar.gcw.crowdstrike.com", isGovernment: true, also: ["gov1"])
    public static let usGov2 = FalconCloud(
        "us-gov-2", "api.us-gov-2.crowdstrike.mil", isGovernment: true, also: ["gov2"])

    public static let all = [us1, us2, us3, eu1, usGov1, usGov2]

    /// By name in any spelling: `eu-1`, `EU1`, `USGOV2`.
    public init?(name: String) {
        let folded = Self.folded(name)
        guard let cloud = Self.all.first(where: { $0.spellings.contains(folded) }) else { return nil }
        self = cloud
    }

    public init?(host: String) {
        guard let cloud = Self.all.first(where: { $0.host == host.lowercased() }) else { return nil }
        self = cloud
    }

    private static func folded(_ name: String) -> String {
        name.lowercased().filter { $0 != "-" && $0 != "_" && $0 != " " }
    }
}

/// The base URL of a tenant's API, without a slash at the end.
public struct FalconAddress: Sendable, Hashable, CustomStringConvertible {
    public let scheme: String
    /// Lower case; an IPv6 address in brackets.
    public let host: String
    public let port: Int?
    /// Of a gateway in front; empty for CrowdStrike's own clouds.
    public let path: String

    public init(_ cloud: FalconCloud) { self.init(scheme: "https", host: cloud.host, port: nil, path: "") }

    private init(scheme: String, host: String, port: Int?, path: String) {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
    }

    /// A URL, a bare host (https is added) or a cloud's name (`us-1`, `EU1`). http is for loopback only.
    ///
    /// - Throws: ``FalconError/configuration(_:)`` for anything else.
    public init(_ text: String) throws(FalconError) {
        let trimmed = String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
        if let cloud = FalconCloud(name: trimmed) {
            self.init(cloud)
            return
        }
        func refused(_ reason: String) -> FalconError {
            .configuration(
                "The Falcon base URL \(reason). Give it as https://api.<cloud>.crowdstrike.com or as a cloud's name: "
                    + FalconCloud.all.map(\.name).joined(separator: ", ") + ".")
        }
        var rest = Substring(trimmed)
        var scheme = "https"
        if let separator = trimmed.range(of: "://") {
            scheme = trimmed[..<separator.lowerBound].lowercased()
            rest = trimmed[separator.upperBound...]
        }
        guard scheme == "https" || scheme == "http" else { throw refused("has neither https nor http") }
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !rest.contains(where: { "?#@\\\"<>".contains($0) })
        else {
            throw refused("contains a query, a user, a blank or other characters that do not belong there")
        }
        let authority = rest.prefix { $0 != "/" }
        var path = String(rest[authority.endIndex...])
        while path.hasSuffix("/") { path.removeLast() }
        var host = authority.lowercased()
        var port: Int?
        let afterBracket = host.lastIndex(of: "]") ?? host.startIndex
        if let colon = host[afterBracket...].lastIndex(of: ":") {
            guard let number = Int(host[host.index(after: colon)...]), (1...65_535).contains(number) else {
                throw refused("has a port that is none")
            }
            port = number
            host = String(host[..<colon])
        }
        guard !host.isEmpty, host.contains(".") || host.hasPrefix("[") || Self.isLoopback(host) else {
            throw refused("names no host and no known cloud")
        }
        guard scheme == "https" || Self.isLoopback(host) else {
            throw refused("must begin with https://: the client secret is sent there")
        }
        self.init(scheme: scheme, host: host, port: port == (scheme == "https" ? 443 : 80) ? nil : port, path: path)
    }

    public var description: String { scheme + "://" + host + (port.map { ":\($0)" } ?? "") + path }

    /// The cloud this is the entry of; `nil` for gateways and simulators.
    public var cloud: FalconCloud? { scheme == "https" && port == nil && path.isEmpty ? FalconCloud(host: host) : nil }

    public var isLoopback: Bool { Self.isLoopback(host) }

    /// Whether a redirect from here may carry the client secret to `target`: to CrowdStrike's own hosts over https, or to
    /// another port of this machine when we are talking to this machine.
    func maySendCredentials(to target: FalconAddress) -> Bool {
        if target.host == host, target.port == port, target.scheme == scheme { return true }
        if target.scheme == "https", target.port == nil,
            target.host.hasSuffix(".crowdstrike.com") || target.host.hasSuffix(".crowdstrike.mil")
        {
            return !isLoopback
        }
        return isLoopback && target.isLoopback
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

extension String {
    /// The first place of `text`, which is never empty here.
    fileprivate func range(of text: String) -> Range<String.Index>? { firstRange(of: text) }
}
