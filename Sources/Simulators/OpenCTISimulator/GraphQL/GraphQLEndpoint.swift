// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import JSON
import SimulatorKit

/// `POST /graphql`. Every failure of a document is an answer with status 200. Source: OpenCTI protocol, 1.
struct GraphQLEndpoint {
    private let request: ServerRequest
    private let now: Instant

    init(_ request: ServerRequest, now: Instant) {
        self.request = request
        self.now = now
    }

    /// The name of the first root field, for counters and faults.
    static func operation(in request: ServerRequest) -> String {
        guard let text = document(in: request)?["query"]?.string, let tree = try? GraphQLParser.parse(text),
            let first = tree.operations.first, let field = try? tree.fields(of: first.selections).first
        else { return "graphql" }
        return field.name
    }

    /// The JSON of a request, also one with a file (GraphQL multipart request specification): the file's content takes the
    /// place of its variable.
    static func document(in request: ServerRequest) -> JSONValue? {
        guard let type = request.headers["Content-Type"], type.hasPrefix("multipart/form-data"),
            let mark = type.firstRange(of: "boundary=")
        else { return request.json }
        let boundary = String(type[mark.upperBound...].prefix { $0 != ";" }).replacing("\"", with: "")
        var parts: [String: (name: String, body: String)] = [:]
        let text = String(decoding: request.body, as: UTF8.self)
        for part in text.split(separator: "--" + boundary) {
            guard let gap = part.firstRange(of: "\r\n\r\n") else { continue }
            let head = part[..<gap.lowerBound]
            func field(_ name: String) -> String? {
                guard let start = head.firstRange(of: " " + name + "=\"") else { return nil }
                return String(head[start.upperBound...].prefix { $0 != "\"" })
            }
            guard let name = field("name") else { continue }
            parts[name] = (field("filename") ?? "", String(part[gap.upperBound...].dropLast()))
        }
        guard var body = parts["operations"].flatMap({ try? JSONValue(parsing: $0.body) })?.object,
            var variables = body["variables"]?.object, let file = parts["0"]
        else { return nil }
        variables["file"] = ["name": .string(file.name), "content": .string(file.body)]
        body["variables"] = .object(variables)
        return .object(body)
    }

    /// - Parameter read: works on the platform; documents are read and judged before, answers written after it.
    func answer(_ read: ((inout Platform) -> Outcome) -> Outcome) -> ServerResponse {
        var release = Release.always
        _ = read { platform in
            release = platform.release
            return Outcome()
        }
        do throws(GraphQLFault) {
            guard let body = Self.document(in: request), let text = body["query"]?.string else {
                return .json(
                    ["errors": [["message": "GraphQL operations must contain a non-empty `query`."]]], status: 400)
            }
            // The platform looks for the word only.
            if text.contains("__schema") { throw .notFound("GraphQL introspection not authorized!") }
            let plan = try GraphQLPlan(
                text, operation: body["operationName"]?.string, given: body["variables"]?.object ?? [:], release)
            let outcome = read { execute(plan, on: &$0) }
            let data = JSONValue.object(outcome.data)
            return .json(outcome.errors.isEmpty ? ["data": data] : ["errors": .array(outcome.errors), "data": data])
        } catch {
            return .json(["errors": [error.json(path: nil, release: release)]])
        }
    }

    /// What the root fields gave.
    struct Outcome: Sendable {
        var data: JSONObject = [:]
        var errors: [JSONValue] = []
    }

    private func execute(_ plan: GraphQLPlan, on platform: inout Platform) -> Outcome {
        var outcome = Outcome()
        let isKnown = OpenCTIVendor.token(request) == platform.configuration.token
        for field in plan.roots {
            do throws(GraphQLFault) {
                guard isKnown || field.name == "__typename" else { throw .authRequired }
                try check(plan.definition(of: field)?.capability, platform)
                let call = GraphQLCall(
                    name: field.name, arguments: plan.arguments(of: field), field: field, plan: plan, now: now)
                let value = try platform.resolve(call)
                outcome.data[field.answerName] = try plan.project(value, field.selections)
            } catch {
                outcome.errors.append(error.json(path: field.answerName, release: platform.release))
                outcome.data[field.answerName] = .null
            }
        }
        return outcome
    }

    private func check(_ capability: String?, _ platform: Platform) throws(GraphQLFault) {
        guard let capability else { return }
        let held = platform.configuration.capabilities
        guard held.contains(capability) || held.contains("BYPASS") else { throw .forbidden }
    }
}

/// One root field to be resolved.
struct GraphQLCall {
    let name: String
    let arguments: JSONObject
    let field: GraphQLTree.Field
    let plan: GraphQLPlan
    let now: Instant

    func text(_ name: String) -> String? { arguments[name]?.string }
}
