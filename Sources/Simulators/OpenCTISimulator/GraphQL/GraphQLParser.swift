// SPDX-License-Identifier: Apache-2.0

import JSON

/// Reads GraphQL documents: what clients send, without type definitions. Source: GraphQL specification, October 2021, 2.
struct GraphQLParser {
    private enum Token: Equatable {
        case name(String)
        case punctuator(UInt8)
        case spread
        case number(String)
        case text(String)
        case end
    }
    private let bytes: [UInt8]
    private var index = 0
    private var token = Token.end
    private var depth = 0

    private init(_ text: String) { bytes = Array(text.utf8) }

    private static let known = Remembered<String, GraphQLTree>(most: 500)

    static func parse(_ text: String) throws(GraphQLFault) -> GraphQLTree {
        try known.value(of: text) { () throws(GraphQLFault) in try parseAnew(text) }
    }

    private static func parseAnew(_ text: String) throws(GraphQLFault) -> GraphQLTree {
        var parser = GraphQLParser(text)
        try parser.advance()
        var tree = GraphQLTree()
        while parser.token != .end { try parser.definition(into: &tree) }
        guard !tree.operations.isEmpty else { throw .unparsable("Unexpected <EOF>.") }
        return tree
    }

    // MARK: Grammar

    private mutating func definition(into tree: inout GraphQLTree) throws(GraphQLFault) {
        guard case .name(let keyword) = token else {
            tree.operations.append(GraphQLTree.Operation(selections: try selectionSet()))
            return
        }
        try advance()
        switch keyword {
        case "query", "mutation":
            var operation = GraphQLTree.Operation(isMutation: keyword == "mutation")
            if case .name(let name) = token {
                operation.name = name
                try advance()
            }
            operation.variables = try variableDefinitions()
            try directives()
            operation.selections = try selectionSet()
            tree.operations.append(operation)
        case "fragment":
            let name = try name()
            try keywordOn()
            try directives()
            tree.fragments[name] = try selectionSet()
        default: throw unexpected()
        }
    }

    private mutating func keywordOn() throws(GraphQLFault) {
        guard try name() == "on" else { throw unexpected() }
        _ = try name()
    }

    private mutating func variableDefinitions() throws(GraphQLFault) -> [GraphQLTree.Variable] {
        var variables: [GraphQLTree.Variable] = []
        guard try take("(") else { return [] }
        while !(try take(")")) {
            try expect("$")
            let name = try name()
            try expect(":")
            let (type, isRequired) = try type()
            let fallback = try take("=") ? try argument().value([:]) : nil
            try directives()
            variables.append(
                GraphQLTree.Variable(
                    name: name, type: type, isRequired: isRequired && fallback == nil, fallback: fallback))
        }
        return variables
    }

    private mutating func type() throws(GraphQLFault) -> (String, Bool) {
        let inner: String
        if try take("[") {
            inner = try type().0
            try expect("]")
        } else {
            inner = try name()
        }
        return (inner, try take("!"))
    }

    private mutating func selectionSet() throws(GraphQLFault) -> [GraphQLTree.Selection] {
        depth += 1
        defer { depth -= 1 }
        guard depth < 64 else { throw .unparsable("The document is nested too deeply.") }
        try expect("{")
        var selections: [GraphQLTree.Selection] = []
        while !(try take("}")) { selections.append(try selection()) }
        guard !selections.isEmpty else { throw .unparsable("Expected Name, found \"}\".") }
        return selections
    }

    private mutating func selection() throws(GraphQLFault) -> GraphQLTree.Selection {
        if token == .spread {
            try advance()
            if case .name(let name) = token, name != "on" {
                try advance()
                try directives()
                return .fragment(name)
            }
            if case .name = token { try keywordOn() }
            try directives()
            return .inline(try selectionSet())
        }
        var name = try name()
        var alias: String?
        if try take(":") {
            alias = name
            name = try self.name()
        }
        let arguments = try arguments()
        try directives()
        let selections = token == .punctuator(UInt8(ascii: "{")) ? try selectionSet() : []
        return .field(GraphQLTree.Field(name: name, alias: alias, arguments: arguments, selections: selections))
    }

    private mutating func arguments() throws(GraphQLFault) -> [(name: String, value: GraphQLTree.Argument)] {
        var arguments: [(name: String, value: GraphQLTree.Argument)] = []
        guard try take("(") else { return [] }
        while !(try take(")")) {
            let name = try name()
            try expect(":")
            arguments.append((name, try argument()))
        }
        return arguments
    }

    private mutating func directives() throws(GraphQLFault) {
        while try take("@") {
            _ = try name()
            _ = try arguments()
        }
    }

