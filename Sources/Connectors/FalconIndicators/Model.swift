// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import Hashing
import NetAddress
import Storage

/// How contributions of indicators become one custom indicator. Pure but for a kept hashing context.
final class IOCModel: StateModel {
    struct Policy: Sendable {
        /// Delete at Falcon instead of marking.
        var isPermanent = false
        /// A soft delete disarms the indicator.
        var disarms = false
    }

    private let policy: Policy
    private let hasher = SharedKeyHasher()

    init(_ policy: Policy) { self.policy = policy }

    /// The ledger's key of a value at this tenant.
    func key(_ type: IOCType, _ value: String) -> Digest128 { hasher.digest(type.description, value) }

    /// The ledger's name of an indicator: the bytes of its UUID, or the digest of an id of another form.
    func source(_ id: String) -> Digest128 { hasher.name(of: id) }

    func digest(of content: [UInt8]) -> Digest128 { hasher.digest(content) }

    /// Within a flow the indicator with the latest event stands. Across flows the strictest action and the latest
    /// expiration do (none is latest), the rest comes from the latest event.
    func merged(_ owners: [LedgerOwner]) -> [UInt8] {
        guard owners.count > 1 else { return owners.first?.contribution ?? [] }
        var latest: [Int64: LedgerOwner] = [:]
        for owner in owners {
            if let known = latest[owner.flow], Self.isLater(known, owner) { continue }
            latest[owner.flow] = owner
        }
        let standing = latest.values.sorted { Self.isLater($1, $0) }
        guard let last = standing.last else { return [] }
        guard standing.count > 1, var content = IOCContent(encoded: last.contribution) else { return last.contribution }
        for owner in standing.dropLast() {
            guard let other = IOCContent(encoded: owner.contribution) else { continue }
            if other.action > content.action {
                if content.action == .allow { content.severity = other.severity }
                content.action = other.action
            }
            switch (content.expiration, other.expiration) {
            case (.at(let mine), .at(let theirs)): content.expiration = .at(max(mine, theirs))
            case (_, .none): content.expiration = .none
            default: break
            }
        }
        return content.encoded
    }

    private static func isLater(_ left: LedgerOwner, _ right: LedgerOwner) -> Bool {
        left.event != right.event ? left.event > right.event : left.source > right.source
    }

    func removal(of contribution: [UInt8], by template: [UInt8]) -> [UInt8] {
        guard var content = IOCContent(encoded: contribution) else { return contribution }
        guard let event = IOCContent(encoded: template) else { return contribution }
        content.severity = event.severity
        content.description = event.description
        content.expiration = event.expiration
        content.tags = event.tags
        if !event.platforms.isEmpty { content.platforms = event.platforms }
        return content.encoded
    }

    func remainder(of removal: [UInt8]) -> Remainder {
        guard !policy.isPermanent, var content = IOCContent(encoded: removal) else { return .nothing }
        content.isMarked = true
        content.tags = IOCContent.ordered(content.tags + [IOCContent.deletedTag])
        if policy.disarms { content.action = .noAction }
        return .marked(content.encoded)
    }

    func subject(of content: [UInt8]) -> GuardSubject {
        guard let content = IOCContent(encoded: content) else { return .other }
        switch content.type {
        case .domain: return .domain(content.value)
        case .ipv4, .ipv6: return IPAddress(parsing: content.value).map { .address($0) } ?? .other
        case .md5, .sha256: return .hash(content.value)
        }
    }

    /// An indicator as the tenant shows it, in the ledger's terms; `nil` for one that this connector could not have made.
    func observed(_ ioc: IOC) -> ObservedEntry? {
        guard let type = IOCType(named: ioc.row.type) else { return nil }
        let key = key(type, canonical(ioc.row.value, type))
        return ObservedEntry(key: key, remoteID: ioc.row.id, digest: digest(ofObserved: ioc, type))
    }

    private func canonical(_ value: String, _ type: IOCType) -> String {
        IndicatorValue.canonical(value, as: type) ?? value
    }

    // The digest that our own content would have, so that an unchanged indicator needs no write; zero when the tenant's
    // object says something that we never write.
    private func digest(ofObserved ioc: IOC, _ type: IOCType) -> Digest128 {
        let unknown = Digest128(high: 0, low: 0)
        guard let action = IOCAction(named: ioc.action), ioc.mobileAction == ioc.action,
            ioc.source == IOCContent.source, ioc.isAppliedGlobally, ioc.hostGroups.isEmpty
        else { return unknown }
        let severity: IOCSeverity
        if action == .allow {
            severity = .medium
        } else if let named = IOCSeverity.allCases.first(where: { $0.description == ioc.severity.lowercased() }) {
            severity = named
        } else {
            return unknown
        }
        var platforms: IOCPlatforms = []
        for name in ioc.platforms {
            guard let known = IOCPlatforms.named.first(where: { $0.1.description == name }) else { return unknown }
            platforms.insert(known.0)
        }
        var content = IOCContent(
            type: type, value: canonical(ioc.row.value, type), action: action, severity: severity,
            platforms: platforms, description: ioc.description,
            expiration: ioc.expiration.map { .at(Instant(milliseconds: $0.milliseconds / 1000 * 1000)) } ?? .none,
            tags: IOCContent.ordered(ioc.tags), fileName: ioc.fileName ?? "")
        content.isMarked = ioc.tags.contains(IOCContent.deletedTag)
        return digest(of: content.encoded)
    }
}
