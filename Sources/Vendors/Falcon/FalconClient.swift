// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient
import JSON
import Synchronization

/// One Falcon tenant, spoken to as one API client.
///
/// Calls are single attempts but for one renewal of the token on a 401; retries and the request budget are the transport's
/// sleeves (``Retrying``, ``RateLimited``) or the engine's.
public struct FalconClient: Sendable {
    public let session: FalconSession
    public let credentials: FalconCredentials
    private let transport: any HTTPTransport
    private let userAgent: String
    private let timeout: Duration
    private let time: any TimeSource
    private let reader = ReplyReader()

    /// - Parameters:
    ///   - baseURL: a URL, a host or a cloud's name; the tenant's own cloud is then found by the token endpoint.
    ///   - timeout: of one call, answer included.
    /// - Throws: ``FalconError/configuration(_:)``.
    public init(
        transport: any HTTPTransport, credentials: FalconCredentials, baseURL: String = "us-1",
        userAgent: String = "sallyport", timeout: Duration = .seconds(60), time: any TimeSource = SystemTime()
    ) throws(FalconError) {
        let address = try FalconAddress(baseURL)
        self.transport = transport
        self.credentials = credentials
        self.userAgent = userAgent
        self.timeout = timeout
        self.time = time
        session = FalconSession(
            transport: transport, credentials: credentials, address: address, userAgent: userAgent, time: time)
    }

    /// Fetches a token unless there is one: whether id, secret and address are right.
    public func authenticate() async throws(FalconError) { _ = try await session.grant() }

    /// Sends one call and reads the rows of its answer.
    ///
    /// - Throws: for every status that is no success. Errors beside a success are in the envelope.
    func send<Row: Sendable>(
        _ call: FalconCall, row: @Sendable (JSONElement) -> Row?
    ) async throws(FalconError) -> FalconEnvelope<Row> {
        let response = try await exchange(call)
        do throws(ReplyReader.Failure) {
            return try reader.read(response, row: row)
        } catch {
            throw .malformed(
                operation: call.operation, reason: error.reason, traceID: FalconEnvelope.traceID(response.headers))
        }
    }

    /// Sends one call whose answer is no envelope.
    ///
    /// - Parameter body: reads the whole answer; `nil` when it is not what was promised.
    func read<Answer: Sendable>(
        _ call: FalconCall, body: @Sendable (JSONElement) -> Answer?
    ) async throws(FalconError) -> Answer {
        let response = try await exchange(call)
        guard let answer = reader.whole(response, body) else {
            throw .malformed(
                operation: call.operation, reason: "it is not what the operation answers",
                traceID: FalconEnvelope.traceID(response.headers))
        }
        return answer
    }

    /// A successful response, with a fresh token where the first was refused.
    private func exchange(_ call: FalconCall) async throws(FalconError) -> HTTPResponse {
        let deadline = Deadline.after(timeout, on: time)
        var grant = try await session.grant()
        var response = try await send(call, grant, by: deadline)
        if response.status == 401 {
            grant = try await session.grant(rejecting: grant.token)
            response = try await send(call, grant, by: deadline)
        }
        guard (200..<300).contains(response.status) else { throw refusal(response, of: call) }
        return response
    }

    /// The same for reads, where an error beside a success would otherwise pass for “nothing found”.
    ///
    /// - Parameter codes: of errors that only say that an entity is not there.
    func list<Row: Sendable>(
        _ call: FalconCall, missing codes: Set<Int> = [], row: @Sendable (JSONElement) -> Row?
    ) async throws(FalconError) -> FalconEnvelope<Row> {
        let envelope = try await send(call, row: row)
        guard let first = envelope.errors.first(where: { !codes.contains($0.code) }) else { return envelope }
        throw refusal(status: first.code, envelope.errors, envelope.traceID, of: call, headers: [:])
    }

    private func send(
        _ call: FalconCall, _ grant: FalconSession.Grant, by deadline: Deadline
    ) async throws(FalconError) -> HTTPResponse {
        do throws(HTTPError) {
            return try await transport.send(request(call, grant), by: deadline)
        } catch {
            throw .transport(error)
        }
    }

    private func request(_ call: FalconCall, _ grant: FalconSession.Grant) -> HTTPRequest {
        var request = HTTPRequest(
            call.method, call.url(at: grant.address),
            headers: [
                "Authorization": "Bearer " + grant.token.reveal(), "Accept": "application/json",
                "User-Agent": userAgent,
            ],
            body: call.body.map { .bytes($0) } ?? .none, operation: call.operation)
        if call.body != nil { request.headers["Content-Type"] = "application/json" }
        request.isIdempotent = call.isIdempotent
        return request
    }

    /// Opens a stream that brings its own credentials; the answer's body is then read as it comes.
    func open(_ request: HTTPRequest, scope: FalconScope) async throws(FalconError) -> any HTTPStream {
        var request = request
        request.headers["User-Agent"] = userAgent
        let stream: any HTTPStream
        do throws(HTTPError) {
            stream = try await transport.open(request, by: .after(timeout, on: time))
        } catch {
            throw .transport(error)
        }
        guard !(200..<300).contains(stream.head.status) else { return stream }
        stream.cancel()
        throw refusal(
            status: stream.head.status, [], FalconEnvelope.traceID(stream.head.headers),
            of: FalconCall(request.method, request.url, operation: request.operation, scope: scope),
            headers: stream.head.headers)
    }

