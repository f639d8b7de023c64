// SPDX-License-Identifier: Apache-2.0

import Base

/// Which live stream to read and what of it.
public struct LiveStreamOptions: Sendable, Hashable {
    /// A live stream's UUID, or `live` for everything (users with BYPASS only).
    public var id: String
    /// Whether deletions are sent. Default true.
    public var listenDelete: Bool
    /// Whether only the references of an element precede it, not all of its relationships. Default true.
    public var noDependencies: Bool
    /// Whether inferred elements are sent. Default false.
    public var withInferences: Bool

    public init(id: String, listenDelete: Bool = true, noDependencies: Bool = true, withInferences: Bool = false) {
        self.id = id
        self.listenDelete = listenDelete
        self.noDependencies = noDependencies
        self.withInferences = withInferences
    }
}

/// Where reading begins.
public struct StreamStart: Sendable, Hashable {
    /// Events after this one are sent.
    public var position: EventID
    /// Until when the database is replayed as creations before live events follow: the text of the connector state,
    /// a date or an event id. `nil` for none.
    public var recoverUntil: String?

    public init(position: EventID = .beginning, recoverUntil: String? = nil) {
        self.position = position
        self.recoverUntil = recoverUntil
    }

    /// The recovery's end on the scale of event ids; `nil` without a recovery or when its text is none the platform reads.
    public var recoveryEnd: EventID? { recoverUntil.flatMap { EventID(position: $0) } }
}
