// SPDX-License-Identifier: Apache-2.0

/// Something that a sensor can look for: one value of one kind, in its canonical spelling.
public struct Observable: Sendable, Hashable {
    public let type: ObservableType
    /// Canonical: lower-case hashes and domains, punycode, RFC 5952 addresses.
    public let value: String
    /// Of a hash: the name that the pattern demands of the same file (`file:name = 'evil.exe' AND …`), if it demands
    /// exactly one.
    public var fileName: String?

    public init(type: ObservableType, value: String, fileName: String? = nil) {
        self.type = type
        self.value = value
        self.fileName = fileName
    }
}

public enum ObservableType: Sendable, Hashable, CustomStringConvertible {
    case domainName
    case hostname
    case ipv4Address
    case ipv6Address
    case url
    case emailAddress
    case fileName
    case fileHash(HashAlgorithm)

    /// The STIX object type where the value is the object, else what of a file it is: `domain-name`, `hostname`,
    /// `ipv4-addr`, `ipv6-addr`, `url`, `email-addr`, `file-name`, `MD5`, `SHA-256`…
    public var description: String {
        switch self {
        case .domainName: "domain-name"
        case .hostname: "hostname"
        case .ipv4Address: "ipv4-addr"
        case .ipv6Address: "ipv6-addr"
        case .url: "url"
        case .emailAddress: "email-addr"
        case .fileName: "file-name"
        case .fileHash(let algorithm): algorithm.rawValue
        }
    }
}

/// What a pattern gives: its observables, each once and in the order of the text, and what was left out and why.
public struct ExtractedObservables: Sendable, Equatable {
    public var observables: [Observable] = []
    public var skipped: [SkippedComparison] = []

    public init() {}
}

/// A comparison, or one element of a set, that became no observable.
public struct SkippedComparison: Sendable, Hashable, CustomStringConvertible {
    public enum Reason: Sendable, Hashable, CustomStringConvertible {
        /// `NOT`, also before `!=`: the value is not what is looked for.
        case negated
        /// Any operator but `=` and `IN`: no single value.
        case unsupportedOperator(ComparisonOperator)
        /// A property that no sensor here can look for.
        case unsupportedPath
        /// A number, boolean, binary, hexadecimal or timestamp literal where a text is needed.
        case notText
        /// A block of addresses, canonical: `198.51.100.0/24`.
        case addressRange(String)
        /// The value can't be what the property says, with the reason.
        case invalidValue(String)

        public var description: String {
            switch self {
            case .negated: "negated, so the value is not what is looked for"
            case .unsupportedOperator(let comparison): "\(comparison.rawValue) names no single value"
            case .unsupportedPath: "the property has no counterpart at a sensor"
            case .notText: "the value is no text"
            case .addressRange(let range): "\(range) is a range, not a single address"
            case .invalidValue(let reason): reason
            }
        }

        /// A stable short name for a metric label.
        public var label: String {
            switch self {
            case .negated: "negated"
            case .unsupportedOperator: "operator"
            case .unsupportedPath: "path"
            case .notText: "not_text"
            case .addressRange: "address_range"
            case .invalidValue: "invalid_value"
            }
        }
    }

    /// `network-traffic:dst_port`
    public let path: String
    /// In bytes from the start of the pattern: the comparison, or the element of a set.
    public let offset: Int
    public let reason: Reason

    public var description: String { "\(path) at byte \(offset): \(reason)" }
}
