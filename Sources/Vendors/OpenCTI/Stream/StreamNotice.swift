// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient

/// Something that happened to the live stream's connection, told in order with the frames.
public enum StreamNotice: Sendable {
    /// The platform answered. `lastEvent` and `firstEvent` delimit what it holds in its log; `nil` for an empty log.
    case connected(firstEvent: EventID?, lastEvent: EventID?)
    /// The platform's log no longer reaches back to our position: events between `position` and `firstEvent` are lost,
    /// deletions among them for good. The stream has reconnected with a recovery until `recoverUntil`, which replays
    /// what was created or changed; what was deleted has to be found by comparing with the target.
    case gap(position: EventID, firstEvent: EventID, recoverUntil: Instant)
    /// The platform does not recover this stream: from now on only live events come, and the connector state's
    /// `recover_until` becomes false.
    case recoveryRefused
    /// Everything up to the recovery's date has been sent; live events follow.
    case recoveryFinished
    /// The connection ended or was refused; the next one is tried after `wait`. Nothing is lost.
    case disconnected(StreamEnd, wait: Duration)
}

/// Why a connection to the live stream ended.
public enum StreamEnd: Sendable {
    /// The platform ended the response: restart, stream stopped, or access lost (the next connection tells).
    case ended
    case broken(HTTPError)
    case refused(StreamRefusal)
    /// Nobody read for ten minutes, so the connection was closed; reading resumes by event id.
    case paused
    /// ``LiveStream/restart(from:)`` was called.
    case restarted
}

extension StreamEnd {
    /// The error code for logs and health; `nil` for the regular ends.
    public var code: ErrorCode? {
        switch self {
        case .broken(let failure): failure.code
        case .refused(let refusal): refusal.code
        case .ended, .paused, .restarted: nil
        }
    }

    /// One sentence for logs and health.
    public var reason: String {
        switch self {
        case .ended: "The platform ended the stream's response."
        case .broken(let failure): failure.description
        case .refused(let refusal): refusal.description
        case .paused: "The stream was not read for ten minutes and was closed until there is room again."
        case .restarted: "The stream starts again from another position."
        }
    }
}
