// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient
import JSON

/// One HarfangLab console, spoken to with one API token.
///
/// Calls are single attempts: retries and metrics are the transport's sleeves or the engine's. POST paths end with a
/// slash, as the rule collections demand it; no other path does. Redirects are never followed.
///
/// Source: HarfangLab ↔ OpenCTI, 1.
public struct HarfangLabClient: Sendable {
    public let address: HarfangLabAddress
    private let transport: any HTTPTransport
    private let token: @Sendable () -> Secret
    private let userAgent: String
    private let timeout: Duration
    private let time: any TimeSource

    /// - Parameters:
    ///   - url: of the console; slashes at its end are cut.
    ///   - token: asked for each request, so that a rotated one takes effect.
    ///   - timeout: of one call, answer included.
    /// - Throws: ``HarfangLabError/configuration(_:)``.
    public init(
        transport: any HTTPTransport, url: String, token: @escaping @Sendable () -> Secret,
        userAgent: String = "sallyport", timeout: Duration = .seconds(60), time: any TimeSource = SystemTime()
    ) throws(HarfangLabError) {
        address = try HarfangLabAddress(url)
        let text = token().reveal()
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .configuration("The HarfangLab token is empty or contains blanks: copy it again.")
        }
        self.transport = transport
        self.token = token
        self.userAgent = userAgent
        self.timeout = timeout
        self.time = time
    }

    static let threatIntelligence = "/api/data/threat_intelligence"
    static let alerts = "/api/data/alert/alert"

    /// Sends one call and gives the body of its 2xx; `nil` for an empty one.
    func send(
        _ method: HTTPMethod, _ path: String, query: [(name: String, value: String)] = [], body: JSONValue? = nil,
        operation: String, isIdempotent: Bool? = nil
    ) async throws(HarfangLabError) -> JSONValue? {
        let target = query.isEmpty ? path : path + "?" + PercentEncoding.query(query)
        return try await send(method, target: target, body: body, operation: operation, isIdempotent: isIdempotent)
    }

    /// - Parameter target: path and query, percent-encoded.
    func send(
        _ method: HTTPMethod, target: String, body: JSONValue? = nil, operation: String, isIdempotent: Bool? = nil
    ) async throws(HarfangLabError) -> JSONValue? {
        var request = HTTPRequest(
            method, address.description + target,
            headers: [
                "Authorization": "Token " + token().reveal(), "Accept": "application/json",
                "Content-Type": "application/json", "User-Agent": userAgent,
            ],
            body: body.map { .bytes($0.bytes) } ?? .none, operation: "harfanglab." + operation)
        if let isIdempotent { request.isIdempotent = isIdempotent }
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await transport.send(request, by: .after(timeout, on: time))
        } catch {
            throw .transport(error)
        }
        guard (200..<300).contains(response.status) else { throw refusal(response, operation) }
        guard response.body.contains(where: { $0 > 0x20 }) else { return nil }
        guard let value = try? JSONValue(parsing: response.body) else {
            throw .malformed(operation: operation, reason: "it is no JSON")
        }
        return value
    }

    private func refusal(_ response: HTTPResponse, _ operation: String) -> HarfangLabError {
        let detail = (try? JSONValue(parsing: response.body)).map { Self.detail($0) } ?? ""
        switch response.status {
        case 300..<400: return .redirected(to: String((response.headers["Location"] ?? "nowhere").prefix { $0 != "?" }))
        case 400 where detail.lowercased().contains("already exists"): return .alreadyExists(detail)
        case 401: return .unauthorized(detail)
        case 403: return .forbidden(operation: operation, detail)
        case 404: return .notFound(operation: operation)
        case 429: return .rateLimited(retryAfter: RetryAdvice(response.headers, at: time.now).wait)
        case 408: return .unavailable(status: 408)
        case 400..<500: return .refused(status: response.status, detail)
        default: return .unavailable(status: response.status)
        }
    }

    /// The words of a Django REST refusal, at most 300 characters: `{"detail":…}`, `{"field":["…"]}`,
    /// `{"__all__":["…"]}`, `{"code":"linked_sigma_rule","linked_correlation":[{"correlation_rule_name":…}]}`.
    static func detail(_ value: JSONValue) -> String {
        var words: [String] = []
        func gather(_ value: JSONValue, _ field: String?, _ depth: Int) {
            guard words.count < 4, depth < 5 else { return }
            switch value {
            case .string(let text): words.append(field.map { "\($0): \(text)" } ?? text)
            case .array(let values): for value in values { gather(value, field, depth + 1) }
            case .object(let members):
                for member in members {
                    let isPlain = member.key == "detail" || member.key == "__all__"
                    gather(member.value, isPlain ? nil : member.key, depth + 1)
                }
            default: break
            }
        }
        gather(value, nil, 0)
        return String(words.joined(separator: "; ").prefix(300))
    }

    /// `GET /api/version` → `{"version":"9.11.0"}`; `nil` where the console does not say.
    public func version() async throws(HarfangLabError) -> String? {
        try await send(.get, "/api/version", operation: "version")?["version"]?.string
    }

    /// A token that ends by itself, of the same user: `POST /api/user/api_token/` → `{"api_token":"…"}`. No flow needs one.
    ///
    /// Source: `demisto/content: Packs/HarfangLabEDR/Integrations/Hurukai/Hurukai.py`
    public func makeShortLivedToken() async throws(HarfangLabError) -> Secret {
        let operation = "make_token"
        let made = try await send(
            .post, "/api/user/api_token/", body: ["is_expirable": true], operation: operation)
        guard let token = made?["api_token"]?.string, !token.isEmpty else {
            throw .malformed(operation: operation, reason: "the token is missing")
        }
        return Secret(token)
    }

    /// The user behind the token, by name. `GET /api/auth/users/me`.
    public func me() async throws(HarfangLabError) -> String? {
        let user = try await send(.get, "/api/auth/users/me", operation: "me")
        return user?["username"]?.string ?? user?["email"]?.string
    }
}
