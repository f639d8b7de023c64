// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient

/// The intake: where events go in batches. The key in the body is the only credential.
///
/// Source: Sekoia.io module, 1.4.
public struct SekoiaIntake: Sendable {
    /// Sekoia's public intake.
    public static let publicURL = "https://intake.sekoia.io"
    static let timeout = Duration.seconds(30)

    /// What an answer means for the body that was sent.
    public enum Answer: Sendable, Hashable {
        case accepted
        /// Something in it is not acceptable: a part of it alone may be.
        case refused(status: Int)
        /// The key or the address is wrong: nothing will be accepted until somebody acts.
        case closed(status: Int)
        /// The same body later. `isOutcomeUnknown`: it may have been taken all the same.
        case unavailable(reason: String, retryAfter: Duration?, isOutcomeUnknown: Bool)
    }

    private let transport: any HTTPTransport
    private let url: String
    private let headers: HTTPHeaders
    private let time: any TimeSource

    /// - Parameters:
    ///   - url: of the intake, without `/batch`.
    ///   - userAgent: `<slug>-<version>`; never holds the key, as the original's did.
    /// - Throws: ``SekoiaError/configuration(_:)`` for a URL that is neither https nor loopback.
    public init(
        transport: any HTTPTransport, url: String = Self.publicURL, userAgent: String,
        time: any TimeSource = SystemTime()
    ) throws(SekoiaError) {
        self.transport = transport
        self.url = try Self.base(url) + "/batch"
        self.time = time
        headers = ["Content-Type": "application/json", "Accept": "application/json", "User-Agent": userAgent]
    }

    /// `POST {intake}/batch` `{"intake_key":"…","jsons":["…",…]}` → 2xx `{"event_ids":["…"]}`.
    ///
    /// - Parameter body: as ``IntakeFrame`` builds it.
    public func send(_ body: [UInt8]) async -> Answer {
        var request = HTTPRequest(.post, url, headers: headers, body: .bytes(body), operation: "sekoia.intake")
        request.maxResponseBytes = 4 << 20
        return await Self.answer(to: request, over: transport, time: time)
    }

    /// Sends a body and judges the answer, for every target that takes bodies by POST.
    public static func answer(
        to request: HTTPRequest, over transport: any HTTPTransport, time: any TimeSource
    ) async -> Answer {
        do throws(HTTPError) {
            let response = try await transport.send(request, by: .after(timeout, on: time))
            switch response.status {
            case 200..<300: return .accepted
            case 400, 413, 422: return .refused(status: response.status)
            case 401, 403, 404: return .closed(status: response.status)
            default:
                return .unavailable(
                    reason: "status \(response.status)",
                    retryAfter: RetryAdvice(response.headers, at: time.now).wait,
                    isOutcomeUnknown: response.status >= 500)
            }
        } catch {
            let isSent: Bool
            switch error {
            case .cannotResolve, .cannotConnect, .tls, .circuitOpen, .proxyRefused, .timedOut(_, .connect),
                .timedOut(_, .queue):
                isSent = false
            default: isSent = true
            }
            return .unavailable(reason: error.description, retryAfter: nil, isOutcomeUnknown: isSent)
        }
    }

    /// Without a slash at the end; http for loopback only, since the key travels in the body.
    static func base(_ text: String) throws(SekoiaError) -> String {
        var base = text
        while base.hasSuffix("/") { base.removeLast() }
        guard base.hasPrefix("https://") || isLoopback(base) else {
            throw .configuration("“\(base)” is no https URL: the key is sent there. Give Sekoia's URL with https.")
        }
        return base
    }

    /// Whether an http URL leads to this machine by its whole host: `127.0.0.1.example` is somebody else's.
    private static func isLoopback(_ url: String) -> Bool {
        guard url.hasPrefix("http://") else { return false }
        let authority = url.dropFirst("http://".count).prefix { !"/?#".contains($0) }
        if authority == "[::1]" || authority.hasPrefix("[::1]:") { return true }
        guard !authority.contains("@") else { return false }
        let host = authority.prefix { $0 != ":" }.lowercased()
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
        return host == "localhost"
            || numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil }
    }
}

/// The frame around the events of one body: `{"intake_key":"…","jsons":[` `"…"`,… `]}`.
public struct IntakeFrame: Sendable {
    /// The intake's limit of one body, encoded.
    public static let maxBodyBytes = 10_485_760
    /// The intake's limit of one event, in Unicode scalars of the line.
    public static let maxEventScalars = 250_000

    /// `{"intake_key":"…","jsons":[`
    public let head: [UInt8]
    /// `]}`
    public let tail: [UInt8]

    /// - Parameter key: written as a JSON string.
    public init(key: Secret) {
        var text = #"{"intake_key":""#
        for scalar in key.reveal().unicodeScalars {
            switch scalar {
            case "\"", "\\":
                text += "\\"
                text.unicodeScalars.append(scalar)
            case "\u{0}"..<" ": text += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: text.unicodeScalars.append(scalar)
            }
        }
        head = Array((text + #"","jsons":["#).utf8)
        tail = Array("]}".utf8)
    }
}
