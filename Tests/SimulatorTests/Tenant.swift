// SPDX-License-Identifier: Apache-2.0

import Base
import FalconSimulator
import HTTPClient
import JSON
import SimulatorKit

/// A simulated tenant and a client that speaks plain HTTP to it.
struct Tenant {
    struct Reply {
        let status: Int
        let headers: HTTPHeaders
        let json: JSONValue
        let text: String
        var ids: [String] { json["resources"]?.array?.compactMap(\.string) ?? [] }
        var values: [String] { json["resources"]?.array?.compactMap { $0["value"]?.string } ?? [] }
        var message: String { json["errors"]?[0]?["message"]?.string ?? "" }
    }
    static let indicators = "/iocs/entities/indicators/v1"
    static let search = "/iocs/queries/indicators/v1"
    static let combined = "/iocs/combined/indicator/v1"

    let falcon: SimulatedFalcon
    let http: CurlTransport
    var token = ""

    init(time: any TimeSource = SystemTime(), _ adjust: (inout FalconConfiguration) -> Void = { _ in }) async throws {
        var configuration = FalconConfiguration()
        adjust(&configuration)
        falcon = try SimulatedFalcon(configuration, time: time)
        http = try CurlTransport()
        token = try await newToken().json["access_token"]?.string ?? ""
    }

    func newToken(
        id: String = FalconConfiguration.defaultClient.id, secret: String = FalconConfiguration.defaultClient.secret,
        more: String = ""
    ) async throws -> Reply {
        try await send(
            "POST", "/oauth2/token", body: "client_id=\(id)&client_secret=\(secret)\(more)",
            headers: ["Content-Type": "application/x-www-form-urlencoded"])
    }

    func send(
        _ method: String, _ path: String, query: [(String, String)] = [], body: String? = nil,
        headers: HTTPHeaders? = nil
    ) async throws -> Reply {
        let pairs = query.map { "\($0)=\(Self.encode($1))" }.joined(separator: "&")
        let url = falcon.server.baseURL + path + (pairs.isEmpty ? "" : "?" + pairs)
        var request = HTTPRequest(HTTPMethod(rawValue: method), url)
        request.headers = headers ?? ["Authorization": "Bearer \(token)", "Content-Type": "application/json"]
        if let body { request.body = .bytes(Array(body.utf8)) }
        let response = try await http.send(request, by: .never)
        return Reply(
            status: response.status, headers: response.headers,
            json: (try? JSONValue(parsing: response.body)) ?? .null,
            text: String(decoding: response.body, as: UTF8.self))
    }

    func admin(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> Reply {
        try await send(method, "/_admin/" + path, body: body?.text, headers: [:])
    }

    func create(_ items: JSONValue..., flags: [(String, String)] = []) async throws -> Reply {
        let body: JSONValue = ["comment": "test", "indicators": .array(items)]
        return try await send("POST", Self.indicators, query: flags, body: body.text)
    }

    func update(_ items: JSONValue...) async throws -> Reply {
        let body: JSONValue = ["indicators": .array(items)]
        return try await send("PATCH", Self.indicators, body: body.text)
    }

    func find(_ filter: String, _ more: (String, String)..., path: String = search) async throws -> Reply {
        try await send("GET", path, query: [("filter", filter)] + more)
    }

    static func ioc(_ value: String, _ changes: JSONObject = [:]) -> JSONValue {
        var object: JSONObject = [
            "type": "domain", "value": .string(value), "action": "detect", "mobile_action": "detect",
            "severity": "high", "platforms": ["windows", "mac", "linux"], "applied_globally": true,
            "source": "test", "tags": ["one"],
        ]
        for (key, value) in changes { object[key] = value }
        return .object(object)
    }

    private static func encode(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            return isPlain ? String(UnicodeScalar(byte)) : "%" + Hex.encode([byte])
        }.joined()
    }
}