    /// Opens the answer of one call as a stream, with a fresh token where the first was refused.
    ///
    /// - Throws: for every status that is no success.
    func open(_ call: FalconCall) async throws(FalconError) -> any HTTPStream {
        let deadline = Deadline.after(timeout, on: time)
        var grant = try await session.grant()
        var stream = try await open(call, grant, by: deadline)
        if stream.head.status == 401 {
            stream.cancel()
            grant = try await session.grant(rejecting: grant.token)
            stream = try await open(call, grant, by: deadline)
        }
        guard (200..<300).contains(stream.head.status) else {
            stream.cancel()
            throw refusal(HTTPResponse(head: stream.head, body: []), of: call)
        }
        return stream
    }

    private func open(
        _ call: FalconCall, _ grant: FalconSession.Grant, by deadline: Deadline
    ) async throws(FalconError) -> any HTTPStream {
        do throws(HTTPError) { return try await transport.open(request(call, grant), by: deadline) } catch {
            throw .transport(error)
        }
    }

    /// What the errors in the body of a success say, for calls whose success is no JSON.
    func refusal(_ response: HTTPResponse, insideSuccessOf call: FalconCall) -> FalconError {
        let envelope: FalconEnvelope<Never>? = try? reader.read(response) { _ in nil }
        let trace = envelope?.traceID ?? FalconEnvelope.traceID(response.headers)
        guard let first = envelope?.errors.first else {
            return .malformed(operation: call.operation, reason: "it is JSON in place of a file", traceID: trace)
        }
        return refusal(status: first.code, envelope?.errors ?? [], trace, of: call, headers: [:])
    }

    private func refusal(_ response: HTTPResponse, of call: FalconCall) -> FalconError {
        // Gateways answer with HTML, and errors may be null: the status alone must do then.
        let envelope: FalconEnvelope<Never>? = try? reader.read(response) { _ in nil }
        return refusal(
            status: response.status, envelope?.errors ?? [],
            envelope?.traceID ?? FalconEnvelope.traceID(response.headers), of: call, headers: response.headers)
    }

    private func refusal(
        status: Int, _ messages: [FalconMessage], _ trace: String?, of call: FalconCall, headers: HTTPHeaders
    ) -> FalconError {
        switch status {
        case 300..<400: .redirected(to: String((headers["Location"] ?? "nowhere").prefix { $0 != "?" }))
        case 400 where messages.contains { $0.message.contains("Limit of 1 million indicators reached") }:
            .quotaExceeded(traceID: trace)
        case 400, 422: .badRequest(messages, traceID: trace)
        case 401: .unauthorized(traceID: trace)
        case 403: .missingScope(call.scope, traceID: trace)
        case 404: .notFound(messages, traceID: trace)
        case 409: .conflict(messages, traceID: trace)
        case 413, 414, 504: .tooLarge(status: status, traceID: trace)
        case 429: .rateLimited(retryAfter: RetryAdvice(headers, at: time.now).wait)
        default: .unavailable(status: status, traceID: trace)
        }
    }
}

/// One request of the API, before it knows its cloud and token.
struct FalconCall: Sendable {
    let method: HTTPMethod
    let path: String
    let query: [(name: String, value: String)]
    let body: [UInt8]?
    /// For metrics and messages.
    let operation: String
    let scope: FalconScope
    let isIdempotent: Bool

    init(
        _ method: HTTPMethod, _ path: String, query: [(name: String, value: String)] = [], body: [UInt8]? = nil,
        operation: String, scope: FalconScope, isIdempotent: Bool? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.operation = operation
        self.scope = scope
        self.isIdempotent = isIdempotent ?? method.isIdempotent
    }

    var pathAndQuery: String { query.isEmpty ? path : path + "?" + PercentEncoding.query(query) }

    /// Some answers name the whole URL of a further call; whoever makes the call has looked where it leads.
    func url(at address: FalconAddress) -> String {
        path.utf8.first == UInt8(ascii: "/") ? address.description + pathAndQuery : pathAndQuery
    }
}

/// The parser of replies, shared by the concurrent calls of a client: its buffers are large, and a reply of 200
/// indicators holds the lock for a tenth of a millisecond.
private final class ReplyReader: Sendable {
    private let parser = Mutex(JSONParser())

    struct Failure: Error { let reason: String }

    /// `nil` when it is no JSON, or the body says so.
    func whole<Answer: Sendable>(_ response: HTTPResponse, _ body: @Sendable (JSONElement) -> Answer?) -> Answer? {
        parser.withLock { parser in (try? parser.withDocument(response.body) { body($0) }) ?? nil }
    }

    func read<Row: Sendable>(
        _ response: HTTPResponse, row: @Sendable (JSONElement) -> Row?
    ) throws(Failure) -> FalconEnvelope<Row> {
        do {
            return try parser.withLock { parser in
                try parser.withDocument(response.body) { root in
                    try FalconEnvelope(root, headers: response.headers, row: row)
                }
            }
        } catch let error as FalconEnvelope<Row>.Malformed {
            throw Failure(reason: error.reason)
        } catch {
            throw Failure(reason: "it is no JSON")
        }
    }
}
