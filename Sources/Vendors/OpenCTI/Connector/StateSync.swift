// SPDX-License-Identifier: Apache-2.0

public import JSON

/// Keeps a connector's state and the platform's copy of it in step, one ping after the other. A value without I/O: the
/// ping loop asks it what to send and tells it what came back.
///
/// The platform stores what a ping brings and returns what it then holds. After "Reset the connector state" it ignores
/// one ping and returns an empty state: the local state has to go before the next ping, or that would write it back.
/// Any other difference means that somebody else wrote the state, and the platform wins.
/// Source: OpenCTI protocol, 2.4.
public struct StateSync: Sendable {
    /// What a ping's answer asks for.
    public enum Outcome: Sendable, Hashable {
        case inStep
        /// The platform's state replaces ours (`nil`: start afresh), and work that depends on it restarts.
        case replace(JSONObject?)
        /// The platform does not know this connector: register again, with the answer into ``registered(_:)``.
        case registerAgain
        /// The ping failed and says nothing about the state; the next one comes at its time.
        case failed
    }

    /// What the platform was last known to hold: our last ping or its last answer.
    private var known: JSONObject?
    private var sent: JSONObject??

    /// - Parameter registered: the state in the registration's answer.
    public init(registered: JSONObject?) { known = registered }

    /// The text for the next ping.
    public mutating func text(for state: JSONObject?) -> String {
        sent = .some(state)
        return state.map { JSONValue.object($0).text } ?? "null"
    }

    public mutating func answered(_ text: String?) -> Outcome {
        guard let sent else { return .inStep }
        let remote = ConnectorState.object(in: text)
        known = remote
        self.sent = nil
        return remote == sent ? .inStep : .replace(remote)
    }

    public mutating func failed(_ error: OpenCTIError) -> Outcome {
        // The state may or may not have arrived; the next answer tells.
        sent = nil
        // The platform has no code of its own for "No connector found with the specified ID".
        if error.refusalCode == .functional { return .registerAgain }
        return .failed
    }

    /// After registering again: the platform's copy, compared with what it was last known to hold. A deleted connector
    /// comes back without a state, and then ours goes on.
    public mutating func registered(_ state: JSONObject?) -> Outcome {
        defer { known = state }
        guard let state, state != known else { return .inStep }
        return .replace(state)
    }
}
