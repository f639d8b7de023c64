// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient
import JSON

/// CrowdSec's CTI API, spoken to with one key.
///
/// `GET {base}/v2/smoke/{ip}` with the header `x-api-key`, no query. One address costs one token of the key's daily quota.
///
/// Source: CrowdSec enrichment, 1; `crowdsecurity/crowdsec: pkg/cticlient/client.go`.
public struct CrowdSecClient: Sendable {
    public struct Configuration: Sendable {
        /// Without a trailing slash.
        public let baseURL: String
        /// Asked for each request, so that a key file read again takes effect.
        public var key: @Sendable () -> Secret
        public var userAgent: String
        /// Of one attempt, answer included.
        public var timeout: Duration = .seconds(30)

        public static let defaultBaseURL = "https://cti.api.crowdsec.net"

        /// - Throws: ``CrowdSecError/configuration(_:)`` for an empty key or one that no header can hold.
        public init(
            baseURL: String = Self.defaultBaseURL, key: @escaping @Sendable () -> Secret,
            userAgent: String = "sallyport-crowdsec"
        ) throws(CrowdSecError) {
            let text = key().reveal()
            guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw .configuration("The CrowdSec key is empty or holds blanks. Copy it again into CROWDSEC_KEY.")
            }
            var base = baseURL[...]
            while base.last == "/" { base.removeLast() }
            self.baseURL = String(base)
            self.key = key
            self.userAgent = userAgent
        }
    }

    public let configuration: Configuration
    private let transport: any HTTPTransport
    private let time: any TimeSource
    private let gate: LookupGate

    /// - Parameter gate: shared by all clients of one key.
    public init(
        transport: any HTTPTransport, configuration: Configuration, gate: LookupGate,
        time: any TimeSource = SystemTime()
    ) {
        self.transport = transport
        self.configuration = configuration
        self.gate = gate
        self.time = time
    }

    /// Looks one address up: as many attempts as the gate says, 2, 4, 8, 16 and 32 s apart, more where the server asks
    /// for it.
    ///
    /// 429, 5xx and lost connections are worth another attempt. A 429 holds back every look-up of the key: one probes,
    /// the others wait for what it finds.
    ///
    /// - Parameters:
    ///   - address: as the observable has it; colons of IPv6 stay as they are.
    ///   - deadline: no attempt begins that would have to begin later.
    /// - Returns: the body of a 200 as it came, `nil` for a 404.
    public func lookUp(_ address: String, by deadline: Deadline = .never) async throws(CrowdSecError) -> [UInt8]? {
        var failures = 0
        while true {
            let turn = try await gate.pass(by: deadline)
            let outcome = await attempt(address, by: deadline)
            let failure: CrowdSecError
            let asked: Duration?
            switch outcome {
            case .body(let body):
                gate.succeeded(turn)
                return body
            case .refused(let error):
                gate.released(turn)
                throw error
            case .tooMany(let limitIsSpent, let wait):
                failures += 1
                guard gate.refused(turn, failures: failures, asked: wait, limitIsSpent: limitIsSpent) else {
                    throw .quotaExceeded
                }
                continue
            case .failed(let error, let wait):
                gate.released(turn)
                failures += 1
                (failure, asked) = (error(failures), wait)
            }
            let wait = Backoff.wait(after: failures, asked: asked)
            guard failures < gate.attempts, deadline.uptime.map({ time.uptime + wait < $0 }) ?? true else {
                throw failure
            }
            do { try await time.sleep(for: wait) } catch { throw .cancelled }
        }
    }

    /// Asks about a loopback address, once: whether the service is there and takes the key, at no charge.
    ///
    /// - Returns: the status, 404 as a rule.
    public func probe() async throws(CrowdSecError) -> Int {
        switch await attempt("127.0.0.1", by: .never) {
        case .body(let body): return body == nil ? 404 : 200
        case .refused(let error): throw error
        case .tooMany: throw .quotaExceeded
        case .failed(let error, _): throw error(1)
        }
    }

    /// Reads the body of a 200.
    public static func answer(reading body: [UInt8]?) throws(CrowdSecError) -> CTIAnswer {
        guard let body else { return .notFound }
        guard let value = try? JSONValue(parsing: body) else { throw .malformed(reason: "it is no JSON") }
        if value.isNull { return .empty }
        guard let object = value.object else { throw .malformed(reason: "it is no JSON object") }
        return object.isEmpty ? .empty : .item(CTIItem(object))
    }

    private enum Outcome: Sendable {
        case body([UInt8]?)
        case refused(CrowdSecError)
        case tooMany(limitIsSpent: Bool, wait: Duration?)
        /// Worth another attempt; the error says after how many.
        case failed(@Sendable (Int) -> CrowdSecError, wait: Duration?)
    }

    private func attempt(_ address: String, by deadline: Deadline) async -> Outcome {
        var request = HTTPRequest(
            .get, configuration.baseURL + "/v2/smoke/" + address,
            headers: [
                "x-api-key": configuration.key().reveal(), "User-Agent": configuration.userAgent,
                "Accept": "application/json",
            ], operation: "crowdsec.smoke")
        request.maxResponseBytes = 4 << 20
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await transport.send(request, by: min(deadline, .after(configuration.timeout, on: time)))
        } catch {
            if case .cancelled = error { return .refused(.cancelled) }
            guard error.isRetryable else { return .refused(.unreachable(error, attempts: 1)) }
            return .failed({ .unreachable(error, attempts: $0) }, wait: nil)
        }
        let advice = RetryAdvice(response.headers, at: time.now)
        let status = response.status
        switch status {
        case 200: return .body(response.body)
        case 404: return .body(nil)
        case 429: return .tooMany(limitIsSpent: Self.message(response) == "Limit Exceeded", wait: advice.wait)
        case 500...: return .failed({ .unavailable(status: status, attempts: $0) }, wait: advice.wait)
        default: return .refused(.refused(status: status, reason: Self.message(response)))
        }
    }

    /// The service's own short word: `Forbidden`, `Limit Exceeded`. Empty for a body of another kind.
    private static func message(_ response: HTTPResponse) -> String {
        guard let text = (try? JSONValue(parsing: response.body))?["message"]?.string else { return "" }
        return String(text.prefix(120))
    }
}
