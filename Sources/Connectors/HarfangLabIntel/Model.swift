// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import HarfangLab
import Hashing
import NetAddress
import Storage

/// How contributions of indicators become one rule. Pure but for a kept hashing context.
final class RuleModel: StateModel {
    /// Whether rules are deleted; otherwise they are switched off.
    let removes: Bool
    private let hasher = SharedKeyHasher()

    init(removes: Bool) { self.removes = removes }

    /// The ledger's key of a rule.
    func key(_ subject: RuleSubject) -> Digest128 { hasher.digest(subject.label, subject.folded) }

    /// The ledger's name of an indicator: the bytes of its UUID, or the digest of an id of another form.
    func source(_ id: String) -> Digest128 { hasher.name(of: id) }

    func digest(of content: [UInt8]) -> Digest128 {
        hasher.digest(RuleContent(encoded: content)?.essence ?? content)
    }

    /// The indicator with the latest event stands: description, score and platforms are its.
    func merged(_ owners: [LedgerOwner]) -> [UInt8] {
        owners.max { left, right in
            left.event != right.event ? left.event < right.event : left.source < right.source
        }?.contribution ?? []
    }

    /// The rule leaves with what its owner contributed; the template only says whether it goes on under a new name.
    func removal(of contribution: [UInt8], by template: [UInt8]) -> [UInt8] {
        guard var content = RuleContent(encoded: contribution), let event = RuleContent(encoded: template) else {
            return contribution
        }
        content.isRenamed =
            event.isRenamed && event.subject.kind == content.subject.kind && content.subject.kind != .ioc
        content.owners = event.owners
        return content.encoded
    }

    func remainder(of removal: [UInt8]) -> Remainder {
        guard let content = RuleContent(encoded: removal) else { return .nothing }
        if removes || content.isRenamed { return .nothing }
        if case .leftovers = content.subject { return .nothing }
        // A switched-off rule keeps whatever is stored, so that nothing but its subject makes the content.
        var marked = RuleContent(content.subject)
        marked.isMarked = true
        return .marked(marked.encoded)
    }

    func subject(of content: [UInt8]) -> GuardSubject {
        guard let content = RuleContent(encoded: content), case .ioc(let type, let value) = content.subject else {
            return .other
        }
        switch type {
        case .address:
            // Of a block its first address: a private or loopback block begins with one.
            return IPAddress(parsing: value.prefix { $0 != "/" }).map { .address($0) } ?? .other
        case .domain: return .domain(value.lowercased())
        case .hash: return .hash(value.lowercased())
        case .url, .fileName: return .other
        }
    }

    /// Always: an original may have made the rule, and no index of the console is read at the start.
    func mustLookUp(_ removal: [UInt8]) -> Bool { true }
}
