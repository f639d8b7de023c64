// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// A filter made ready for one table: texts that rows share are compared by number.
struct FQLMatcher {
    private indirect enum Test {
        case all([Test])
        case any([Test])
        case not(Test)
        case flag(Flag, Bool)
        case type(Set<IOCType>)
        case word(WordField, Set<UInt32>)
        case text(FQL.Clause)
        case always
    }
    private enum Flag {
        case deleted
        case expired
        case global
        case fromParent
    }
    private enum WordField {
        case source
        case createdBy
        case modifiedBy
    }

    private let root: Test
    /// Whether the filter says itself which of deleted and live it wants.
    let namesDeleted: Bool
    /// Values of which a match must have one, when the filter says so at its top; found through the index.
    let wantedValues: [String]?
    private let now: Int64

    init(_ filter: FQL?, _ table: IOCTable, now: Int64) {
        self.now = now
        root = filter.map { Self.test($0, table) } ?? .always
        namesDeleted = filter?.clauses.contains { $0.property == "deleted" } ?? false
        let top: [FQL] = if case .and(let parts)? = filter { parts } else { filter.map { [$0] } ?? [] }
        wantedValues =
            top.lazy.compactMap { part -> [String]? in
                guard case .clause(let clause) = part, clause.property == "value", !clause.isNegated,
                    clause.comparison == .equal
                else { return nil }
                let texts = clause.values.compactMap {
                    if case .text(let text) = $0, !text.isEmpty { text } else { nil }
                }
                return texts.count == clause.values.count ? texts : nil
            }.first
    }

    func matches(_ number: Int, in table: IOCTable) -> Bool { matches(root, number, table) }

    private func matches(_ test: Test, _ number: Int, _ table: IOCTable) -> Bool {
        switch test {
        case .always: return true
        case .all(let parts): return parts.allSatisfy { matches($0, number, table) }
        case .any(let parts): return parts.contains { matches($0, number, table) }
        case .not(let part): return !matches(part, number, table)
        case .type(let types): return types.contains(table.rows[number].type)
        case .flag(let flag, let wanted):
            let row = table.rows[number]
            switch flag {
            case .deleted: return row.isDeleted == wanted
            case .expired: return row.isExpired(at: now) == wanted
            case .global: return row.isGlobal == wanted
            case .fromParent: return !wanted
            }
        case .word(let field, let words):
            let row = table.rows[number]
            switch field {
            case .source: return words.contains(row.source)
            case .createdBy: return words.contains(row.createdBy)
            case .modifiedBy: return words.contains(row.modifiedBy)
            }
        case .text(let clause):
            return compare(IOCProperty.values(clause.property, of: number, in: table, now: now), clause)
        }
    }

    // MARK: Making tests

    private static func test(_ filter: FQL, _ table: IOCTable) -> Test {
        switch filter {
        case .and(let parts): return .all(parts.map { test($0, table) })
        case .or(let parts): return .any(parts.map { test($0, table) })
        case .clause(let clause):
            let test = fast(clause, table) ?? .text(clause)
            return clause.isNegated ? .not(test) : test
        }
    }

    private static func fast(_ clause: FQL.Clause, _ table: IOCTable) -> Test? {
        guard clause.comparison == .equal else { return nil }
        let flags: [String: Flag] = [
            "deleted": .deleted, "expired": .expired, "applied_globally": .global, "from_parent": .fromParent,
        ]
        if let flag = flags[clause.property], clause.values.count == 1 {
            switch clause.values[0] {
            case .bool(let wanted): return .flag(flag, wanted)
            case .text("true"): return .flag(flag, true)
            case .text("false"): return .flag(flag, false)
            default: return nil
            }
        }
        let texts = clause.values.compactMap { if case .text(let text) = $0 { text } else { nil } }
        guard texts.count == clause.values.count, !texts.contains("") else { return nil }
        if clause.property == "type" { return .type(Set(texts.compactMap { IOCType($0) })) }
        let fields: [String: WordField] = ["source": .source, "created_by": .createdBy, "modified_by": .modifiedBy]
        guard let field = fields[clause.property], clause.isList || clause.property != "source" else { return nil }
        return .word(field, Set(texts.compactMap { table.words.existing($0) }))
    }

    // MARK: Comparing

    private func compare(_ found: [IOCProperty.Value], _ clause: FQL.Clause) -> Bool {
        clause.values.contains { wanted in
            switch (clause.comparison, wanted) {
            case (.equal, .null): return found.isEmpty
            // The trap of the service: an empty value without brackets matches everything.
            case (.equal, .text("")) where !clause.isList: return true
            case (.equal, _): return found.contains { $0.equals(wanted, isExact: clause.isList) }
            case (.text, .text(let text)): return found.contains { $0.contains(text) }
            case (.wildcard, .text(let pattern)): return found.contains { $0.matches(pattern) }
            case (.text, _), (.wildcard, _): return false
            default: return found.contains { $0.isOrdered(clause.comparison, wanted) }
            }
        }
    }
}
