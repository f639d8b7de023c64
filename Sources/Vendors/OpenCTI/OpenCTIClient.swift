// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient
public import JSON

/// One OpenCTI platform, spoken to as one user.
///
/// Calls are single attempts: retries, rate limits and metrics are the transport's sleeves or the engine's. Every
/// document it sends is in ``OpenCTIDocuments``.
public struct OpenCTIClient: Sendable {
    public struct Configuration: Sendable {
        public var address: PlatformAddress
        /// Asked for each request, so that a token file read again after a 401 takes effect.
        public var token: @Sendable () -> Secret
        /// Sent with GraphQL and with the live stream.
        public var customHeaders: HTTPHeaders
        /// The user to act for in ``execute(_:variables:as:)`` calls that impersonate; needs BYPASS.
        public var applicantID: String?
        public var userAgent: String
        /// Of one GraphQL call, answer included. pycti waits 300 s.
        public var timeout: Duration

        /// - Throws: ``OpenCTIError/configuration(_:)`` for a URL that is none and for an empty token or `ChangeMe`.
        public init(
            url: String, token: @escaping @Sendable () -> Secret, userAgent: String = "sallyport",
            customHeaders: HTTPHeaders = [:], applicantID: String? = nil, timeout: Duration = .seconds(300)
        ) throws(OpenCTIError) {
            address = try PlatformAddress(url)
            let text = token().reveal()
            guard !text.isEmpty, text != "ChangeMe" else {
                throw .configuration("The OpenCTI token is not set. Give it as `opencti.token` or OPENCTI_TOKEN.")
            }
            guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw .configuration("The OpenCTI token contains blanks or control characters: copy it again.")
            }
            self.token = token
            self.userAgent = userAgent
            self.customHeaders = customHeaders
            self.applicantID = applicantID
            self.timeout = timeout
        }

        public init(
            url: String, token: Secret, userAgent: String = "sallyport", customHeaders: HTTPHeaders = [:],
            applicantID: String? = nil, timeout: Duration = .seconds(300)
        ) throws(OpenCTIError) {
            try self.init(
                url: url, token: { token }, userAgent: userAgent, customHeaders: customHeaders,
                applicantID: applicantID, timeout: timeout)
        }
    }

    /// In whose name a call is made.
    public enum Caller: Sendable {
        /// The token's user. Works, registration and streams always.
        case connector
        /// ``Configuration/applicantID``, when there is one.
        case applicant
        /// A user by internal id; honoured only if the token's user has BYPASS.
        case user(String)
    }

    let transport: any HTTPTransport
    let time: any TimeSource
    public let configuration: Configuration

    public init(
        transport: any HTTPTransport, configuration: Configuration, time: any TimeSource = SystemTime()
    ) {
        self.transport = transport
        self.configuration = configuration
        self.time = time
    }

    /// Sends one document and gives its `data`.
    ///
    /// `POST {url}/graphql`, body `{"query": …, "variables": {…}}`; any entry in `errors` is a failure, also beside data.
    ///
    /// - Parameter draft: the draft that the call works in; `nil` for none.
    public func execute(
        _ document: GraphQLDocument, variables: JSONObject = [:], as caller: Caller = .connector, draft: String? = nil
    ) async throws(OpenCTIError) -> JSONValue {
        var writer = JSONWriter(reserving: document.text.utf8.count + 512)
        writer.beginObject()
        writer.key("query")
        writer.string(document.text)
        writer.key("variables")
        writer.value(.object(variables))
        writer.endObject()
        var headers = callHeaders(as: caller, draft: draft)
        headers["Content-Type"] = "application/json"
        return try await send(document, .bytes(writer.bytes), headers)
    }

    /// The same with one file for the variable `file`, by the GraphQL multipart request specification.
    /// Source: OpenCTI protocol, 1.1.
    func execute(
        _ document: GraphQLDocument, variables: JSONObject, file: HTTPBody.Part, draft: String? = nil
    ) async throws(OpenCTIError) -> JSONValue {
        var variables = variables
        variables["file"] = .null
        let operations: JSONValue = ["query": .string(document.text), "variables": .object(variables)]
        let body: HTTPBody = .multipart([
            .init(name: "operations", body: .bytes(operations.bytes)),
            .init(name: "map", body: .bytes(Array(#"{"0":["variables.file"]}"#.utf8))), file,
        ])
        return try await send(document, body, callHeaders(as: .connector, draft: draft))
    }

    private func callHeaders(as caller: Caller, draft: String?) -> HTTPHeaders {
        var headers = commonHeaders
        headers["Accept"] = "application/json"
        // Empty means outside any draft; without the header the user's current draft would receive the call.
        headers["opencti-draft-id"] = draft ?? ""
        switch caller {
        case .connector: break
        case .applicant: headers["opencti-applicant-id"] = configuration.applicantID
        case .user(let id): headers["opencti-applicant-id"] = id
        }
        return headers
    }

    private func send(
        _ document: GraphQLDocument, _ body: HTTPBody, _ headers: HTTPHeaders
    ) async throws(OpenCTIError) -> JSONValue {
        var request = HTTPRequest(
            .post, configuration.address.graphQL, headers: headers, body: body,
            operation: "opencti." + document.name)
        request.isIdempotent = document.isIdempotent
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await transport.send(request, by: .after(configuration.timeout, on: time))
        } catch {
            throw .transport(error)
        }
        return try GraphQLAnswer.data(of: response, to: document, at: time.now)
    }

    private var commonHeaders: HTTPHeaders {
        var headers = configuration.customHeaders
        headers["Authorization"] = "Bearer " + configuration.token().reveal()
        headers["User-Agent"] = configuration.userAgent
        return headers
    }

    func streamRequest(_ options: LiveStreamOptions, from start: StreamStart, watchdog: Duration) -> HTTPRequest {
        var headers = commonHeaders
        headers["Accept"] = "text/event-stream"
        headers["Cache-Control"] = "no-cache"
        // A proxy that compresses a stream delays it.
        headers["Accept-Encoding"] = "identity"
        headers["Last-Event-ID"] = start.position.description
        headers["listen-delete"] = options.listenDelete ? "true" : "false"
        headers["no-dependencies"] = options.noDependencies ? "true" : "false"
        headers["with-inferences"] = options.withInferences ? "true" : "false"
        var request = HTTPRequest(
            .get, configuration.address.stream(options.id, recover: start.recoverUntil), headers: headers,
            operation: "opencti.stream")
        request.idleTimeout = watchdog
        // The stream reconnects by itself and says so: nobody below repeats it in silence.
        request.isIdempotent = false
        return request
    }
}
