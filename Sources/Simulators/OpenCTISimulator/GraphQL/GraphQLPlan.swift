// SPDX-License-Identifier: Apache-2.0

import JSON

/// A request that was found to fit the schema of one version.
struct GraphQLPlan {
    let isMutation: Bool
    let roots: [GraphQLTree.Field]
    private let tree: GraphQLTree
    private let variables: JSONObject

    /// What does not depend on the variables.
    private struct Shape: Sendable {
        let tree: GraphQLTree
        let operation: GraphQLTree.Operation
        let roots: [GraphQLTree.Field]
    }
    private struct ShapeKey: Sendable, Hashable {
        let text: String
        let name: String?
        let release: Release
    }
    private static let shapes = Remembered<ShapeKey, Shape>(most: 500)

    init(_ text: String, operation name: String?, given: JSONObject, _ release: Release) throws(GraphQLFault) {
        let key = ShapeKey(text: text, name: name, release: release)
        let shape = try Self.shapes.value(of: key) { () throws(GraphQLFault) in
            try Self.shape(of: text, operation: name, release)
        }
        tree = shape.tree
        isMutation = shape.operation.isMutation
        roots = shape.roots
        variables = try Self.variables(of: shape.operation, given)
    }

    private static func shape(
        of text: String, operation name: String?, _ release: Release
    ) throws(GraphQLFault) -> Shape {
        let tree = try GraphQLParser.parse(text)
        guard let operation = name.map({ name in tree.operations.first { $0.name == name } }) ?? tree.operations.first
        else { throw .badInput("Unknown operation named \"\(name ?? "")\".") }
        let roots = try tree.fields(of: operation.selections)
        for variable in operation.variables {
            guard let since = Schema.inputTypes[variable.type], release < since else { continue }
            throw .invalid("Unknown type \"\(variable.type)\".")
        }
        try validate(operation.selections, of: operation.isMutation ? "Mutation" : "Query", in: tree, release)
        // Aliases cannot be used to send one call many times (OpenCTI protocol, 1.1).
        let most = operation.isMutation ? 1 : 2
        for field in roots where roots.count(where: { $0.name == field.name }) > most {
            throw GraphQLFault(
                code: "UNKNOWN_ERROR", message: "Batching of \(field.name) is limited to \(most).", status: 500)
        }
        return Shape(tree: tree, operation: operation, roots: roots)
    }

    func definition(of root: GraphQLTree.Field) -> Schema.Field? {
        Schema.types[isMutation ? "Mutation" : "Query"]?[root.name]
    }

    func arguments(of field: GraphQLTree.Field) -> JSONObject {
        JSONObject(field.arguments.compactMap { name, value in value.value(variables).map { (name, $0) } })
    }

    func fields(of field: GraphQLTree.Field) throws(GraphQLFault) -> [GraphQLTree.Field] {
        try tree.fields(of: field.selections)
    }

    /// What of a value was asked for, under the names it was asked for.
    func project(_ value: JSONValue, _ selections: [GraphQLTree.Selection]) throws(GraphQLFault) -> JSONValue {
        guard !selections.isEmpty else { return value }
        switch value {
        case .array(let items):
            var projected: [JSONValue] = []
            for item in items { projected.append(try project(item, selections)) }
            return .array(projected)
        case .object(let object):
            var answer: JSONObject = [:]
            for field in try tree.fields(of: selections) {
                answer[field.answerName] = try project(object[field.name] ?? .null, field.selections)
            }
            return .object(answer)
        default: return value
        }
    }

    // MARK: Validation

    private static func variables(
        of operation: GraphQLTree.Operation, _ given: JSONObject
    ) throws(GraphQLFault) -> JSONObject {
        var variables: JSONObject = [:]
        for variable in operation.variables {
            let value = given[variable.name] ?? variable.fallback
            if variable.isRequired, value?.isNull ?? true {
                throw .badInput(
                    "Variable \"$\(variable.name)\" of required type \"\(variable.type)!\" was not provided.")
            }
            if let value {
                try check(value, of: variable)
                variables[variable.name] = value
            }
        }
        return variables
    }

    private static func check(_ value: JSONValue, of variable: GraphQLTree.Variable) throws(GraphQLFault) {
        let fits =
            switch variable.type {
            case "String": value.isNull || value.string != nil
            case "ID": value.isNull || value.string != nil || value.int != nil
            case "Int": value.isNull || value.int.map { Int32(exactly: $0) != nil } ?? false
            case "Boolean": value.isNull || value.bool != nil
            default: true
            }
        guard fits || value.array != nil else {
            throw .badInput(
                "Variable \"$\(variable.name)\" got invalid value \(value.text); \(variable.type) cannot represent it.")
        }
    }

    private static func validate(
        _ selections: [GraphQLTree.Selection], of type: String, in tree: GraphQLTree, _ release: Release
    ) throws(GraphQLFault) {
        // Types that are not listed take any field.
        guard let known = Schema.types[type] else { return }
        for field in try tree.fields(of: selections) where field.name != "__typename" {
            guard let definition = known[field.name], definition.since <= release else {
                throw .invalid("Cannot query field \"\(field.name)\" on type \"\(type)\".")
            }
            for (name, _) in field.arguments where definition.arguments[name].map({ $0 > release }) ?? true {
                throw .invalid("Unknown argument \"\(name)\" on field \"\(type).\(field.name)\".")
            }
            guard let inner = definition.type else {
                guard field.selections.isEmpty else {
                    throw .invalid("Field \"\(field.name)\" must not have a selection since it has no subfields.")
                }
                continue
            }
            guard !field.selections.isEmpty else {
                throw .invalid("Field \"\(field.name)\" of type \"\(inner)\" must have a selection of subfields.")
            }
            try validate(field.selections, of: inner, in: tree, release)
        }
    }
}
