// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON

/// Plain calls to the simulators' admin endpoints and to the connector's metrics.
struct DemoWeb: Sendable {
    private let transport: CurlTransport

    init() throws {
        var configuration = HTTPConfiguration()
        configuration.proxy = .none
        transport = try CurlTransport(configuration: configuration)
    }

    func text(_ url: String) async throws -> String {
        let response = try await transport.send(HTTPRequest(.get, url), by: .after(.seconds(10)))
        guard response.status == 200 else { throw DemoFailure("\(url) answered \(response.status)") }
        return String(decoding: response.body, as: UTF8.self)
    }

    func json(_ url: String) async throws -> JSONValue { try JSONValue(parsing: try await text(url)) }

    /// One value a line.
    func lines(_ url: String) async throws -> [JSONValue] {
        // By bytes: values may hold characters that other splitters take for line ends.
        let bytes = Array(try await text(url).utf8)
        var values: [JSONValue] = []
        for line in bytes.split(separator: UInt8(ascii: "\n")) { values.append(try JSONValue(parsing: Array(line))) }
        return values
    }

    func post(_ url: String, _ body: JSONValue) async throws { _ = try await ask(url, token: nil, body) }

    /// - Returns: the answer's JSON.
    func ask(_ url: String, token: String?, _ body: JSONValue) async throws -> JSONValue {
        var request = HTTPRequest(
            .post, url, headers: ["Content-Type": "application/json"], body: .bytes(body.bytes))
        if let token { request.headers["Authorization"] = "Bearer " + token }
        let response = try await transport.send(request, by: .after(.seconds(10)))
        guard response.status == 200 else {
            throw DemoFailure("\(url) answered \(response.status): \(String(decoding: response.body, as: UTF8.self))")
        }
        return try JSONValue(parsing: response.body)
    }
}

struct DemoFailure: ActionableError {
    let text: String
    init(_ text: String) { self.text = text }
    var code: ErrorCode { "demo" }
    var isRetryable: Bool { false }
    var description: String { text }
}
