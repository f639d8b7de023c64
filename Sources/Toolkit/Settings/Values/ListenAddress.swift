// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// A numeric IP address to listen at, without a port. `localhost` reads as 127.0.0.1.
public struct BindAddress: SettingValue, Hashable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let text: String
    public var description: String { text }
    public var settingText: String { text }
    public static let loopback: BindAddress = "127.0.0.1"

    /// Whether others can reach it.
    public var isLoopback: Bool { text == "::1" || text.hasPrefix("127.") }

    public static var kind: SettingKind {
        SettingKind("IP address", expectation: "an IP address of this machine, or 0.0.0.0 for all of them")
    }

    public init(reading raw: RawSetting) throws(InvalidValue) { try self.init(parsing: raw.text()) }

    public init(stringLiteral value: String) {
        do { try self.init(parsing: value) } catch { preconditionFailure("“\(value)” \(error.what)") }
    }

    public init(parsing text: String) throws(InvalidValue) {
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        let address = bare.lowercased() == "localhost" ? "127.0.0.1" : bare.lowercased()
        guard isAddress(AF_INET, address) || isAddress(AF_INET6, address) else {
            throw InvalidValue("is no IP address")
        }
        self.text = address
    }
}

/// Address and port to listen at: `127.0.0.1:8080`, `[::1]:8080`, `8080` or `:8080` (loopback), port 0 for a free one.
public struct ListenAddress: SettingValue, Hashable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let address: BindAddress
    public let port: Int

    public var description: String {
        address.text.contains(":") ? "[\(address.text)]:\(port)" : "\(address.text):\(port)"
    }
    public var settingText: String { description }

    public static var kind: SettingKind {
        SettingKind("address:port", expectation: "an address and port such as 127.0.0.1:8080")
    }

    public init(address: BindAddress, port: Int) {
        self.address = address
        self.port = port
    }

    public init(reading raw: RawSetting) throws(InvalidValue) { try self.init(parsing: raw.text()) }

    public init(stringLiteral value: String) {
        do { try self.init(parsing: value) } catch { preconditionFailure("“\(value)” \(error.what)") }
    }

    public init(parsing text: String) throws(InvalidValue) {
        let colon = text.lastIndex(of: ":")
        let portText = colon.map { text[text.index(after: $0)...] } ?? text[...]
        guard let port = Int(portText), (0...65_535).contains(port) else {
            throw InvalidValue("has no valid port", remedy: "Give \(Self.kind.expectation).")
        }
        let host = colon.map { String(text[..<$0]) } ?? ""
        address = host.isEmpty ? .loopback : host == "*" ? "0.0.0.0" : try BindAddress(parsing: host)
        self.port = port
    }
}
