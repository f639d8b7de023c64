// SPDX-License-Identifier: Apache-2.0

public import Base

/// Is told what is worth counting about HTTP calls. Whoever wires up the program turns it into metrics and log lines.
public protocol HTTPObserver: Sendable {
    /// Called on the caller's task; must return quickly.
    func observe(_ event: HTTPEvent)
}

public enum HTTPEvent: Sendable {
    /// A call has ended. From ``Metered``.
    case call(HTTPCall)
    /// The call is about to be repeated after `wait`. From ``Retrying``.
    case retry(operation: String, attempt: Int, reason: ErrorCode, wait: Duration)
    /// What the server said is left of the request budget. From ``TokenBucket``.
    case budget(name: String, remaining: Int, limit: Int)
    /// Every user of the budget now waits. From ``TokenBucket``.
    case paused(budget: String, wait: Duration)
    /// The circuit of a host opened or closed. From ``CircuitBreaker``.
    case circuit(host: String, isOpen: Bool)
    /// A token was fetched, or could not be. From ``TokenCache``.
    case token(failure: ErrorCode?)
}

/// One ended call.
public struct HTTPCall: Sendable, Hashable {
    public enum Outcome: Sendable, Hashable {
        case status(Int)
        case failure(ErrorCode)
    }

    /// ``HTTPRequest/operation``.
    public let operation: String
    public let outcome: Outcome
    /// Up to the whole answer, or for a stream up to its head. Includes waits and repetitions of the decorators inside.
    public let duration: Duration
    /// Of the request's body; 0 for one that is streamed.
    public let sentBytes: Int
    /// Of the answer's body, unpacked; 0 for a stream.
    public let receivedBytes: Int

    /// `2xx`, `4xx`, … or the error's code: a small closed set for a metric's label.
    public var outcomeLabel: String {
        switch outcome {
        case .status(let status): "\(status / 100)xx"
        case .failure(let code): code.text
        }
    }
}
