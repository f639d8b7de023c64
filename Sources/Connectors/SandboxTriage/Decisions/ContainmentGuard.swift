// SPDX-License-Identifier: Apache-2.0

import Base

/// Who may not be cut off from the network, and how many an hour; or which files may not be given back to their hosts. One value
/// of each for all samples of the connector.
struct ContainmentGuard: Sendable {
    /// What is known of a host that is to be contained.
    struct Host: Sendable, Hashable {
        /// Agent id; of a file that is to be released, the file's.
        let id: String
        let name: String
        /// Ids and names of its groups.
        let groups: [String]
    }

    /// Host names (`*` stands for any characters) and ids or names of host groups, all without regard to case.
    let neverContain: [String]
    /// Within any hour. The first that is beyond it trips the breaker.
    let ceiling: Int
    private(set) var contained: [Instant] = []
    /// Set by the ceiling; only ``approve()`` takes it back.
    private(set) var isTripped = false

    static let ceilingReason = "containment ceiling"
    static let releaseReason = "release ceiling"
    /// One of both.
    let reason: String

    /// - Parameters:
    ///   - contained: when hosts were, as far as it is remembered from before.
    ///   - isTripped: it was when the process ended.
    init(
        neverContain: [String], ceiling: Int, reason: String = Self.ceilingReason, contained: [Instant] = [],
        isTripped: Bool = false
    ) {
        self.reason = reason
        self.neverContain = neverContain.map { $0.lowercased() }
        self.ceiling = ceiling
        self.contained = contained
        self.isTripped = isTripped
    }

    /// Judges hosts in ascending order of their ids; those that pass count as contained.
    ///
    /// - Returns: the reason for each host that may not be contained.
    mutating func vetoes(_ hosts: [Host], at now: Instant) -> [String: String] {
        contained.removeAll { $0.duration(to: now) >= .seconds(3600) }
        var vetoes: [String: String] = [:]
        for host in hosts.sorted(by: { $0.id < $1.id }) {
            if let rule = neverContain.first(where: { Self.matches($0, host) }) {
                vetoes[host.id] = "never_contain: \(rule)"
            } else if isTripped || contained.count >= ceiling {
                isTripped = true
                vetoes[host.id] = reason
            } else {
                contained.append(now)
            }
        }
        return vetoes
    }

    /// A person has looked: the hour begins anew.
    mutating func approve() {
        isTripped = false
        contained = []
    }

    private static func matches(_ rule: String, _ host: Host) -> Bool {
        isLike(Array(host.name.lowercased().utf8)[...], Array(rule.utf8)[...])
            || host.groups.contains { $0.lowercased() == rule }
    }

    /// Compares with a pattern whose `*` stands for any characters.
    private static func isLike(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        var (text, pattern) = (text, pattern)
        var retry: (text: ArraySlice<UInt8>, pattern: ArraySlice<UInt8>)?
        while true {
            if pattern.first == UInt8(ascii: "*") {
                pattern = pattern.dropFirst()
                retry = (text, pattern)
            } else if let byte = text.first, byte == pattern.first {
                (text, pattern) = (text.dropFirst(), pattern.dropFirst())
            } else if text.isEmpty, pattern.isEmpty {
                return true
            } else if let last = retry, !last.text.isEmpty {
                retry = (last.text.dropFirst(), last.pattern)
                (text, pattern) = (last.text.dropFirst(), last.pattern)
            } else {
                return false
            }
        }
    }
}
