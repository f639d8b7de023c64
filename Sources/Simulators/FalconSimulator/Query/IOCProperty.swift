// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// The properties of an IOC as filters and sorting see them.
enum IOCProperty {
    enum Value: Comparable {
        case number(Int64)
        case text(String)

        func equals(_ wanted: FQL.Value, isExact: Bool) -> Bool {
            switch (self, wanted) {
            case (.text(let text), .text(let other)):
                isExact ? text == other : text.lowercased() == other.lowercased()
            case (.number(let number), .number(let other)): number == other
            case (.number(let number), .text(let other)): Instant(parsing: other)?.milliseconds == number
            case (.text(let text), .bool(let other)): text == String(other)
            default: false
            }
        }

        /// `~`: one of the words of the text, without regard to case.
        func contains(_ wanted: String) -> Bool {
            guard case .text(let text) = self else { return false }
            let words = text.lowercased().split { !$0.isLetter && !$0.isNumber }
            return wanted.lowercased().split { !$0.isLetter && !$0.isNumber }.allSatisfy { words.contains($0) }
        }

        func matches(_ pattern: String) -> Bool {
            guard case .text(let text) = self else { return false }
            let parts = pattern.lowercased().split(separator: "*", omittingEmptySubsequences: false)
            var rest = text.lowercased()[...]
            guard parts.count > 1 else { return rest == parts.first ?? "" }
            guard rest.hasPrefix(parts[0]) else { return false }
            rest = rest.dropFirst(parts[0].count)
            for part in parts.dropFirst().dropLast() where !part.isEmpty {
                guard let found = rest.firstRange(of: part) else { return false }
                rest = rest[found.upperBound...]
            }
            return rest.hasSuffix(parts[parts.count - 1])
        }

        func isOrdered(_ comparison: FQL.Clause.Comparison, _ wanted: FQL.Value) -> Bool {
            let other: Value
            switch (self, wanted) {
            case (.number, .number(let number)): other = .number(Int64(number))
            case (.number, .text(let text)):
                guard let moment = Instant(parsing: text) else { return false }
                other = .number(moment.milliseconds)
            case (.text, .text(let text)): other = .text(text)
            default: return false
            }
            switch comparison {
            case .greater: return self > other
            case .greaterOrEqual: return self >= other
            case .less: return self < other
            case .lessOrEqual: return self <= other
            default: return false
            }
        }
    }

    static let sortable: Set<String> = [
        "action", "applied_globally", "metadata.av_hits", "metadata.company_name.raw", "created_by", "created_on",
        "expiration", "expired", "metadata.filename.raw", "modified_by", "modified_on",
        "metadata.original_filename.raw", "metadata.product_name.raw", "metadata.product_version", "severity_number",
        "source", "type", "value",
    ]

    /// All values of a property; none when it is not set.
    static func values(_ property: String, of number: Int, in table: IOCTable, now: Int64) -> [Value] {
        let row = table.rows[number]
        func text(_ bytes: some Collection<UInt8>) -> [Value] {
            bytes.isEmpty ? [] : [.text(String(decoding: Array(bytes), as: UTF8.self))]
        }
        func list(_ word: UInt32) -> [Value] {
            guard word != 0, let list = try? JSONValue(parsing: table.words[word]).array else { return [] }
            return list.compactMap { $0.string.map { .text($0) } }
        }
        switch property {
        case "id": return [.text(table.id(of: number))]
        case "type": return [.text(row.type.name)]
        case "value": return text(table.arena[row.value])
        case "action": return [.text(row.isExpired(at: now) ? IOCAction.noAction.name : row.action.name)]
        case "mobile_action": return [.text(row.mobileAction.name)]
        case "severity": return row.severity == .unset ? [] : [.text(row.severity.name)]
        case "severity_number": return row.severity == .unset ? [] : [.number(Int64(row.severity.number))]
        case "source": return text(table.words[row.source])
        case "description": return text(table.arena[row.description])
        case "platforms": return row.platforms.list.map { .text($0) }
        case "tags": return list(row.tags)
        case "host_groups": return list(row.hostGroups)
        case "metadata.filename", "metadata.filename.raw": return text(table.words[row.filename])
        case "created_by": return text(table.words[row.createdBy])
        case "modified_by": return text(table.words[row.modifiedBy])
        case "created_on": return [.number(row.createdOn)]
        case "modified_on": return [.number(row.modifiedOn)]
        case "expiration": return row.expiration == .max ? [] : [.number(row.expiration)]
        case "expired": return [.text(String(row.isExpired(at: now)))]
        case "deleted": return [.text(String(row.isDeleted))]
        case "applied_globally": return [.text(String(row.isGlobal))]
        case "from_parent": return [.text("false")]
        default: return []  // Metadata that the simulator never has.
        }
    }
}
