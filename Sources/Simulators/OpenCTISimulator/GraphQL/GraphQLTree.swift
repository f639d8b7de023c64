// SPDX-License-Identifier: Apache-2.0

import JSON

/// A parsed request: its operations and fragments.
struct GraphQLTree: Sendable {
    struct Operation: Sendable {
        var isMutation = false
        var name: String?
        var variables: [Variable] = []
        var selections: [Selection] = []
    }
    struct Variable: Sendable {
        let name: String
        /// Without list brackets and `!`.
        let type: String
        let isRequired: Bool
        let fallback: JSONValue?
    }
    enum Selection: Sendable {
        case field(Field)
        case fragment(String)
        case inline([Selection])
    }
    struct Field: Sendable {
        let name: String
        let alias: String?
        let arguments: [(name: String, value: Argument)]
        let selections: [Selection]

        var answerName: String { alias ?? name }
    }
    indirect enum Argument: Sendable {
        case variable(String)
        case value(JSONValue)
        case list([Argument])
        case object([(name: String, value: Argument)])

        /// `nil` where a variable was not given.
        func value(_ variables: JSONObject) -> JSONValue? {
            switch self {
            case .variable(let name): variables[name]
            case .value(let value): value
            case .list(let items): .array(items.map { $0.value(variables) ?? .null })
            case .object(let members):
                .object(JSONObject(members.compactMap { name, member in member.value(variables).map { (name, $0) } }))
            }
        }
    }

    var operations: [Operation] = []
    var fragments: [String: [Selection]] = [:]

    /// The fields of a selection with fragments laid open, those of one answer name merged. Type conditions are taken as
    /// met: what is asked of another type finds nothing.
    func fields(of selections: [Selection], depth: Int = 0) throws(GraphQLFault) -> [Field] {
        guard depth < 32 else { throw .invalid("Cannot spread fragments within themselves.") }
        var found: [Field] = []
        for selection in selections {
            switch selection {
            case .field(let field): found.append(field)
            case .inline(let inner): found += try fields(of: inner, depth: depth + 1)
            case .fragment(let name):
                guard let inner = fragments[name] else { throw .invalid("Unknown fragment \"\(name)\".") }
                found += try fields(of: inner, depth: depth + 1)
            }
        }
        return found
    }
}
