// SPDX-License-Identifier: Apache-2.0

import Engine
import Falcon
import JSON
import NetAddress

/// Falcon's action for what is pushed.
enum PushedAction: String, Sendable {
    case prevent
    case detect

    var types: [PushedType] { self == .prevent ? [.md5, .sha256] : PushedType.allCases }
}

/// Falcon's types of IOCs.
enum PushedType: String, Sendable, CaseIterable {
    case md5
    case sha256
    case ipv4
    case ipv6
    case domain

    /// `nil` for a value that can't be of this type.
    func canonical(_ text: String) -> String? {
        switch self {
        case .md5, .sha256:
            let isHash = text.utf8.count == (self == .md5 ? 32 : 64) && text.allSatisfy { $0.isASCII && $0.isHexDigit }
            return isHash ? text.lowercased() : nil
        case .ipv4, .ipv6:
            guard let address = IPAddress(parsing: text), address.isV4 == (self == .ipv4) else { return nil }
            return address.description
        case .domain: return try? DomainName(parsing: text, maxBytes: 200).ascii
        }
    }

    func subject(_ value: String) -> GuardSubject {
        switch self {
        case .md5, .sha256: .hash(value)
        case .ipv4, .ipv6: IPAddress(parsing: value).map { .address($0) } ?? .other
        case .domain: .domain(value)
        }
    }
}

/// One value as the original creates it.
struct PushedIOC: Sendable {
    /// How Falcon knows ours.
    static let source = "Sekoia.io"

    let type: PushedType
    let value: String
    var description: String?
    var expiration: String?

    init(type: PushedType, value: String) {
        self.type = type
        self.value = value
    }

    func payload(_ action: PushedAction) -> JSONObject {
        var object: JSONObject = [
            "value": .string(value), "type": .string(type.rawValue), "action": .string(action.rawValue),
            "severity": "high", "platforms": ["mac", "windows", "linux"], "tags": [.string(Self.source)],
            "source": .string(Self.source), "applied_globally": true,
        ]
        if let description { object["description"] = .string(description) }
        if let expiration { object["expiration"] = .string(expiration) }
        return object
    }
}
