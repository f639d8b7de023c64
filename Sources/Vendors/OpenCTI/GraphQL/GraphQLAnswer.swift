// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON

/// Reads the answer to a GraphQL request: every failure of the platform is a 200 with `errors`, everything else comes
/// from what stands in front of it. Source: OpenCTI protocol, 1.2.
enum GraphQLAnswer {
    /// The `data` of an answer without errors.
    static func data(
        of response: HTTPResponse, to document: GraphQLDocument, at now: Instant
    ) throws(OpenCTIError) -> JSONValue {
        let url = response.head.url
        guard let answer = try? JSONValue(parsing: response.body) else {
            throw unreadable(response, url: url, operation: document.name, at: now)
        }
        // Errors count even beside data, and whatever the status: a proxy may have changed it.
        if let error = answer["errors"]?.array?.first { throw .refused(refusal(error, of: document)) }
        guard (200..<300).contains(response.status) else {
            throw .status(response.status, url: url, retryAfter: RetryAdvice(response.headers, at: now).wait)
        }
        guard let data = answer["data"], !data.isNull else {
            throw .malformed(operation: document.name, reason: "it has neither data nor errors")
        }
        return data
    }

    /// Old platforms have `name` and `data` beside the message, newer ones `extensions.code` and `extensions.data`.
    static func refusal(_ error: JSONValue, of document: GraphQLDocument) -> OpenCTIError.Refusal {
        let details = error["data"] ?? error["extensions"]?["data"]
        let message = error["message"]?.string ?? ""
        let code = error["name"]?.string ?? error["extensions"]?["code"]?.string ?? message
        let reason = details?["reason"]?.string
        return OpenCTIError.Refusal(
            code: RefusalCode(String(code.prefix(80))),
            message: String((message.isEmpty ? reason ?? code : message).prefix(500)),
            operation: document.name, capability: document.capability,
            documentationCode: details?["doc_code"]?.string ?? error["extensions"]?["doc_code"]?.string)
    }

    private static func unreadable(
        _ response: HTTPResponse, url: String, operation: String, at now: Instant
    ) -> OpenCTIError {
        guard (200..<300).contains(response.status) else {
            return .status(response.status, url: url, retryAfter: RetryAdvice(response.headers, at: now).wait)
        }
        let start = response.body.first { !Set("\t\n\r \u{FEFF}".utf8).contains($0) }
        let contentType = response.headers["content-type"]?.lowercased() ?? ""
        if contentType.hasPrefix("text/html") || start == UInt8(ascii: "<") { return .webPage(url: url) }
        return .malformed(operation: operation, reason: "it is no JSON")
    }
}
