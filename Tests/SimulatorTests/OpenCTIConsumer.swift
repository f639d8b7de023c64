// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import OpenCTISimulator
import SimulatorKit

/// A simulated platform and a client that speaks plain HTTP to it.
struct Consumer {
    struct Frame: Equatable {
        var id: String?
        var event = ""
        var data = ""
        var json: JSONValue { (try? JSONValue(parsing: data)) ?? .null }
        /// Of the object inside.
        var type: String { json["data"]?["type"]?.string ?? "" }
        var referer: String { json["origin"]?["referer"]?.string ?? "" }
    }
    enum End: Equatable {
        case open, ended, broken
    }

    static let connectorID = "5f0c8e0a-6a65-4d2b-8f5e-6b0f4c1f2d11"
    static let streamPath = "/stream/" + OpenCTIConfiguration.defaultStreamID
    static let fromTheBeginning: HTTPHeaders = ["Last-Event-ID": "0-0"]

    let platform: SimulatedOpenCTI
    let http: CurlTransport
    var token = OpenCTIConfiguration.defaultToken

    init(time: any TimeSource = SystemTime(), _ adjust: (inout OpenCTIConfiguration) -> Void = { _ in }) throws {
        var configuration = OpenCTIConfiguration()
        adjust(&configuration)
        platform = try SimulatedOpenCTI(configuration, time: time)
        http = try CurlTransport()
    }

    // MARK: GraphQL

    func ask(_ query: String, _ variables: JSONObject = [:]) async throws -> JSONValue {
        var request = HTTPRequest(.post, platform.server.baseURL + "/graphql")
        request.headers = ["Authorization": "Bearer \(token)", "Content-Type": "application/json"]
        request.body = .bytes((["query": .string(query), "variables": .object(variables)] as JSONValue).bytes)
        let response = try await http.send(request, by: .never)
        guard response.status == 200 else { return ["status": .int(response.status)] }
        return try JSONValue(parsing: response.body)
    }

    func register(_ more: JSONObject = [:], asking fields: String = "id connector_state") async throws -> JSONValue {
        var input: JSONObject = [
            "id": .string(Self.connectorID), "name": "Test", "type": "STREAM", "scope": ["all"], "auto": false,
            "only_contextual": false,
        ]
        for (key, value) in more { input[key] = value }
        return try await ask(
            "mutation R($input: RegisterConnectorInput) { registerConnector(input: $input) { \(fields) } }",
            ["input": .object(input)])
    }

    func ping(_ state: String, id: String = connectorID) async throws -> JSONValue {
        try await ask(
            "mutation P($id: ID!, $state: String) { pingConnector(id: $id, state: $state) { id connector_state } }",
            ["id": .string(id), "state": .string(state)])
    }

    // MARK: Admin

    @discardableResult
    func admin(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        var request = HTTPRequest(HTTPMethod(rawValue: method), platform.server.adminURL + "/" + path)
        if let body { request.body = .bytes(body.bytes) }
        let response = try await http.send(request, by: .never)
        return (try? JSONValue(parsing: response.body)) ?? .string(String(decoding: response.body, as: UTF8.self))
    }

    func lines(_ path: String) async throws -> [JSONValue] {
        let response = try await http.send(HTTPRequest(.get, platform.server.adminURL + "/" + path), by: .never)
        return try response.body.split(separator: 0x0A).map { try JSONValue(parsing: Array($0)) }
    }

    // MARK: The stream

    func open(
        _ headers: HTTPHeaders = fromTheBeginning, query: String = "", path: String = streamPath
    ) async throws -> any HTTPStream {
        var request = HTTPRequest(.get, platform.server.baseURL + path + query)
        // A busy machine may let a test wait for longer than a client would.
        request.idleTimeout = nil
        request.headers = headers
        if !token.isEmpty { request.headers["Authorization"] = "Bearer \(token)" }
        request.maxResponseBytes = .max
        return try await http.open(request, by: .never)
    }

    /// Reads whole frames until `isEnough` or the end.
    static func read(
        _ stream: any HTTPStream, until isEnough: ([Frame]) -> Bool = { _ in false }
    ) async -> (frames: [Frame], end: End, rest: String) {
        var text: [UInt8] = []
        var frames: [Frame] = []
        do {
            while !isEnough(frames) {
                guard let chunk = try await stream.next() else {
                    return (frames, .ended, String(decoding: text, as: UTF8.self))
                }
                text += chunk
                frames += take(&text)
            }
        } catch {
            return (frames, .broken, String(decoding: text, as: UTF8.self))
        }
        stream.cancel()
        return (frames, .open, String(decoding: text, as: UTF8.self))
    }

    private static func take(_ text: inout [UInt8]) -> [Frame] {
        var frames: [Frame] = []
        var start = 0
        var index = 0
        while index + 1 < text.count {
            if text[index] == 0x0A, text[index + 1] == 0x0A {
                frames.append(frame(String(decoding: text[start..<index], as: UTF8.self)))
                start = index + 2
                index += 1
            }
            index += 1
        }
        text.removeFirst(start)
        return frames
    }

    private static func frame(_ text: String) -> Frame {
        var frame = Frame()
        for line in text.split(separator: "\n") {
            if line.hasPrefix("id: ") { frame.id = String(line.dropFirst(4)) }
            if line.hasPrefix("event: ") { frame.event = String(line.dropFirst(7)) }
            if line.hasPrefix("data: ") { frame.data = String(line.dropFirst(6)) }
        }
        return frame
    }

    /// Data frames until there are so many.
    func events(
        _ count: Int, _ headers: HTTPHeaders = fromTheBeginning, query: String = ""
    ) async throws -> [Frame] {
        let stream = try await open(headers, query: query)
        let read = await Self.read(stream) { $0.count(where: \.isData) >= count }
        return read.frames.filter(\.isData)
    }

    static func indicator(_ number: Int, updated: Int64 = 0) -> JSONValue {
        [
            "id": .string("indicator--00000000-0000-5000-8000-\(100_000_000_000 + number)"), "type": "indicator",
            "name": .string("host\(number).example"),
            "pattern": .string("[domain-name:value = 'host\(number).example']"),
            "pattern_type": "stix", "revoked": false,
            "extensions": [
                "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba": [
                    "id": .string("internal-\(number)"), "type": "Indicator", "score": 50,
                ]
            ],
        ]
    }

    static func event(_ number: Int, id: String? = nil, event: String = "create") -> JSONValue {
        var value: JSONObject = ["event": .string(event)]
        if let id { value["id"] = .string(id) }
        value["data"] = ["version": "4", "type": .string(event), "data": indicator(number)]
        return .object(value)
    }
}

extension Consumer.Frame {
    var isData: Bool { !["connected", "heartbeat", "consumer_metrics", "no-recover"].contains(event) }
}
