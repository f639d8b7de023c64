// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient
import JSON

/// One VMRay instance, spoken to with one key.
///
/// Answers are `{"result":"ok","data":…}`; a list goes on at `/rest/continuation/<id>` while the answer names one. A 429 is
/// waited out on every call; 5xx and lost connections are tried again where doing it twice is the same as once.
///
/// Source: VMRay, 1; `vmray-rest-api` 5.2.1.
public struct VMRayClient: Sendable {
    /// What the key is good for. Source: VMRay, 1.4.
    public enum KeyType: String, Sendable, CaseIterable {
        case report = "REPORT"
        /// Verdicts only: reports and IOCs of a sample stay locked, so they are never asked for.
        case verdict = "VERDICT"
    }

    public struct Configuration: Sendable {
        /// Without a trailing slash.
        public let baseURL: String
        public let keyType: KeyType
        let key: Secret
        let userAgent: String
        /// Of one attempt, answer included.
        public var timeout: Duration = .seconds(60)
        /// Of one attempt to submit a file.
        public var uploadTimeout: Duration = .seconds(900)

        public static let defaultBaseURL = "https://eu.cloud.vmray.com"
        public static let defaultConnectorName = "CrowdStrikeCloudConnector"

        /// - Parameters:
        ///   - baseURL: `https://` is added to a bare host.
        ///   - connectorName: goes into the user agent.
        /// - Throws: ``VMRayError/configuration(_:)`` for what no header can hold.
        public init(
            baseURL: String = Self.defaultBaseURL, key: Secret, keyType: KeyType = .report,
            connectorName: String = Self.defaultConnectorName
        ) throws(VMRayError) {
            guard !key.reveal().isEmpty, key.reveal().utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw .configuration("The VMRay key is empty or holds blanks. Copy it again into VMRAY_API_KEY.")
            }
            guard connectorName.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
                throw .configuration("VMRAY_CONNECTOR_NAME goes into a header: use ASCII characters only.")
            }
            var base = baseURL[...]
            while base.utf8.last == UInt8(ascii: "/") { base.removeLast() }
            guard !base.isEmpty else { throw .configuration("VMRAY_URL is empty.") }
            self.baseURL = base.contains("://") ? String(base) : "https://" + base
            self.key = key
            self.keyType = keyType
            userAgent = "VMRayRestAPI/5.2.1 (\(connectorName))"
        }
    }

    /// Attempts of one call, the first included.
    static let attempts = 6
    /// Most pages of one list; a server that names the next page for ever ends as malformed.
    static let maxPages = 1000

    public let configuration: Configuration
    private let transport: any HTTPTransport
    private let time: any TimeSource

    public init(
        transport: any HTTPTransport, configuration: Configuration, time: any TimeSource = SystemTime()
    ) {
        self.transport = transport
        self.configuration = configuration
        self.time = time
    }

    /// The server's version: the health check at the start of each run.
    ///
    /// `GET /rest/system_info` → `{"version": "2026.2.0", …}`
    public func systemVersion() async throws(VMRayError) -> String {
        let call = VMRayCall("/rest/system_info", "vmray.system_info")
        guard let version = try await fetch(call).data["version"]?.string else {
            throw .malformed(operation: call.operation, reason: "it names no version")
        }
        return version
    }

    // MARK: Calls

    struct Page: Sendable {
        let data: JSONValue
        let next: String?
        /// The server's clock, from the `Date` field.
        let date: Instant?
    }

    /// All entries of a list, over all its pages.
    func list<Row: Sendable>(
        _ call: VMRayCall, _ row: @Sendable (JSONValue) -> Row?
    ) async throws(VMRayError) -> [Row] {
        var rows: [Row] = []
        var page = try await fetch(call)
        var seen: Set<String> = []
        while true {
            guard let entries = page.data.array else {
                throw .malformed(operation: call.operation, reason: "it is no list")
            }
            for entry in entries {
                guard let row = row(entry) else {
                    throw .malformed(operation: call.operation, reason: "an entry lacks its id")
                }
                rows.append(row)
            }
            guard let next = page.next else { return rows }
            guard seen.insert(next).inserted, seen.count < Self.maxPages else {
                throw .malformed(operation: call.operation, reason: "its pages do not end")
            }
            page = try await fetch(
                VMRayCall("/rest/continuation/" + PercentEncoding.component(next), call.operation))
        }
    }

    /// One answer in its envelope.
    func fetch(_ call: VMRayCall) async throws(VMRayError) -> Page {
        try envelope(try await answer(to: call), of: call)
    }

    /// The body of a success as it came.
    func raw(_ call: VMRayCall) async throws(VMRayError) -> [UInt8] { try await answer(to: call).body }

    private func answer(to call: VMRayCall) async throws(VMRayError) -> HTTPResponse {
        var failures = 0
        while true {
            let failure: VMRayError
            var wait: Duration?
            do throws(HTTPError) {
                let response = try await transport.send(request(call), by: .after(limit(of: call), on: time))
                guard !(200..<300).contains(response.status) else { return response }
                failure = refusal(response, of: call)
                wait = RetryAdvice(response.headers, at: time.now).wait
            } catch {
                failure = Self.failure(error)
            }
            failures += 1
            guard isWorthAnother(failure, of: call) else { throw failure }
            guard failures < Self.attempts else {
                if case .rateLimited = failure { throw .rateLimited(attempts: failures) }
                throw failure
            }
            do {
                try await time.sleep(for: max(.seconds(1 << failures), min(wait ?? .zero, .seconds(60))))
            } catch {
                throw .cancelled
            }
        }
    }

    private func isWorthAnother(_ failure: VMRayError, of call: VMRayCall) -> Bool {
        switch failure {
        // Refused before it was looked at.
        case .rateLimited: true
        case .unavailable: call.isIdempotent
        case .unreachable(let error):
            switch error {
            // Nothing has reached the server.
            case .cannotResolve, .cannotConnect, .timedOut(_, .connect): true
            default: error.isRetryable && call.isIdempotent
            }
        default: false
        }
    }

    private func limit(of call: VMRayCall) -> Duration {
        call.isIdempotent ? configuration.timeout : configuration.uploadTimeout
    }

    private func request(_ call: VMRayCall) -> HTTPRequest {
        var request = HTTPRequest(
            call.isIdempotent ? .get : .post, configuration.baseURL + call.path,
            headers: [
                "Authorization": "api_key " + configuration.key.reveal(), "User-Agent": configuration.userAgent,
                "Accept": "application/json",
            ], body: call.parts.map { .multipart($0()) } ?? .none, operation: call.operation)
        request.isIdempotent = call.isIdempotent
        return request
    }

    private static func failure(_ error: HTTPError) -> VMRayError {
        switch error {
        case .cancelled: .cancelled
        case .uploadFailed(let reason): .content(reason: reason)
        default: .unreachable(error)
        }
    }

    private func refusal(_ response: HTTPResponse, of call: VMRayCall) -> VMRayError {
        // Gateways answer with HTML: the status alone must do then.
        let text = (try? JSONValue(parsing: response.body))?["error_msg"]?.string
        let reason = Self.shown(text ?? "Unknown error")
        return switch response.status {
        case 429: .rateLimited(attempts: 1)
        case _ where Self.isQuota(reason): .quota(reason: reason)
        case 401, 405: .unauthorized(reason: reason)
        case 403: .forbidden(operation: call.operation, reason: reason)
        case 404: .notFound(operation: call.operation)
        case 500...: .unavailable(status: response.status)
        default: .refused(operation: call.operation, status: response.status, reason: reason)
        }
    }

    private func envelope(_ response: HTTPResponse, of call: VMRayCall) throws(VMRayError) -> Page {
        guard let json = try? JSONValue(parsing: response.body) else {
            throw .malformed(operation: call.operation, reason: "it is no JSON")
        }
        guard json["result"]?.string != "error" else {
            let reason = Self.shown(json["error_msg"]?.string ?? "Unknown error")
            throw Self.isQuota(reason)
                ? .quota(reason: reason)
                : .refused(operation: call.operation, status: response.status, reason: reason)
        }
        guard let data = json["data"] else { throw .malformed(operation: call.operation, reason: "it has no data") }
        let next = json["continuation_id"].flatMap { $0.string ?? $0.int.map { String($0) } }
        return Page(data: data, next: next, date: response.headers["Date"].flatMap { HTTPDate.parse($0) })
    }

    static func isQuota(_ reason: String) -> Bool { reason.lowercased().contains("quota") }

    /// One line that a log can hold.
    static func shown(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }).prefix(200))
    }
}

/// One request of the API.
struct VMRayCall: Sendable {
    let path: String
    /// For metrics and messages.
    let operation: String
    /// The fields of a POST, made anew for each attempt.
    let parts: (@Sendable () -> [HTTPBody.Part])?

    init(_ path: String, _ operation: String, parts: (@Sendable () -> [HTTPBody.Part])? = nil) {
        self.path = path
        self.operation = operation
        self.parts = parts
    }

    /// Only submissions are not.
    var isIdempotent: Bool { parts == nil }
}

/// The server's number of a sample, submission, analysis or job.
public typealias VMRayID = Int64

extension JSONValue {
    /// A number, also one that was sent as text.
    var vmrayID: VMRayID? { int ?? string.flatMap { VMRayID($0) } }
    /// The texts of a list; empty for anything else.
    var texts: [String] { (array ?? []).compactMap(\.string) }
}
