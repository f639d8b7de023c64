// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient
import JSON

/// The asset API: where inventories go, batch by batch.
///
/// Source: Sekoia.io module, 3.1.
public struct SekoiaAssets: Sendable {
    /// Sekoia's public API.
    public static let publicURL = "https://api.sekoia.io"
    /// The longest pause that a 429 may ask for, and the one without its word.
    public static let longestPause = Duration.seconds(3600)
    static let timeout = Duration.seconds(30)

    /// What newer platforms answer to a batch: it is taken and worked on.
    public struct Ticket: Sendable, Hashable {
        /// `nil` where the platform works it off at once.
        public let taskID: String?
        public init(taskID: String?) { self.taskID = taskID }
    }

    /// How the platform's work on a batch ended.
    public enum Outcome: Sendable, Hashable {
        case finished
        /// Its status, as the platform names it.
        case failed(status: String)
        /// Still at work when our patience ended.
        case unknown
    }

    private let transport: any HTTPTransport
    private let base: String
    private let connectorID: String
    private let key: @Sendable () -> Secret
    private let defaultPause: Duration
    private let time: any TimeSource

    /// - Parameters:
    ///   - url: empty means ``publicURL``.
    ///   - connectorID: the platform's id of the connector's configuration.
    ///   - key: asked for each call, so that a key file read again takes effect.
    ///   - defaultPause: after a 429 that says nothing.
    /// - Throws: ``SekoiaError/configuration(_:)`` for a URL that is neither https nor loopback, or an empty id.
    public init(
        transport: any HTTPTransport, url: String = Self.publicURL, connectorID: String,
        key: @escaping @Sendable () -> Secret, defaultPause: Duration = Self.longestPause,
        time: any TimeSource = SystemTime()
    ) throws(SekoiaError) {
        guard !connectorID.isEmpty else {
            throw .configuration("The connector's id on the platform is not set: CONNECTOR_CONFIGURATION_UUID.")
        }
        self.transport = transport
        base = try SekoiaIntake.base(url.isEmpty ? Self.publicURL : url)
        self.connectorID = connectorID
        self.key = key
        self.defaultPause = defaultPause
        self.time = time
    }

    /// `POST {base}/api/v2/asset-management/asset-connector/{id}` `{"version":1,"items":[…]}`; success is exactly 200.
    ///
    /// - Parameter items: OCSF events, each encoded already.
    public func push(_ items: [[UInt8]]) async throws(SekoiaError) -> Ticket {
        var body = Array(#"{"version":1,"items":["#.utf8)
        body.reserveCapacity(items.reduce(64) { $0 + $1.count + 1 })
        for (index, item) in items.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body += item
        }
        body += "]}".utf8
        var request = HTTPRequest(
            .post, base + "/api/v2/asset-management/asset-connector/" + PercentEncoding.component(connectorID),
            headers: headers, body: .bytes(body), operation: "sekoia.assets_push")
        request.headers["Content-Type"] = "application/json"
        let response = try await send(request)
        guard response.status == 200 else { throw refusal(response) }
        return Ticket(taskID: (try? JSONValue(parsing: response.body))?["task_id"]?.string)
    }

    /// `GET {base}/api/v1/tasks/{id}` after 1, 2, 4, then every `interval`, until it is neither PENDING nor RUNNING.
    public func outcome(
        of ticket: Ticket, interval: Duration = .seconds(5), patience: Duration = .seconds(300)
    ) async throws(SekoiaError) -> Outcome {
        guard let taskID = ticket.taskID else { return .finished }
        let end = time.uptime + patience
        var wait = min(Duration.seconds(1), interval)
        while time.uptime + wait <= end {
            do { try await time.sleep(for: wait) } catch { throw .transport(.cancelled) }
            let request = HTTPRequest(
                .get, base + "/api/v1/tasks/" + PercentEncoding.component(taskID), headers: headers,
                operation: "sekoia.task_get")
            let response = try await send(request)
            guard response.status == 200 else { throw refusal(response) }
            let status = (try? JSONValue(parsing: response.body))?["status"]?.string?.uppercased() ?? ""
            switch status {
            case "PENDING", "RUNNING": break
            case "FINISHED": return .finished
            default: return .failed(status: status)
            }
            wait = min(wait * 2, interval)
        }
        return .unknown
    }

    private var headers: HTTPHeaders {
        [
            "Authorization": "Bearer " + key().reveal(), "Accept": "application/json",
            "User-Agent": "sekoiaio-asset-connector-" + connectorID,
        ]
    }

    private func send(_ request: HTTPRequest) async throws(SekoiaError) -> HTTPResponse {
        do throws(HTTPError) {
            return try await transport.send(request, by: .after(Self.timeout, on: time))
        } catch {
            throw .transport(error)
        }
    }

    private func refusal(_ response: HTTPResponse) -> SekoiaError {
        switch response.status {
        case 429:
            let wait = RetryAdvice(response.headers, at: time.now).wait ?? defaultPause
            return .rateLimited(retryAfter: max(.zero, min(wait, Self.longestPause)))
        case 401, 403, 404: return .closed(status: response.status)
        case 400, 413, 422:
            let answer = try? JSONValue(parsing: response.body)
            let parts = [answer?["code"]?.string, answer?["message"]?.string].compactMap(\.self)
            return .refused(
                status: response.status,
                reason: parts.isEmpty ? "no reason given" : String(parts.joined(separator: ": ").prefix(300)))
        // 201 and 202 too: only 200 says that the items were taken. Nothing says that an item is at fault.
        default: return .unavailable(status: response.status)
        }
    }
}
