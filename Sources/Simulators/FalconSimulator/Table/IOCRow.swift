// SPDX-License-Identifier: Apache-2.0

/// The kinds of values that IOC management takes (Falcon API, 4.1).
enum IOCType: UInt8, CaseIterable, Sendable {
    case md5
    case sha256
    case domain
    case ipv4
    case ipv6

    init?(_ text: String) {
        guard let found = Self.allCases.first(where: { $0.name == text }) else { return nil }
        self = found
    }

    var name: String {
        switch self {
        case .md5: "md5"
        case .sha256: "sha256"
        case .domain: "domain"
        case .ipv4: "ipv4"
        case .ipv6: "ipv6"
        }
    }

    var isHash: Bool { self == .md5 || self == .sha256 }
}

enum IOCAction: UInt8, CaseIterable, Sendable {
    case noAction
    case allow
    case preventNoUI
    case prevent
    case detect

    init?(_ text: String) {
        guard let found = Self.allCases.first(where: { $0.name == text }) else { return nil }
        self = found
    }

    var name: String {
        switch self {
        case .noAction: "no_action"
        case .allow: "allow"
        case .preventNoUI: "prevent_no_ui"
        case .prevent: "prevent"
        case .detect: "detect"
        }
    }

    /// Network values can only be detected or listed.
    var isForHashesOnly: Bool { self == .allow || self == .prevent || self == .preventNoUI }
    var needsSeverity: Bool { self == .prevent || self == .detect }
}

enum IOCSeverity: UInt8, CaseIterable, Sendable {
    case unset
    case informational
    case low
    case medium
    case high
    case critical

    /// Upper case is accepted, as CrowdStrike's own sample file has it.
    init?(_ text: String) {
        guard !text.isEmpty, let found = Self.allCases.first(where: { $0.name == text.lowercased() }) else {
            return nil
        }
        self = found
    }

    var name: String {
        switch self {
        case .unset: ""
        case .informational: "informational"
        case .low: "low"
        case .medium: "medium"
        case .high: "high"
        case .critical: "critical"
        }
    }

    /// What `severity_number` sorts by; the vendor's numbers are not published.
    var number: Int { Int(rawValue) * 20 - 10 }
}

struct IOCPlatforms: OptionSet, Hashable, Sendable {
    let rawValue: UInt8
    static let names = ["windows", "mac", "linux", "android", "ios"]
    static let desktop: IOCPlatforms = [.init(rawValue: 1), .init(rawValue: 2), .init(rawValue: 4)]
    static let mobile: IOCPlatforms = [.init(rawValue: 8), .init(rawValue: 16)]

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init?(_ name: String) {
        guard let bit = Self.names.firstIndex(of: name) else { return nil }
        rawValue = 1 << bit
    }

    var list: [String] { Self.names.indices.filter { rawValue & 1 << $0 != 0 }.map { Self.names[$0] } }
}

/// A piece of ``Arena``.
struct TextSpan: Sendable {
    var position: UInt32 = 0
    var length: UInt32 = 0
}

/// One IOC in about ninety bytes: text that repeats is a number into ``Words``, the rest stands in the ``Arena``.
struct IOCRow: Sendable {
    var value: TextSpan
    var type: IOCType
    var action: IOCAction
    var mobileAction: IOCAction
    var severity: IOCSeverity
    var platforms: IOCPlatforms
    var isGlobal: Bool
    var isDeleted = false
    var source: UInt32 = 0
    /// A JSON array of text.
    var tags: UInt32 = 0
    /// A JSON array of text.
    var hostGroups: UInt32 = 0
    var filename: UInt32 = 0
    var description = TextSpan()
    /// Milliseconds since 1970; `Int64.max` for none.
    var expiration = Int64.max
    var createdOn: Int64
    var modifiedOn: Int64
    var createdBy: UInt32
    var modifiedBy: UInt32

    func isExpired(at now: Int64) -> Bool { expiration <= now }
}
