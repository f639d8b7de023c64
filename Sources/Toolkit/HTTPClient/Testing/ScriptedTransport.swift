// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// Answers from a script and remembers what was asked, for the tests of everything that stands on ``HTTPTransport``.
///
/// Prepared answers go out first, in the order of ``answer(_:)``; then the closure answers. Request bodies are read to
/// their end before the answer, as a server would.
public final class ScriptedTransport: HTTPTransport {
    /// One prepared answer.
    public enum Answer: Sendable {
        /// `send` gives the pieces joined; `open` gives them one by one, then ends, or fails with `failure`.
        case response(HTTPHead, [[UInt8]], failure: HTTPError?)
        case failure(HTTPError)

        public static func status(_ status: Int, headers: HTTPHeaders = [:], _ body: String = "") -> Answer {
            .response(HTTPHead(status: status, headers: headers), [Array(body.utf8)], failure: nil)
        }
        /// A stream of `pieces` that then breaks with `failure`, or ends regularly.
        public static func stream(_ pieces: [String], headers: HTTPHeaders = [:], failure: HTTPError? = nil) -> Answer {
            .response(HTTPHead(status: 200, headers: headers), pieces.map { Array($0.utf8) }, failure: failure)
        }
    }

    /// A request as the server would have seen it.
    public struct Recorded: Sendable {
        public let request: HTTPRequest
        /// The whole body; of a multipart body the parts' contents one after the other.
        public let body: [UInt8]
        public var text: String { String(decoding: body, as: UTF8.self) }
    }

    private struct State {
        var answers: [Answer] = []
        var recorded: [Recorded] = []
    }
    private let state = Mutex(State())
    private let fallback: @Sendable (Recorded) async throws(HTTPError) -> Answer

    /// - Parameter fallback: answers what no prepared answer is left for; by default a lost connection.
    public init(
        _ fallback: @escaping @Sendable (Recorded) async throws(HTTPError) -> Answer = { (recorded) throws(HTTPError) in
            throw .connectionLost(url: recorded.request.url, reason: "the script has no answer left")
        }
    ) {
        self.fallback = fallback
    }

    /// Appends a prepared answer.
    public func answer(_ answer: Answer) { state.withLock { $0.answers.append(answer) } }

    /// Every request so far, in the order of arrival.
    public var requests: [Recorded] { state.withLock { $0.recorded } }

    public func send(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> HTTPResponse {
        let (head, pieces, failure) = try await take(request)
        if let failure { throw failure }
        return HTTPResponse(head: head, body: Array(pieces.joined()))
    }

    public func open(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> any HTTPStream {
        let (head, pieces, failure) = try await take(request)
        return ScriptedStream(head: head, pieces: pieces, failure: failure)
    }

    private func take(_ request: HTTPRequest) async throws(HTTPError) -> (HTTPHead, [[UInt8]], HTTPError?) {
        let recorded = Recorded(request: request, body: try await request.body.collected())
        let prepared: Answer? = state.withLock { state in
            state.recorded.append(recorded)
            return state.answers.isEmpty ? nil : state.answers.removeFirst()
        }
        let answer: Answer
        if let prepared { answer = prepared } else { answer = try await fallback(recorded) }
        switch answer {
        case .failure(let error): throw error
        case .response(let head, let pieces, let failure):
            let named = HTTPHead(status: head.status, reason: head.reason, headers: head.headers, url: request.url)
            return (head.url.isEmpty ? named : head, pieces, failure)
        }
    }
}

private final class ScriptedStream: HTTPStream {
    let head: HTTPHead
    private let rest: Mutex<[[UInt8]]>
    private let failure: HTTPError?
    private let isCancelled = Mutex(false)

    init(head: HTTPHead, pieces: [[UInt8]], failure: HTTPError?) {
        self.head = head
        self.failure = failure
        rest = Mutex(pieces.filter { !$0.isEmpty })
    }

    func next() async throws(HTTPError) -> [UInt8]? {
        if isCancelled.withLock({ $0 }) || Task.isCancelled { throw .cancelled }
        if let piece = rest.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { return piece }
        if let failure { throw failure }
        return nil
    }

    func cancel() { isCancelled.withLock { $0 = true } }
}

extension HTTPBody {
    /// The whole body; of a multipart body the parts' contents one after the other.
    fileprivate func collected() async throws(HTTPError) -> [UInt8] {
        func read(_ next: @Sendable () async throws -> [UInt8]?) async throws(HTTPError) -> [UInt8] {
            var bytes: [UInt8] = []
            do {
                while let piece = try await next() { bytes += piece }
            } catch {
                throw .uploadFailed(reason: "\(error)")
            }
            return bytes
        }
        switch self {
        case .none: return []
        case .bytes(let bytes): return bytes
        case .stream(_, let next): return try await read(next)
        case .multipart(let parts):
            var bytes: [UInt8] = []
            for part in parts {
                switch part.body {
                case .bytes(let body): bytes += body
                case .stream(_, let next): bytes += try await read(next)
                }
            }
            return bytes
        }
    }
}
