// SPDX-License-Identifier: Apache-2.0

import JSON

/// An error as the platform tells it. Source: OpenCTI protocol, 1.2.
struct GraphQLFault: Error, Hashable {
    let code: String
    let message: String
    /// `data.http_status`; `nil` for errors of the document, which carry no data.
    var status: Int?
    var reason: String?

    static let authRequired = GraphQLFault(
        code: "AUTH_REQUIRED", message: "You must be logged in to do this.", status: 401)
    static let forbidden = GraphQLFault(
        code: "FORBIDDEN_ACCESS", message: "You are not allowed to do this.", status: 403)

    static func functional(_ message: String) -> GraphQLFault {
        GraphQLFault(code: "FUNCTIONAL_ERROR", message: message, status: 400)
    }
    static func notFound(_ message: String) -> GraphQLFault {
        GraphQLFault(code: "RESOURCE_NOT_FOUND", message: message, status: 404)
    }
    static func invalid(_ message: String) -> GraphQLFault {
        GraphQLFault(code: "GRAPHQL_VALIDATION_FAILED", message: message)
    }
    static func unparsable(_ message: String) -> GraphQLFault {
        GraphQLFault(code: "GRAPHQL_PARSE_FAILED", message: "Syntax Error: " + message)
    }
    static func badInput(_ message: String) -> GraphQLFault {
        GraphQLFault(code: "BAD_USER_INPUT", message: message)
    }

    /// - Parameter path: the root field; `nil` for errors of the whole document.
    func json(path: String?, release: Release) -> JSONValue {
        var error: JSONObject = ["message": .string(message)]
        if let path { error["path"] = [.string(path)] }
        error["locations"] = [["line": 1, "column": 1]]
        var data: JSONObject = [:]
        if let status {
            data["http_status"] = .int(status)
            data["genre"] = status == 400 || status == 404 ? "BUSINESS" : "TECHNICAL"
        }
        if let reason { data["reason"] = .string(reason) }
        // The name is a copy of the code for old clients; platforms of 5.x have their data beside it.
        var extensions: JSONObject = ["code": .string(code)]
        if release >= .nestedErrors, status != nil { extensions["data"] = .object(data) }
        error["extensions"] = .object(extensions)
        error["name"] = .string(code)
        if release < .nestedErrors { error["data"] = .object(data) }
        return .object(error)
    }
}
