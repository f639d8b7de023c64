// SPDX-License-Identifier: Apache-2.0

public import Base
import HTTPClient
import JSON

/// The token of one API client and the cloud its tenant lives in.
///
/// One request fetches the token for all callers; it is renewed 300 s before it expires. ``TokenCache`` does not fit: what
/// is shared here is a token with the cloud it is for, and refusals that name CrowdStrike's trace. The tenant's cloud is told by the
/// token endpoint (`X-Cs-Region`, or a 308), and all calls go there from then on. Source: Falcon API surface, 1.
public actor FalconSession {
    static let renewBefore = Duration.seconds(300)
    static let timeout = Duration.seconds(30)

    /// What a call needs.
    public struct Grant: Sendable, Hashable {
        public let token: Secret
        public let address: FalconAddress
        let renewAt: Duration
        let expiry: Duration
    }

    private let transport: any HTTPTransport
    private let credentials: FalconCredentials
    private let userAgent: String
    private let time: any TimeSource
    /// Where tokens are fetched: at first as configured, then the tenant's own cloud.
    public private(set) var address: FalconAddress
    private var grant: Grant?
    private var refresh: Task<Result<Grant, FalconError>, Never>?

    init(
        transport: any HTTPTransport, credentials: FalconCredentials, address: FalconAddress, userAgent: String,
        time: any TimeSource
    ) {
        self.transport = transport
        self.credentials = credentials
        self.address = address
        self.userAgent = userAgent
        self.time = time
    }

    /// A token that is good for minutes, from memory or fresh.
    ///
    /// - Parameter rejected: the token that was just answered with 401: if it is still ours, another is fetched.
    func grant(rejecting rejected: Secret? = nil) async throws(FalconError) -> Grant {
        if let grant, grant.token != rejected {
            if time.uptime < grant.renewAt { return grant }
            // Somebody is fetching another already, and this one is still good.
            if time.uptime < grant.expiry, refresh != nil { return grant }
        }
        while true {
            let task = refresh ?? startRefresh()
            let result = await withTaskCancellationHandler {
                await task.value
            } onCancel: {
                task.cancel()
            }
            switch result {
            case .success(let fresh): return fresh
            // Another caller was cancelled, and the request that we share with it.
            case .failure(.transport(.cancelled)) where !Task.isCancelled: continue
            case .failure(let error):
                // A token endpoint in trouble must not stop the work.
                if let grant, grant.token != rejected, time.uptime < grant.expiry, error.isRetryable { return grant }
                throw error
            }
        }
    }

    /// Makes the token worthless before its time, at the end of a run. Without a token nothing is sent.
    public func revoke() async throws(FalconError) {
        guard let grant else { return }
        self.grant = nil
        let pair = credentials.clientID + ":" + credentials.clientSecret().reveal()
        var request = form(
            grant.address.description + "/oauth2/revoke",
            [(name: "token", value: grant.token.reveal()), (name: "client_id", value: credentials.clientID)],
            operation: "falcon.oauth2_revoke")
        request.headers["Authorization"] = "basic " + Base64.encode(pair.utf8)
        let response = try await send(request)
        guard (200..<300).contains(response.status) else { throw refusal(response) }
    }

    private func startRefresh() -> Task<Result<Grant, FalconError>, Never> {
        let task = Task {
            let result: Result<Grant, FalconError>
            do throws(FalconError) { result = .success(try await self.fetch()) } catch { result = .failure(error) }
            self.finished(result)
            return result
        }
        refresh = task
        return task
    }

    private func finished(_ result: Result<Grant, FalconError>) {
        refresh = nil
        if case .success(let fresh) = result { grant = fresh }
    }

    private func fetch() async throws(FalconError) -> Grant {
        var items = [
            (name: "client_id", value: credentials.clientID),
            (name: "client_secret", value: credentials.clientSecret().reveal()),
        ]
        if let cid = credentials.memberCID { items.append((name: "member_cid", value: cid)) }
        var target = address
        // Two hops are enough: the entry, the tenant's cloud, and one to spare.
        for _ in 0..<3 {
            let request = form(target.description + "/oauth2/token", items, operation: "falcon.oauth2_token")
            let response = try await send(request)
            if let next = try redirection(response, from: target) {
                target = next
                continue
            }
            if response.status == 429, let own = region(response, from: target) {
                // The entry's budget is spent, but it told where the tenant lives.
                target = own
                continue
            }
            guard (200..<300).contains(response.status) else { throw refusal(response) }
            address = region(response, from: target) ?? target
            return try token(in: response)
        }
        throw .redirected(to: target.description)
    }

    private func form(_ url: String, _ items: [(name: String, value: String)], operation: String) -> HTTPRequest {
        var request = HTTPRequest(
            .post, url,
            headers: [
                "Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json",
                "User-Agent": userAgent,
            ],
            body: .bytes(Array(PercentEncoding.query(items).utf8)), operation: operation)
        // A second token replaces nothing, and revoking twice is revoking.
        request.isIdempotent = true
        request.maxResponseBytes = 1 << 20
        return request
    }

    private func send(_ request: HTTPRequest) async throws(FalconError) -> HTTPResponse {
        do throws(HTTPError) {
            return try await transport.send(request, by: .after(Self.timeout, on: time))
        } catch {
            throw .transport(error)
        }
    }

    /// Where a redirect of the token endpoint leads, if the credentials may go there.
    private func redirection(_ response: HTTPResponse, from base: FalconAddress) throws(FalconError) -> FalconAddress? {
        guard (300..<400).contains(response.status) else { return nil }
        if let location = response.headers["Location"], !location.isEmpty {
            var text = location.hasPrefix("/") ? base.description + location : location
            if let query = text.firstIndex(of: "?") { text = String(text[..<query]) }
            if text.hasSuffix("/oauth2/token") { text.removeLast("/oauth2/token".count) }
            guard let target = try? FalconAddress(text), base.maySendCredentials(to: target),
                [307, 308].contains(response.status)
            else { throw .redirected(to: String(text.prefix(200))) }
            return target
        }
        guard let target = region(response, from: base) else { throw .redirected(to: "nowhere") }
        return target
    }

    /// The tenant's own cloud when the answer names another than we asked. Only between commercial clouds: a simulator
    /// or a gateway that names one is not left, and nothing leads to a government cloud.
    private func region(_ response: HTTPResponse, from base: FalconAddress) -> FalconAddress? {
        guard let current = base.cloud, !current.isGovernment,
            let named = response.headers["X-Cs-Region"].flatMap({ FalconCloud(name: $0) }), !named.isGovernment,
            named != current
        else { return nil }
        return FalconAddress(named)
    }

    private func token(in response: HTTPResponse) throws(FalconError) -> Grant {
        let trace = FalconEnvelope.traceID(response.headers)
        guard let answer = try? JSONValue(parsing: response.body), let text = answer["access_token"]?.string,
            !text.isEmpty
        else {
            throw .malformed(operation: "oauth2/token", reason: "it holds no access token", traceID: trace)
        }
        // 1799 s as a rule. A shorter life than the margin is used up to its half.
        let life = Duration.seconds(max(0, min(answer["expires_in"]?.int ?? 1799, 86_400)))
        let expiry = time.uptime + life
        return Grant(
            token: Secret(text), address: address, renewAt: expiry - min(Self.renewBefore, life / 2), expiry: expiry)
    }

    private func refusal(_ response: HTTPResponse) -> FalconError {
        let trace = FalconEnvelope.traceID(response.headers)
        return switch response.status {
        case 400, 401, 403: .credentialsRefused(status: response.status, traceID: trace)
        case 429: .rateLimited(retryAfter: RetryAdvice(response.headers, at: time.now).wait)
        default: .unavailable(status: response.status, traceID: trace)
        }
    }
}

/// RFC 4648, for the one header that needs it.
enum Base64 {
    static func encode(_ bytes: some Collection<UInt8>) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let group = rest.prefix(3)
            let bits = group.reduce(0) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                let isPadding = place > group.count
                text.append(isPadding ? UInt8(ascii: "=") : alphabet[Int(bits >> UInt32(18 - 6 * place) & 63)])
            }
            rest = rest.dropFirst(3)
        }
        return String(decoding: text, as: UTF8.self)
    }
}
