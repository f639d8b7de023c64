// SPDX-License-Identifier: Apache-2.0

/// When a host is given a rest, and for how long.
public struct CircuitPolicy: Sendable, Hashable {
    /// Failures in a row that open the circuit.
    public var failures = 5
    /// The first rest; doubled by each probe that fails, up to the longest.
    public var rest: Duration = .seconds(5)
    public var longestRest: Duration = .seconds(120)
    /// How soon a caller is told to come back while a probe is out.
    public var whileProbing: Duration = .seconds(1)

    public init() {}

    static func isFailure(_ status: Int) -> Bool { status == 502 || status == 503 || status == 504 }

    /// Whether it says something about the host. A spent budget or a cancelled call does not.
    static func isFailure(_ error: HTTPError) -> Bool {
        switch error {
        case .cannotResolve, .cannotConnect, .connectionLost: true
        case .timedOut(_, let phase): phase != .queue
        default: false
        }
    }
}

/// One host's circuit: closed (calls pass), open (none does), half open (one probe decides). A plain value.
struct Circuit: Sendable, Hashable {
    private enum State: Hashable {
        case closed(failures: Int)
        case open(until: Duration, rest: Duration)
        case probing(rest: Duration)
    }
    private var state: State = .closed(failures: 0)

    var isOpen: Bool { if case .closed = state { false } else { true } }

    /// `nil` lets the call pass; else the time to wait.
    mutating func admit(at now: Duration, _ policy: CircuitPolicy) -> Duration? {
        switch state {
        case .closed: return nil
        case .open(let until, let rest):
            guard now >= until else { return until - now }
            state = .probing(rest: rest)
            return nil
        case .probing: return policy.whileProbing
        }
    }

    mutating func succeeded() { state = .closed(failures: 0) }

    mutating func failed(at now: Duration, _ policy: CircuitPolicy) {
        switch state {
        case .closed(let failures) where failures + 1 < policy.failures: state = .closed(failures: failures + 1)
        case .closed: state = .open(until: now + policy.rest, rest: policy.rest)
        case .probing(let rest):
            let longer = min(rest * 2, policy.longestRest)
            state = .open(until: now + longer, rest: longer)
        // A call from before the circuit opened: its failure is no news.
        case .open: break
        }
    }

    /// A call ended without telling anything about the host. If it was the probe, the next call is.
    mutating func learnedNothing(at now: Duration) {
        if case .probing(let rest) = state { state = .open(until: now, rest: rest) }
    }
}
