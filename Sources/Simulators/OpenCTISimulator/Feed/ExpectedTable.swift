// SPDX-License-Identifier: Apache-2.0

import JSON

/// The fields that an IOC must have.
struct ExpectedIOC: Sendable, Hashable {
    enum Expiration: Sendable, Hashable {
        case moment(String?)
        /// A removal with a date in the past leaves the one that stands; which that is depends on the target's batches.
        case unchanged
    }
    var severity: String
    var tags: [String]
    var platforms: [String]
    var expiration: Expiration
    var description: String?
}

/// What must stand at the target, followed event by event from how each was made.
///
/// A reference is an indicator that wants a value blocked; a value is removed with its last one, and shows what the
/// indicator with the latest event says. Source: OpenCTI → CrowdStrike Endpoint Security, 7.1.
struct ExpectedTable: Sendable {
    private struct Reference: Sendable {
        let ioc: ExpectedIOC
        let order: Int
    }
    private struct Entry: Sendable {
        var references: [String: Reference] = [:]
        var standing: ExpectedIOC
        /// When it was first wanted, and when it was last removed.
        var since: Int
        var removed: Int?
    }
    private var entries: [IOCKey: Entry] = [:]
    private var held: [String: Set<IOCKey>] = [:]
    private(set) var vetoed: Set<IOCKey> = []
    private var order = 0
    /// Events that cannot be read, and those that nothing follows from.
    private(set) var deadLetters = 0
    private(set) var skipped = 0

    /// A removal so many events after its first wish may be delivered as nothing at all, because both meet in one batch.
    private static let batchDistance = 5_000

    mutating func observe(_ indicator: FeedIndicator, isDeletion: Bool) {
        order += 1
        guard indicator.language == .stix else {
            skipped += 1
            return
        }
        guard !indicator.isBroken else {
            deadLetters += 1
            return
        }
        let isWanted = indicator.isLive && !isDeletion && indicator.platforms?.meant != []
        let keys = Set(indicator.pattern.keys)
        let ioc = indicator.contribution
        vetoed.formUnion(indicator.pattern.vetoed)
        if keys.isEmpty, indicator.pattern.vetoed.isEmpty { skipped += 1 }
        for key in held[indicator.id, default: []] where !isWanted || !keys.contains(key) {
            drop(key, of: indicator.id, ioc)
        }
        held[indicator.id] = isWanted ? keys : []
        guard isWanted else { return }
        for key in keys {
            let reference = Reference(ioc: ioc, order: order)
            entries[key, default: Entry(standing: ioc, since: order)].references[indicator.id] = reference
            entries[key]?.standing = ioc
            entries[key]?.removed = nil
        }
    }

    /// An event that is no indicator's.
    mutating func observeForeign(isReadable: Bool) {
        order += 1
        if isReadable { skipped += 1 } else { deadLetters += 1 }
    }

    private mutating func drop(_ key: IOCKey, of id: String, _ ioc: ExpectedIOC) {
        guard var entry = entries[key] else { return }
        entry.references[id] = nil
        if let latest = entry.references.values.max(by: { $0.order < $1.order }) {
            entry.standing = latest.ioc
        } else {
            entry.standing = ioc
            entry.removed = order
        }
        entries[key] = entry
    }

    /// Live references to a value.
    func references(_ key: IOCKey) -> Int { entries[key]?.references.count ?? 0 }
    func isKnown(_ key: IOCKey) -> Bool { entries[key] != nil }

    // MARK: Telling

    /// `present`, `gone`, `vetoed` by count.
    var counts: JSONObject {
        let present = entries.values.count { $0.removed == nil }
        return [
            "present": .int(present), "removed": .int(entries.count - present), "vetoed": .int(vetoed.count),
            "deadLetters": .int(deadLetters), "skipped": .int(skipped), "events": .int(order),
        ]
    }

    /// One JSON line an IOC, sorted.
    ///
    /// - Parameter isPermanent: removed values are gone; else they are marked with the tag `TO_DELETE`.
    func lines(isPermanent: Bool) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for (key, entry) in entries.sorted(by: { $0.key < $1.key }) {
            var line: JSONObject = ["type": .string(key.kind.rawValue), "value": .string(key.value)]
            if let removed = entry.removed {
                line["state"] = isPermanent ? "deleted" : "marked"
                if !isPermanent {
                    Self.describe(entry.standing, with: ["TO_DELETE"], in: &line)
                    if removed - entry.since < Self.batchDistance { line["optional"] = true }
                }
            } else {
                line["state"] = "present"
                Self.describe(entry.standing, with: [], in: &line)
            }
            lines.append(JSONValue.object(line).bytes + [0x0A])
        }
        for key in vetoed.sorted() where entries[key] == nil {
            let line: JSONValue = ["type": .string(key.kind.rawValue), "value": .string(key.value), "state": "vetoed"]
            lines.append(line.bytes + [0x0A])
        }
        return lines
    }

    private static func describe(_ ioc: ExpectedIOC, with tags: [String], in line: inout JSONObject) {
        line["severity"] = .string(ioc.severity)
        line["tags"] = .array((ioc.tags + tags).sorted().map { .string($0) })
        line["platforms"] = .array(ioc.platforms.map { .string($0) })
        if case .moment(let text) = ioc.expiration { line["expiration"] = text.map { .string($0) } ?? .null }
        if let description = ioc.description { line["description"] = .string(description) }
    }
}
