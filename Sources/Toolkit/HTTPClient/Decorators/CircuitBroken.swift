// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// The circuits of some hosts, shared by all transports that call them.
public final class CircuitBreaker: Sendable {
    private let policy: CircuitPolicy
    private let time: any TimeSource
    private let observer: (any HTTPObserver)?
    private let circuits = Mutex<[String: Circuit]>([:])

    public init(
        policy: CircuitPolicy = CircuitPolicy(), time: any TimeSource = SystemTime(),
        observer: (any HTTPObserver)? = nil
    ) {
        self.policy = policy
        self.time = time
        self.observer = observer
    }

    fileprivate func admit(_ host: String) throws(HTTPError) {
        let wait = circuits.withLock { $0[host, default: Circuit()].admit(at: time.uptime, policy) }
        if let wait { throw .circuitOpen(host: host, retryAfter: wait) }
    }

    fileprivate func ended(_ host: String, status: Int) {
        update(host) { circuit in
            if CircuitPolicy.isFailure(status) { circuit.failed(at: time.uptime, policy) } else { circuit.succeeded() }
        }
    }

    fileprivate func ended(_ host: String, error: HTTPError) {
        update(host) { circuit in
            if CircuitPolicy.isFailure(error) {
                circuit.failed(at: time.uptime, policy)
            } else {
                circuit.learnedNothing(at: time.uptime)
            }
        }
    }

    private func update(_ host: String, _ change: (inout Circuit) -> Void) {
        let (before, after) = circuits.withLock { circuits in
            let before = circuits[host, default: Circuit()]
            change(&circuits[host, default: Circuit()])
            return (before.isOpen, circuits[host]?.isOpen ?? false)
        }
        if before != after { observer?.observe(.circuit(host: host, isOpen: after)) }
    }
}

/// Spares a host that keeps failing: calls to it then fail at once with ``HTTPError/circuitOpen(host:retryAfter:)``, but
/// for a probe now and then.
public struct CircuitBroken<Inner: HTTPTransport>: HTTPTransport {
    private let inner: Inner
    private let breaker: CircuitBreaker

    public init(_ inner: Inner, breaker: CircuitBreaker) {
        self.inner = inner
        self.breaker = breaker
    }

    public func send(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> HTTPResponse {
        let host = try host(of: request)
        try breaker.admit(host)
        do {
            let response = try await inner.send(request, by: deadline)
            breaker.ended(host, status: response.status)
            return response
        } catch {
            breaker.ended(host, error: error)
            throw error
        }
    }

    public func open(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> any HTTPStream {
        let host = try host(of: request)
        try breaker.admit(host)
        do {
            let stream = try await inner.open(request, by: deadline)
            breaker.ended(host, status: stream.head.status)
            return stream
        } catch {
            breaker.ended(host, error: error)
            throw error
        }
    }

    private func host(of request: HTTPRequest) throws(HTTPError) -> String {
        let address = try WebAddress(request.url)
        return "\(address.host):\(address.port)"
    }
}
