// SPDX-License-Identifier: Apache-2.0

import Base
import HarfangLab
import JSON

/// The types of IOC rules that are made.
enum IOCRuleType: UInt8, CaseIterable, CustomStringConvertible {
    case address = 1
    case domain
    case url
    case hash
    case fileName

    var description: String {
        switch self {
        case .address: "ip_both"
        case .domain: "domain_name"
        case .url: "url"
        case .hash: "hash"
        case .fileName: "filename"
        }
    }
}

/// What a rule is about, in the console's words: a value of a type, or a name in one of the other collections.
enum RuleSubject: Hashable {
    case ioc(IOCRuleType, String)
    case sigma(String)
    case yara(String)
    /// Every rule of our list whose comment names this indicator: what the ledger does not know of it.
    case leftovers(String)

    var kind: RuleKind {
        switch self {
        case .ioc, .leftovers: .ioc
        case .sigma: .sigma
        case .yara: .yara
        }
    }

    /// The value, the name, or the indicator's id.
    var text: String {
        switch self {
        case .ioc(_, let text), .sigma(let text), .yara(let text), .leftovers(let text): text
        }
    }

    /// `ip_both`, `sigma`.
    var label: String {
        switch self {
        case .ioc(let type, _): type.description
        case .sigma: "sigma"
        case .yara: "yara"
        case .leftovers: "leftovers"
        }
    }

    /// The text as the console compares it: without case where it has none.
    var folded: String {
        switch self {
        case .ioc(.address, let text), .ioc(.domain, let text), .ioc(.hash, let text): text.lowercased()
        default: text
        }
    }
}

/// One indicator's contribution to a rule, and what stands in the console: everything that a write sends.
///
/// In the ledger it is a few bytes and the texts, each with its length.
struct RuleContent: Hashable {
    var subject: RuleSubject
    /// Of an IOC rule its description, of the others the rule's text.
    var text = ""
    /// Of an IOC rule: who wants it, as JSON in a text, exactly as Python writes it.
    var comment = ""
    var maturity = RuleMaturity.stable
    /// Only the switched-off state of a rule, whatever else is stored.
    var isMarked = false
    /// The name changed, and the rule of the former name goes on under the new one: nothing to take away.
    var isRenamed = false
    /// Where a rule of a new name may stand under its old one. No part of the content.
    var formerName = ""
    /// STIX ids by which the console may know the indicator that lets go. No part of the content.
    var owners: [String] = []
    /// When the indicator ends, in ms; 0 for never. No part of the content.
    var end: Int64 = 0

    init(_ subject: RuleSubject) { self.subject = subject }

    // MARK: Bytes

    private static let version: UInt8 = 1

    var encoded: [UInt8] { encoded(withHints: true) }

    /// What the digest is made of: the content without its hints.
    var essence: [UInt8] { encoded(withHints: false) }

