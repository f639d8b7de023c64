// SPDX-License-Identifier: Apache-2.0

/// The platform's version: `6.8.10`, or since 7 `7.260817.0` with a date as minor version.
struct Release: Sendable, Hashable, Comparable {
    let major: Int
    let minor: Int
    let patch: Int

    init(_ major: Int, _ minor: Int, _ patch: Int = 0) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// `nil` when it does not begin with two numbers.
    init?(parsing text: String) {
        let parts = text.split(separator: ".", maxSplits: 2).map { $0.prefix { $0.isASCII && $0.isNumber } }
        guard parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1]) else { return nil }
        self.init(major, minor, parts.count > 2 ? Int(parts[2]) ?? 0 : 0)
    }

    static func < (left: Release, right: Release) -> Bool {
        (left.major, left.minor, left.patch) < (right.major, right.minor, right.patch)
    }

    // When the platform learnt what. Source: OpenCTI protocol, 2.3, 2.4, 4.3, 6 and 9.
    static let always = Release(0, 0)
    static let routingKeys = Release(5, 4)
    static let playbooks = Release(5, 11)
    static let filterGroups = Release(5, 12)
    static let nestedErrors = Release(6, 0)
    static let connectorInfo = Release(6, 2)
    static let playbookEvents = Release(6, 1)
    static let bundlePush = Release(6, 3)
    static let drafts = Release(6, 4)
    static let callbacks = Release(6, 5)
    static let autoUpdate = Release(6, 8, 10)
    static let workProbe = Release(6, 8, 10)
    static let objectStore = Release(6, 9)
    static let consumerMetrics = Release(6, 9, 29)
    static let keySet = Release(7, 0)
    static let multiPartWorks = Release(7, 260_430)
    static let intent = Release(7, 260_701)
    static let connectorVersion = Release(7, 261_026)
}
