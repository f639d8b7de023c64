// SPDX-License-Identifier: Apache-2.0

import Base

/// Something wrong with a pattern that the grammar lets through.
public struct PatternIssue: Sendable, Hashable {
    public enum Rule: String, Sendable, Hashable, CaseIterable {
        /// A value compared with `….hashes.<algorithm>` that no such hash can be.
        case malformedHash = "malformed-hash"
        /// Two qualifiers of one kind on one bracket: `[…] WITHIN 5 SECONDS WITHIN 6 SECONDS`.
        case duplicateQualifier = "duplicate-qualifier"
        /// START is not before STOP.
        case emptyInterval = "empty-interval"
        /// `t'2023-02-30T00:00:00Z'`
        case impossibleDate = "impossible-date"
        /// `REPEATS 0 TIMES` or `WITHIN 0 SECONDS`.
        case zeroQualifier = "zero-qualifier"
        /// Comparisons joined by AND that no single object can satisfy, as their object types differ.
        case mixedTypes = "mixed-types"

        /// Whether OASIS's validator (`cti-pattern-validator` 2.1.2) refuses the pattern for it. The rest only makes a
        /// pattern that can never match; the validator and the platform accept it, and so do we.
        public var isRefused: Bool { self == .malformedHash || self == .duplicateQualifier }
    }

    public let rule: Rule
    /// In bytes from the start of the pattern.
    public let offset: Int
    public let message: String
}

extension Pattern {
    /// What OASIS's validator and the specification ask beyond the grammar, in the order of the text.
    public var issues: [PatternIssue] {
        var inspector = PatternInspector()
        inspector.inspect(root)
        return inspector.issues.sorted { $0.offset < $1.offset }
    }

    /// Whether OASIS's validator accepts the pattern, which here has passed the grammar.
    public var isValid: Bool { !issues.contains { $0.rule.isRefused } }
}

private struct PatternInspector {
    private(set) var issues: [PatternIssue] = []

    private mutating func note(_ rule: PatternIssue.Rule, _ offset: Int, _ message: String) {
        issues.append(PatternIssue(rule: rule, offset: offset, message: message))
    }

    mutating func inspect(_ expression: ObservationExpression) {
        switch expression {
        case .observation(let inner, _): _ = inspect(inner)
        case .group(let inner): inspect(inner)
        case .and(let parts), .or(let parts), .followedBy(let parts): for part in parts { inspect(part) }
        case .qualified(let inner, let qualifiers):
            inspect(inner)
            // Repeated kinds are refused only right behind a bracket: around parentheses they may be meant.
            var isBracket = false
            if case .observation = inner { isBracket = true }
            var seen: Set<String> = []
            for qualifier in qualifiers {
                let keyword = inspect(qualifier)
                if !seen.insert(keyword).inserted, isBracket {
                    note(.duplicateQualifier, qualifier.offset, "\(keyword) qualifies one observation twice")
                }
            }
        }
    }

    private mutating func inspect(_ qualifier: Qualifier) -> String {
        let offset = qualifier.offset
        switch qualifier.kind {
        case .startStop(let start, let stop):
            let (first, last) = (Instant(parsing: start), Instant(parsing: stop))
            if first == nil { note(.impossibleDate, offset, "there is no date \(start)") }
            if last == nil { note(.impossibleDate, offset, "there is no date \(stop)") }
            if let first, let last, first >= last { note(.emptyInterval, offset, "START is not before STOP") }
            return "START"
        case .within(let seconds):
            if Double(seconds) == 0 { note(.zeroQualifier, offset, "nothing happens within 0 seconds") }
            return "WITHIN"
        case .repeats(let times):
            if Double(times) == 0 { note(.zeroQualifier, offset, "REPEATS needs at least 1") }
            return "REPEATS"
        }
    }

    /// - Returns: the object types that could satisfy the expression.
    private mutating func inspect(_ expression: ComparisonExpression) -> Set<String> {
        switch expression {
        case .comparison(let comparison):
            inspect(comparison)
            return [comparison.path.objectType]
        case .or(let parts):
            return parts.reduce(into: []) { $0.formUnion(inspect($1)) }
        case .and(let parts):
            var common: Set<String>?
            for part in parts {
                let types = inspect(part)
                if let before = common, !before.isEmpty, before.isDisjoint(with: types) {
                    note(.mixedTypes, part.offset, "no object is of this type and of those before it at once")
                }
                common = common?.intersection(types) ?? types
            }
            return common ?? []
        }
    }

    private mutating func inspect(_ comparison: Comparison) {
        for case .timestamp(let text) in comparison.literals where Instant(parsing: text) == nil {
            note(.impossibleDate, comparison.offset, "there is no date \(text)")
        }
        // LIKE, MATCHES and the subset operators take patterns, not hashes.
        switch comparison.operator {
        case .like, .matches, .isSubset, .isSuperset, .exists: return
        default: break
        }
        guard comparison.path.steps.contains(.key("hashes")), case .key(let name)? = comparison.path.steps.last,
            let algorithm = HashAlgorithm(tolerant: name), algorithm != .tlsh  // the validator knows no TLSH
        else { return }
        for literal in comparison.literals {
            if case .string(let value) = literal, algorithm.accepts(value.utf8) { continue }
            note(.malformedHash, comparison.offset, "the value is no \(algorithm.rawValue) hash")
        }
    }
}

extension ComparisonExpression {
    fileprivate var offset: Int {
        switch self {
        case .comparison(let comparison): comparison.offset
        case .and(let parts), .or(let parts): parts.first?.offset ?? 0
        }
    }
}
