// SPDX-License-Identifier: Apache-2.0

/// A platform's version: `6.8.10`, or since 7 `7.260817.0` with the date as minor version.
public struct PlatformVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let major: Int
    public let minor: Int
    public let patch: Int

    public init(_ major: Int, _ minor: Int, _ patch: Int = 0) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// `6.8.10`, `7.260817`, `6.9.0-SNAPSHOT`; `nil` when it does not begin with two numbers.
    public init?(parsing text: some StringProtocol) {
        var numbers: [Int] = []
        for part in text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false) {
            guard let number = Int(part.prefix { $0.isASCII && $0.isNumber }) else { break }
            numbers.append(number)
            if !part.allSatisfy({ $0.isASCII && $0.isNumber }) { break }
        }
        guard numbers.count >= 2 else { return nil }
        self.init(numbers[0], numbers[1], numbers.count > 2 ? numbers[2] : 0)
    }

    public static func < (left: PlatformVersion, right: PlatformVersion) -> Bool {
        (left.major, left.minor, left.patch) < (right.major, right.minor, right.patch)
    }

    public var description: String { "\(major).\(minor).\(patch)" }
}

/// What a platform of some version understands; what it lacks is never sent. Where the exact release is not known, the
/// first one known to have it counts. Source: OpenCTI protocol, 2.3, 6 and 9.
extension PlatformVersion {
    /// `connection.vhost`, routing keys and `connector_user_id` in the registration's answer.
    public var hasRoutingKeys: Bool { self >= PlatformVersion(5, 4) }
    /// `playbook_compatible`.
    public var hasPlaybooks: Bool { self >= PlatformVersion(5, 11) }
    /// `FilterGroup` instead of one filter type per entity.
    public var hasFilterGroups: Bool { self >= PlatformVersion(5, 12) }
    /// `event_id` in a playbook's answer.
    public var hasPlaybookEvents: Bool { self >= PlatformVersion(6, 1) }
    /// `stixBundlePush`, and workers that split bundles.
    public var hasBundlePush: Bool { self >= PlatformVersion(6, 3) }
    /// Drafts.
    public var hasDrafts: Bool { self >= PlatformVersion(6, 4) }
    /// `connectorInfo` in the ping.
    public var hasConnectorInfo: Bool { self >= PlatformVersion(6, 2) }
    /// `listen_callback_uri`.
    public var hasCallbacks: Bool { self >= PlatformVersion(6, 5) }
    /// `auto_update`, `enrichment_resolution`.
    public var hasAutoUpdate: Bool { self >= PlatformVersion(6, 8, 10) }
    /// `isWorkAlive`.
    public var hasWorkProbe: Bool { self >= PlatformVersion(6, 8, 10) }
    /// `jwks`.
    public var hasKeySet: Bool { self >= PlatformVersion(7, 260_224) }
    /// `isMultiPartWork`.
    public var hasMultiPartWorks: Bool { self >= PlatformVersion(7, 260_430) }
    /// Workbenches became drafts as the way of validation.
    public var prefersDrafts: Bool { self >= PlatformVersion(7, 0) }
    /// `workEdit { ping }`.
    public var hasWorkPing: Bool { self >= PlatformVersion(6, 3) }
    /// `xtm_one_intent`.
    public var hasIntent: Bool { self >= PlatformVersion(7, 260_701) }
    /// `version` and `slug` in the registration.
    public var hasConnectorVersion: Bool { self >= PlatformVersion(7, 261_026) }
}
