// SPDX-License-Identifier: Apache-2.0

public import Base

/// Tells an observer about every call. Outermost it sees calls as the caller does; innermost, each attempt.
public struct Metered<Inner: HTTPTransport>: HTTPTransport {
    private let inner: Inner
    private let observer: any HTTPObserver
    private let time: any TimeSource

    public init(_ inner: Inner, observer: any HTTPObserver, time: any TimeSource = SystemTime()) {
        self.inner = inner
        self.observer = observer
        self.time = time
    }

    public func send(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> HTTPResponse {
        let start = time.uptime
        do {
            let response = try await inner.send(request, by: deadline)
            tell(request, .status(response.status), since: start, received: response.body.count)
            return response
        } catch {
            tell(request, .failure(error.code), since: start)
            throw error
        }
    }

    public func open(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> any HTTPStream {
        let start = time.uptime
        do {
            let stream = try await inner.open(request, by: deadline)
            tell(request, .status(stream.head.status), since: start)
            return stream
        } catch {
            tell(request, .failure(error.code), since: start)
            throw error
        }
    }

    private func tell(_ request: HTTPRequest, _ outcome: HTTPCall.Outcome, since start: Duration, received: Int = 0) {
        observer.observe(
            .call(
                HTTPCall(
                    operation: request.operation, outcome: outcome, duration: time.uptime - start,
                    sentBytes: request.body.knownSize, receivedBytes: received)))
    }
}

extension HTTPBody {
    fileprivate var knownSize: Int {
        switch self {
        case .none, .stream: 0
        case .bytes(let bytes): bytes.count
        case .multipart(let parts):
            parts.reduce(0) { sum, part in if case .bytes(let bytes) = part.body { sum + bytes.count } else { sum } }
        }
    }
}