    private mutating func argument() throws(GraphQLFault) -> GraphQLTree.Argument {
        depth += 1
        defer { depth -= 1 }
        guard depth < 64 else { throw .unparsable("The document is nested too deeply.") }
        switch token {
        case .name(let name):
            try advance()
            switch name {
            case "true": return .value(true)
            case "false": return .value(false)
            case "null": return .value(.null)
            default: return .value(.string(name))
            }
        case .number(let text):
            guard let value = try? JSONValue(parsing: text) else { throw unexpected() }
            try advance()
            return .value(value)
        case .text(let text):
            try advance()
            return .value(.string(text))
        case .punctuator(UInt8(ascii: "$")):
            try advance()
            return .variable(try name())
        case .punctuator(UInt8(ascii: "[")):
            try advance()
            var items: [GraphQLTree.Argument] = []
            while !(try take("]")) { items.append(try argument()) }
            return .list(items)
        case .punctuator(UInt8(ascii: "{")):
            try advance()
            var members: [(String, GraphQLTree.Argument)] = []
            while !(try take("}")) {
                let name = try name()
                try expect(":")
                members.append((name, try argument()))
            }
            return .object(members)
        default: throw unexpected()
        }
    }

    // MARK: Tokens

    private mutating func name() throws(GraphQLFault) -> String {
        guard case .name(let name) = token else { throw unexpected() }
        try advance()
        return name
    }

    private mutating func take(_ character: Unicode.Scalar) throws(GraphQLFault) -> Bool {
        guard token == .punctuator(UInt8(ascii: character)) else {
            if token == .end { throw unexpected() }
            return false
        }
        try advance()
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(GraphQLFault) {
        guard try take(character) else { throw unexpected() }
    }

    private func unexpected() -> GraphQLFault {
        switch token {
        case .end: .unparsable("Unexpected <EOF>.")
        case .name(let name): .unparsable("Unexpected Name \"\(name)\".")
        case .punctuator(let byte): .unparsable("Unexpected \"\(Character(Unicode.Scalar(byte)))\".")
        case .spread: .unparsable("Unexpected \"...\".")
        case .number(let text): .unparsable("Unexpected number \(text).")
        case .text: .unparsable("Unexpected string.")
        }
    }

    private mutating func advance() throws(GraphQLFault) {
        skipIgnored()
        guard index < bytes.count else {
            token = .end
            return
        }
        let start = index
        switch bytes[index] {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
            while index < bytes.count, Self.isNamePart(bytes[index]) { index += 1 }
            token = .name(String(decoding: bytes[start..<index], as: UTF8.self))
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
            while index < bytes.count, Self.isNumberPart(bytes[index]) { index += 1 }
            token = .number(String(decoding: bytes[start..<index], as: UTF8.self))
        case UInt8(ascii: "\""): token = .text(try string())
        case UInt8(ascii: "."):
            guard bytes[start...].starts(with: [0x2E, 0x2E, 0x2E]) else { throw .unparsable("Unexpected \".\".") }
            index += 3
            token = .spread
        case let byte where Self.punctuators.contains(byte):
            index += 1
            token = .punctuator(byte)
        case let byte: throw .unparsable("Unexpected character: 0x\(String(byte, radix: 16)).")
        }
    }

    private mutating func skipIgnored() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ","): index += 1
            case UInt8(ascii: "#"): while index < bytes.count, bytes[index] != 0x0A { index += 1 }
            case 0xEF where bytes[index...].starts(with: [0xEF, 0xBB, 0xBF]): index += 3
            default: return
            }
        }
    }

    private mutating func string() throws(GraphQLFault) -> String {
        let quote = UInt8(ascii: "\"")
        if bytes[index...].starts(with: [quote, quote, quote]) {
            let start = index + 3
            index = start
            while index < bytes.count, !bytes[index...].starts(with: [quote, quote, quote]) { index += 1 }
            guard index < bytes.count else { throw .unparsable("Unterminated string.") }
            defer { index += 3 }
            return String(decoding: bytes[start..<index], as: UTF8.self)
        }
        let start = index
        index += 1
        while index < bytes.count, bytes[index] != quote, bytes[index] != 0x0A {
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard index < bytes.count, bytes[index] == quote else { throw .unparsable("Unterminated string.") }
        index += 1
        // Escapes are those of JSON.
        guard let text = (try? JSONValue(parsing: Array(bytes[start..<index])))?.string else {
            throw .unparsable("Invalid character escape sequence.")
        }
        return text
    }

    private static let punctuators = Set("!$()[]{}:=@|&".utf8)

    private static func isNamePart(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte)
    }

    private static func isNumberPart(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte)
    }
}
