// SPDX-License-Identifier: Apache-2.0

/// A filter in the Falcon Query Language (Falcon API, 3): `type:'sha256'+value:['a','b'],deleted:!true`. `+` is and, `,` is or
/// and binds weaker, parentheses group.
indirect enum FQL: Sendable, Equatable {
    case and([FQL])
    case or([FQL])
    case clause(Clause)

    struct Clause: Sendable, Equatable {
        enum Comparison: Sendable, Equatable {
            case equal
            case greater
            case greaterOrEqual
            case less
            case lessOrEqual
            case text
            case wildcard
        }
        let property: String
        let isNegated: Bool
        let comparison: Comparison
        let values: [Value]
        /// `['…']`: exact and case-sensitive.
        let isList: Bool
    }

    enum Value: Sendable, Equatable {
        case text(String)
        case bool(Bool)
        case number(Int)
        case null
    }

    /// Every clause, wherever it stands.
    var clauses: [Clause] {
        switch self {
        case .and(let parts), .or(let parts): parts.flatMap(\.clauses)
        case .clause(let clause): [clause]
        }
    }

    static let properties: Set<String> = [
        "action", "applied_globally", "metadata.av_hits", "metadata.company_name.raw", "created_by", "created_on",
        "expiration", "expired", "metadata.filename.raw", "modified_by", "modified_on",
        "metadata.original_filename.raw", "metadata.product_name.raw", "metadata.product_version", "severity_number",
        "source", "type", "value", "id", "deleted", "from_parent", "host_groups", "platforms", "tags", "mobile_action",
        "description", "severity", "metadata.filename", "metadata.signed",
    ]
    static let maxProperties = 20

    /// A filter over anything that has properties.
    ///
    /// - Throws: why the service would refuse it.
    init(parsingAnyProperty text: String) throws(Refusal) {
        var parser = FQLParser(bytes: Array(text.utf8))
        self = try parser.expression(depth: 0)
        guard parser.isAtEnd else { throw parser.problem("unexpected character") }
        guard clauses.count <= Self.maxProperties else { throw Refusal("filter has more than 20 properties") }
    }

    /// A filter over IOCs.
    init(parsing text: String) throws(Refusal) {
        try self.init(parsingAnyProperty: text)
        for clause in clauses where !Self.properties.contains(clause.property) {
            throw Refusal("invalid filter: unknown property '\(clause.property)'")
        }
    }
}

struct FQLParser {
    let bytes: [UInt8]
    private var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { index == bytes.count }

    func problem(_ what: String) -> Refusal { Refusal("invalid filter: \(what) at position \(index)") }

    mutating func expression(depth: Int) throws(Refusal) -> FQL {
        guard depth < 20 else { throw problem("too many parentheses") }
        var alternatives: [FQL] = []
        repeat {
            var terms: [FQL] = []
            repeat { terms.append(try term(depth)) } while take("+")
            alternatives.append(terms.count == 1 ? terms[0] : .and(terms))
        } while take(",")
        return alternatives.count == 1 ? alternatives[0] : .or(alternatives)
    }

    private mutating func term(_ depth: Int) throws(Refusal) -> FQL {
        guard take("(") else { return .clause(try clause()) }
        let inner = try expression(depth: depth + 1)
        guard take(")") else { throw problem("missing ')'") }
        return inner
    }

    private mutating func clause() throws(Refusal) -> FQL.Clause {
        let property = word()
        guard !property.isEmpty else { throw problem("a property is expected") }
        guard take(":") else { throw problem("missing ':' after '\(property)'") }
        let isNegated = take("!")
        var comparison = FQL.Clause.Comparison.equal
        if take(">") {
            comparison = take("=") ? .greaterOrEqual : .greater
        } else if take("<") {
            comparison = take("=") ? .lessOrEqual : .less
        } else if take("~") {
            comparison = .text
        } else if take("*") {
            comparison = .wildcard
        }
        if isNegated, comparison != .equal, comparison != .text, comparison != .wildcard {
            throw problem("'!' before a range")
        }
        guard take("[") else {
            return FQL.Clause(
                property: property, isNegated: isNegated, comparison: comparison, values: [try value()], isList: false)
        }
        var values: [FQL.Value] = []
        repeat { values.append(try value()) } while take(",")
        guard take("]") else { throw problem("missing ']'") }
        return FQL.Clause(
            property: property, isNegated: isNegated, comparison: comparison, values: values, isList: true)
    }

    private mutating func value() throws(Refusal) -> FQL.Value {
        if take("'") { return .text(try quoted(UInt8(ascii: "'"))) }
        if take("\"") { return .text(try quoted(UInt8(ascii: "\""))) }
        let bare = word()
        switch bare {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "null": return .null
        default:
            guard let number = Int(bare) else { throw problem("a quoted value is expected") }
            return .number(number)
        }
    }

    private mutating func quoted(_ quote: UInt8) throws(Refusal) -> String {
        var text: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if byte == quote { return String(decoding: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\"), index < bytes.count,
                bytes[index] == quote || bytes[index] == UInt8(ascii: "\\")
            {
                text.append(bytes[index])
                index += 1
            } else {
                text.append(byte)
            }
        }
        throw problem("missing closing quote")
    }

    private mutating func word() -> String {
        let start = index
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
                index += 1
            default: return String(decoding: bytes[start..<index], as: UTF8.self)
            }
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }
}
