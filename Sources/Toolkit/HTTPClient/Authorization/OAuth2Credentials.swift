// SPDX-License-Identifier: Apache-2.0

public import Base
import JSON

/// The client-credentials grant of OAuth2 (RFC 6749, 4.4) as a form post: `client_id=…&client_secret=…`.
///
/// Answers with 200 or 201 and `{"access_token": …, "expires_in": seconds, "token_type": "bearer"}`.
public struct OAuth2Credentials: Sendable {
    public var clientID: String
    /// Read at each fetch, so that a rotated secret file is picked up as soon as the old token is rejected.
    public var secret: @Sendable () throws -> Secret
    /// Further fields of the form, such as `grant_type` or `member_cid`.
    public var fields: [(name: String, value: String)]
    public var redirects: HTTPRequest.Redirects = .refuse
    /// How long one fetch may take.
    public var timeout: Duration = .seconds(30)

    public init(
        clientID: String, fields: [(name: String, value: String)] = [],
        secret: @escaping @Sendable () throws -> Secret
    ) {
        self.clientID = clientID
        self.fields = fields
        self.secret = secret
    }

    /// A token and the head it came with, for endpoints that say more there.
    public struct Grant: Sendable {
        public let token: AccessToken
        public let head: HTTPHead
    }

    /// Asks the endpoint at `url`.
    ///
    /// - Throws: ``HTTPError/unauthorized(url:status:reason:)`` when it refuses or its answer holds no bearer token, with
    ///   status 0 when the secret could not be read; a lost connection for 408, 429 and 5xx, which may pass.
    public func grant(
        from url: String, over transport: some HTTPTransport, time: any TimeSource = SystemTime()
    ) async throws(HTTPError) -> Grant {
        let shown = try WebAddress(url).display
        let secret: Secret
        do { secret = try self.secret() } catch {
            throw .unauthorized(url: shown, status: 0, reason: "the client secret cannot be read (\(error))")
        }
        let form = [("client_id", clientID), ("client_secret", secret.reveal())] + fields
        var request = HTTPRequest(
            .post, url,
            headers: ["Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"],
            body: .bytes(Array(PercentEncoding.query(form).utf8)), operation: "oauth2.token")
        request.redirects = redirects
        request.isIdempotent = true
        request.maxResponseBytes = 1 << 20
        let start = time.uptime
        let response = try await transport.send(request, by: .after(timeout, on: time))
        switch response.status {
        case 200, 201: break
        case 408, 429, 500...:
            throw .connectionLost(url: shown, reason: "the token endpoint answered with status \(response.status)")
        default: throw .unauthorized(url: shown, status: response.status, reason: Self.reason(in: response.body))
        }
        guard let answer = try? JSONValue(parsing: response.body), let token = answer["access_token"]?.string,
            !token.isEmpty, answer["token_type"]?.string.map({ $0.lowercased() == "bearer" }) ?? true
        else { throw .unauthorized(url: shown, status: response.status, reason: "its answer holds no bearer token") }
        // Some send the number as a text.
        let lifetime = answer["expires_in"]?.int ?? answer["expires_in"]?.string.flatMap { Int64($0) }
        let expiry = lifetime.map { start + .seconds(min(max(0, $0), 10 * 365 * 86_400)) }
        return Grant(token: AccessToken(Secret(token), expiry: expiry), head: response.head)
    }

    /// The standard's error name if there is one; never more of the answer's text.
    private static func reason(in body: [UInt8]) -> String {
        let name = (try? JSONValue(parsing: body))?["error"]?.string ?? ""
        let isName =
            (1...40).contains(name.utf8.count) && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x5F }
        return isName ? name : "no further reason"
    }
}

extension TokenCache {
    /// Tokens of `credentials` from the endpoint at `url`.
    public convenience init(
        _ credentials: OAuth2Credentials, from url: String, over transport: some HTTPTransport,
        time: any TimeSource = SystemTime(), renewBefore: Duration = .seconds(300),
        observer: (any HTTPObserver)? = nil
    ) {
        self.init(time: time, renewBefore: renewBefore, observer: observer) { () async throws(HTTPError) in
            try await credentials.grant(from: url, over: transport, time: time).token
        }
    }
}
