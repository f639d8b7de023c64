// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient
public import JSON
import Synchronization

/// One call that a rehearsal held back.
public struct RehearsedCall: Sendable, Hashable {
    public var method: String
    /// With the query, without the host.
    public var path: String
    public var body: JSONValue?

    public var json: JSONValue {
        var object: JSONObject = ["method": .string(method), "path": .string(path)]
        if let body { object["body"] = body }
        return .object(object)
    }
}

/// A transport that sends what only reads and keeps everything else, for dry runs: what is held back is answered as if
/// nothing was to be said of it.
///
/// What reads is listed by name; any other call counts as a change, so that a new one cannot slip through.
public final class Rehearsal: HTTPTransport {
    private let inner: any HTTPTransport
    private let held = Mutex<[RehearsedCall]>([])

    public init(_ inner: any HTTPTransport) { self.inner = inner }

    /// What would have been sent, in order.
    public var calls: [RehearsedCall] { held.withLock { $0 } }

    public func send(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> HTTPResponse {
        if request.method == .get || Self.readers.contains(request.operation) {
            return try await inner.send(request, by: deadline)
        }
        hold(request)
        let body = #"{"meta":{"query_time":0,"trace_id":""},"resources":[],"errors":[]}"#
        return HTTPResponse(head: HTTPHead(status: 200, url: request.url), body: Array(body.utf8))
    }

    public func open(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> any HTTPStream {
        try await inner.open(request, by: deadline)
    }

    private static let readers: Set<String> = [
        "falcon.oauth2_token", "falcon.oauth2_revoke", "falcon.device_details", "falcon.device_login_history",
        "falcon.device_login_history_v2", "falcon.alert_get", "falcon.case_get", "falcon.incident_get",
        "falcon.behavior_get",
    ]

    private func hold(_ request: HTTPRequest) {
        var path = request.url[...]
        if let scheme = path.firstRange(of: "://") {
            path = path[scheme.upperBound...].drop { $0 != "/" }
        }
        var body: JSONValue?
        if case .bytes(let bytes) = request.body { body = try? JSONValue(parsing: bytes) }
        let call = RehearsedCall(method: request.method.rawValue, path: String(path), body: body)
        held.withLock { $0.append(call) }
    }
}