    private func encoded(withHints: Bool) -> [UInt8] {
        var kind: UInt8 = 0
        var type: UInt8 = 0
        switch subject {
        case .ioc(let value, _): (kind, type) = (1, value.rawValue)
        case .sigma: kind = 2
        case .yara: kind = 3
        case .leftovers: kind = 4
        }
        var flags: UInt8 = maturity == .testing ? 1 : 0
        if isMarked { flags |= 2 }
        if isRenamed { flags |= 4 }
        var bytes: [UInt8] = [Self.version, kind, type, flags]
        bytes.reserveCapacity(64 + subject.text.utf8.count + text.utf8.count + comment.utf8.count)
        for part in [subject.text, text, comment] { Self.append(part, to: &bytes) }
        guard withHints else { return bytes }
        withUnsafeBytes(of: end.bigEndian) { bytes.append(contentsOf: $0) }
        Self.append(formerName, to: &bytes)
        for owner in owners { Self.append(owner, to: &bytes) }
        return bytes
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(text.utf8.count).bigEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: text.utf8)
    }

    /// `nil` for bytes that this version did not write.
    init?(encoded bytes: [UInt8]) {
        guard bytes.count >= 4, bytes[0] == Self.version else { return nil }
        var offset = 4
        func next() -> String? {
            guard offset + 4 <= bytes.count else { return nil }
            let length = bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
            guard offset + 4 + length <= bytes.count else { return nil }
            defer { offset += 4 + length }
            return String(decoding: bytes[(offset + 4)..<(offset + 4 + length)], as: UTF8.self)
        }
        guard let name = next(), let text = next(), let comment = next() else { return nil }
        switch bytes[1] {
        case 1:
            guard let type = IOCRuleType(rawValue: bytes[2]) else { return nil }
            subject = .ioc(type, name)
        case 2: subject = .sigma(name)
        case 3: subject = .yara(name)
        case 4: subject = .leftovers(name)
        default: return nil
        }
        self.text = text
        self.comment = comment
        maturity = bytes[3] & 1 != 0 ? .testing : .stable
        isMarked = bytes[3] & 2 != 0
        isRenamed = bytes[3] & 4 != 0
        guard offset + 8 <= bytes.count else { return }
        end = bytes[offset..<offset + 8].reduce(0) { $0 << 8 | Int64($1) }
        offset += 8
        formerName = next() ?? ""
        while offset < bytes.count, let owner = next() { owners.append(owner) }
    }

    // MARK: The console's form

    /// What a create or an update sends.
    func body(source: String) -> JSONValue {
        switch subject {
        case .ioc(let type, let value):
            IOCRule.body(
                source: source, type: type.description, value: value, description: text,
                maturity: maturity.rawValue, isEnabled: true, comment: .string(comment))
        default:
            ContentRule.body(
                source: source, name: subject.text, content: text, maturity: maturity.rawValue, isEnabled: true)
        }
    }

    /// For `plan` and `explain`.
    var described: [(field: String, text: String)] {
        var fields: [(field: String, text: String)] = [
            ("type", subject.label), (subject.kind == .ioc ? "value" : "name", subject.text),
            ("maturity", maturity.rawValue),
        ]
        if let owner = OwnerComment.indicator(in: .string(comment)) { fields.append(("indicator", owner)) }
        if !text.isEmpty, subject.kind == .ioc { fields.append(("description", text)) }
        if subject.kind != .ioc { fields.append(("bytes", "\(text.utf8.count)")) }
        if end > 0 { fields.append(("valid_until", Instant(milliseconds: end).description)) }
        return fields
    }
}

/// The comment of an IOC rule: which indicator asked for it.
enum OwnerComment {
    /// Exactly what Python's `json.dumps` writes: the originals wrote it so, and consoles hold rules with it.
    static func text(indicator: String, score: JSONValue, platforms: [String]) -> String {
        "{\"indicator_id\": \(python(indicator)), \"indicator_score\": \(number(score)), \"indicator_platforms\": ["
            + platforms.map(python).joined(separator: ", ") + "]}"
    }

    /// Who owns a rule; `nil` for a comment that does not say. Older versions encoded the comment once more with each
    /// deactivation, so it is decoded up to twice.
    static func indicator(in comment: JSONValue) -> String? {
        var value = comment
        for _ in 0..<3 {
            if let owner = value["indicator_id"]?.string { return owner }
            guard let text = value.string, let inner = try? JSONValue(parsing: text) else { return nil }
            value = inner
        }
        return nil
    }

    private static func number(_ score: JSONValue) -> String {
        switch score {
        case .number: score.text
        case .string(let text): python(text)
        default: "0"
        }
    }

    private static func python(_ text: String) -> String {
        var result = "\""
        for unit in text.utf16 {
            switch unit {
            case 0x22: result += "\\\""
            case 0x5C: result += "\\\\"
            case 0x0A: result += "\\n"
            case 0x0D: result += "\\r"
            case 0x09: result += "\\t"
            case 0x08: result += "\\b"
            case 0x0C: result += "\\f"
            case 0x20...0x7E: result.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            default:
                let digits = String(unit, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return result + "\""
    }
}
