// SPDX-License-Identifier: Apache-2.0

import OpenCTI
import STIX

/// The values that an indicator asks rules for: those of its linked observables and those of its pattern.
///
/// Source: HarfangLab ↔ OpenCTI, 2.3.
struct RuleItems {
    /// In the order of the console's calls: linked observables, then what else the pattern names.
    private(set) var subjects: [RuleSubject] = []
    /// What gives no rule, with the reason: `unsupported_path`, `unsupported_operator`, `unsupported_observable`.
    private(set) var skipped: [(code: String, reason: String)] = []

    /// A comparison that gives a value.
    private struct Entry {
        let type: IOCRuleType?
        let value: String
        let path: String
    }

    /// - Throws: when the pattern leaves the grammar; nothing of it may then be used.
    init(
        pattern: String, observables: [IndicatorRecord.LinkedObservable], skipsNameWithHash: Bool = false
    ) throws(PatternError) {
        var skipped: [(code: String, reason: String)] = []
        var entries = try Self.entries(of: pattern, &skipped)
        self.skipped = skipped
        if skipsNameWithHash {
            let bound = Set(try PatternParser.observables(in: pattern).observables.compactMap(\.fileName))
            entries.removeAll { $0.type == .fileName && bound.contains($0.value) }
        }
        var seen: Set<String> = []
        for observable in observables {
            let entry = entries.first { $0.value == observable.value }
            guard let type = entry?.type ?? Self.type(of: observable) else {
                self.skipped.append(("unsupported_observable", observable.type))
                continue
            }
            seen.insert(observable.value)
            add(.ioc(type, observable.value))
        }
        for entry in entries where !seen.contains(entry.value) {
            guard let type = entry.type else {
                self.skipped.append(("unsupported_path", entry.path))
                continue
            }
            add(.ioc(type, entry.value))
        }
    }

    private mutating func add(_ subject: RuleSubject) {
        guard case .ioc(let type, let value) = subject else { return }
        if type == .hash, !Self.isHash(value) {
            skipped.append(("unsupported_hash", "neither MD5, SHA-1, SHA-256 nor SHA-512"))
            return
        }
        if !subjects.contains(where: { $0.label == subject.label && $0.folded == subject.folded }) {
            subjects.append(subject)
        }
    }

    /// The rule type of a linked observable; `nil` for those that no rule can look for.
    static func type(of observable: IndicatorRecord.LinkedObservable) -> IOCRuleType? {
        guard !observable.value.isEmpty else { return nil }
        switch observable.type {
        // A file's display value is its hash, else its name, else this word.
        case "StixFile": return observable.value == "Unknown" ? nil : isHash(observable.value) ? .hash : .fileName
        case "Domain-Name", "Hostname": return .domain
        case "IPv4-Addr", "IPv6-Addr": return .address
        case "Url": return .url
        default: return nil
        }
    }

    static func isHash(_ text: String) -> Bool {
        [HashAlgorithm.md5, .sha1, .sha256, .sha512].contains { $0.accepts(text.utf8) }
    }

    private static func entries(
        of pattern: String, _ skipped: inout [(code: String, reason: String)]
    ) throws(PatternError) -> [Entry] {
        var entries: [Entry] = []
        var notes: [(code: String, reason: String)] = []
        var text = pattern
        let result = text.withUTF8 { bytes in
            Result { () throws(PatternError) in
                try PatternParser.forEachComparison(in: bytes) { comparison in
                    read(comparison, &entries, &notes)
                }
            }
        }
        try result.get()
        skipped += notes
        return entries
    }

    private static func read(
        _ comparison: ComparisonView, _ entries: inout [Entry], _ notes: inout [(code: String, reason: String)]
    ) {
        let path = comparison.path
        let type = type(of: path)
        let isSubset = comparison.operator == .isSubset && type == .address
        guard !comparison.isNegated, [.equal, .in].contains(comparison.operator) || isSubset else {
            // What is excluded must never become a rule.
            let negation = comparison.isNegated ? "NOT " : ""
            notes.append(("unsupported_operator", negation + comparison.operator.rawValue))
            return
        }
        guard case .string(let value)? = comparison.literal, !value.isEmpty else {
            notes.append(("unsupported_path", path.description))
            return
        }
        entries.append(Entry(type: type, value: value, path: path.description))
    }

    private static func type(of path: ObjectPath) -> IOCRuleType? {
        guard case .key(let property)? = path.steps.first else { return nil }
        switch (path.objectType.lowercased(), property.lowercased(), path.steps.count) {
        case ("ipv4-addr", "value", 1), ("ipv6-addr", "value", 1): return .address
        case ("domain-name", "value", 1), ("hostname", "value", 1): return .domain
        case ("url", "value", 1): return .url
        case ("file", "name", 1): return .fileName
        case ("file", "hashes", 2):
            guard case .key(let name) = path.steps[1], let algorithm = HashAlgorithm(tolerant: name),
                [.md5, .sha1, .sha256, .sha512].contains(algorithm)
            else { return nil }
            return .hash
        default: return nil
        }
    }
}
