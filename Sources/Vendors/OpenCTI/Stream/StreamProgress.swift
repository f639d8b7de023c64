// SPDX-License-Identifier: Apache-2.0

import Base

/// Follows the ids of one live stream: from where a broken connection resumes, when a recovery is over, and whether the
/// platform's log still reaches back far enough.
struct StreamProgress: Sendable {
    /// The platform's clock and Redis's may differ by this much, so a heartbeat's id is trusted only up to here.
    static let clockSkew = Duration.seconds(10)

    private(set) var start: StreamStart
    /// The last data id after which a different id came: everything of it has been received.
    private var completed: EventID
    /// The last data id. Its dependencies came before it under the same id, and more elements of its millisecond may
    /// follow, so it counts as received only once a different id has come.
    private var open: EventID?
    private var heartbeat: EventID?
    /// The first heartbeat since the last event. It may have been sent in the middle of a group or of a recovery; when
    /// another with a later id follows, nothing has come for a whole period, and its id is believed.
    private var firstHeartbeat: EventID?
    private(set) var isRecovering: Bool

    init(_ start: StreamStart) {
        self.start = start
        completed = start.position
        isRecovering = start.recoveryEnd.map { $0 > start.position } ?? false
    }

    /// The position that loses nothing: `max(last complete id, heartbeat − 10 s)`, but always before an incomplete id.
    var resume: StreamStart {
        var position = completed
        if let heartbeat {
            let safe = heartbeat.earlier(by: Self.clockSkew)
            if safe > position, open.map({ safe < $0 }) ?? true { position = safe }
        }
        return StreamStart(position: position, recoverUntil: start.recoverUntil)
    }

    /// Returns true when this frame shows that the recovery is over: it carries an id beyond the recovery's date.
    mutating func observe(_ frame: StreamFrame) -> Bool {
        guard let id = frame.id, frame.kind != .connected, frame.kind != .noRecover else { return false }
        if frame.kind == .heartbeat {
            let first = firstHeartbeat ?? id
            firstHeartbeat = first
            // `consumer_metrics` comes with the heartbeat and its id: that is still the same moment.
            guard id > first else { return false }
        } else {
            firstHeartbeat = nil
        }
        if let last = open, last != id {
            completed = max(completed, last)
            open = nil
        }
        if frame.kind == .heartbeat { heartbeat = max(heartbeat ?? id, id) } else { open = id }
        guard isRecovering, let end = start.recoveryEnd, id.milliseconds > end.milliseconds else { return false }
        isRecovering = false
        return true
    }

    /// Whether events were lost between where live events start and the oldest one the platform holds.
    func hasGap(before firstEvent: EventID) -> Bool {
        let resume = resume
        let liveStart = max(resume.position, resume.recoveryEnd ?? resume.position)
        // The beginning means "all there is": then the platform's first event is no loss.
        return liveStart != .beginning && liveStart < firstEvent
    }

    /// Asks the next connection to replay the database until `date`.
    mutating func recover(until date: Instant) {
        start = StreamStart(position: resume.position, recoverUntil: date.description)
        isRecovering = true
        firstHeartbeat = nil
    }

    /// The platform does not recover: live events only.
    mutating func withoutRecovery() {
        start.recoverUntil = nil
        isRecovering = false
    }
}
