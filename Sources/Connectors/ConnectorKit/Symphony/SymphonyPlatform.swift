// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient
public import JSON
import Telemetry

/// Sekoia's platform as a running item sees it: callback, secrets, logs.
///
/// Source: Sekoia.io module, 0.1, 5.1 and 5.4 (SDK 1.22.3, 1.27.0).
public struct SymphonyPlatform: Sendable {
    /// What a callback says.
    public struct Report: Sendable {
        /// `running` or `finished`.
        public var status: String
        public var needsSecrets = false
        public var results: JSONValue?
        public var error: String?
        /// Lines `<date>: <level>: <message>`.
        public var logs: String?
        public var outputs: JSONObject?

        public init(status: String) { self.status = status }

        public static let running = Report(status: "running")

        var json: JSONValue {
            var object: JSONObject = ["status": .string(status)]
            if needsSecrets { object["need_secrets"] = true }
            if let results { object["results"] = results }
            if let error { object["error"] = .string(error) }
            if let logs, !logs.isEmpty { object["logs"] = .string(logs) }
            if let outputs { object["outputs"] = .object(outputs) }
            return .object(object)
        }
    }

    /// One line for the platform's log.
    public struct Line: Sendable, Hashable {
        public var time: Instant
        public var level: String
        public var message: String

        public init(time: Instant, level: String, message: String) {
            self.time = time
            self.level = level
            self.message = message
        }

        /// `2026-02-14T09:00:00.123000`, as Python writes it.
        var date: String { String(time.description.dropLast()) + "000" }
    }

    /// Waits between the attempts of one call; their number less one.
    static let attempts = 10
    static let timeout = Duration.seconds(30)

    private let transport: any HTTPTransport
    private let token: Secret
    private let callback: String
    private let logs: String
    private let secretsURL: String
    private let time: any TimeSource

    /// `nil` where no platform has started us: then everything is said locally.
    public init?(
        _ parameters: SymphonyParameters, transport: any HTTPTransport, time: any TimeSource = SystemTime()
    ) {
        guard let token = parameters.secret("token"), let callback = parameters.text("url_callback") else { return nil }
        self.transport = transport
        self.token = token
        self.callback = callback
        self.time = time
        logs = parameters.text("url_logs") ?? callback.replacing("/callback", with: "/logs")
        secretsURL = parameters.text("url_secrets") ?? callback.replacing("/callback", with: "/secrets")
    }

    /// `GET {url_secrets}` → `{"value": {"client_secret": "…"}}`, also as `node_value`. 10 attempts.
    public func secrets() async throws(SymphonyError) -> JSONObject {
        let answer = try await call(request(.get, secretsURL, nil, "symphony.secrets"), "request for secrets")
        return answer?["value"]?.object ?? answer?["node_value"]?.object ?? [:]
    }

    /// `PATCH {url_callback}`; gives the module's secrets where they were asked for. 10 attempts; a 4xx ends them at
    /// once, but for 409 at the end, which says that the platform has closed the run already.
    @discardableResult
    public func report(_ report: Report) async throws(SymphonyError) -> JSONObject {
        do throws(SymphonyError) {
            let request = request(.patch, callback, report.json, "symphony.callback")
            let answer = try await call(request, "report “\(report.status)”")
            return answer?["module_configuration"]?["value"]?.object ?? [:]
        } catch {
            if case .refused(_, 409) = error, report.status == "finished" { return [:] }
            throw error
        }
    }

    /// `POST {url_logs}`; three attempts: what is not taken comes with the next lines.
    public func post(_ lines: [Line]) async throws(SymphonyError) {
        let body: JSONValue = [
            "logs": .array(
                lines.map {
                    ["date": .string($0.date), "level": .string($0.level), "message": .string($0.message)]
                })
        ]
        _ = try await call(request(.post, logs, body, "symphony.logs"), "log", attempts: 3)
    }

    private func request(_ method: HTTPMethod, _ url: String, _ body: JSONValue?, _ operation: String) -> HTTPRequest {
        var request = HTTPRequest(
            method, url,
            headers: ["Authorization": "Bearer " + token.reveal(), "Accept": "application/json"],
            body: body.map { .bytes($0.bytes) } ?? .none, operation: operation)
        if body != nil { request.headers["Content-Type"] = "application/json" }
        request.maxResponseBytes = 8 << 20
        return request
    }

    private func call(
        _ request: HTTPRequest, _ name: String, attempts: Int = Self.attempts
    ) async throws(SymphonyError) -> JSONValue? {
        var wait = Duration.seconds(1)
        var reason = ""
        for attempt in 1...attempts {
            switch await outcome(of: request) {
            case .success(let response):
                if (200..<300).contains(response.status) { return try? JSONValue(parsing: response.body) }
                reason = "status \(response.status)"
                if (400..<500).contains(response.status), ![408, 429].contains(response.status) {
                    throw .refused(call: name, status: response.status)
                }
            case .failure(.cancelled): throw .unavailable(call: name, reason: "it was cancelled")
            case .failure(let error): reason = error.description
            }
            guard attempt < attempts else { break }
            do { try await time.sleep(for: wait) } catch { break }
            wait = min(wait * 2, .seconds(10))
        }
        throw .unavailable(call: name, reason: reason)
    }
    private func outcome(of request: HTTPRequest) async -> Result<HTTPResponse, HTTPError> {
        do throws(HTTPError) {
            return .success(try await transport.send(request, by: .after(Self.timeout, on: time)))
        } catch {
            return .failure(error)
        }
    }
}
