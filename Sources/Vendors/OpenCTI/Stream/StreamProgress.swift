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
    private var heartbeatsBeyondRecovery = 0
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

    /// Returns true when this frame shows that the recovery is over.
    mutating func observe(_ frame: StreamFrame) -> Bool {
        guard let id = frame.id, frame.kind != .connected else { return false }
        if let last = open, last != id {
            completed = max(completed, last)
            open = nil
        }
        if frame.kind == .heartbeat {
            heartbeat = max(heartbeat ?? id, id)
        } else {
            open = id
        }
        return recoveryEnds(with: id, isHeartbeat: frame.kind == .heartbeat)
    }

    /// A live event shows at once that the recovery is over. A heartbeat alone does so only when a second one follows it
    /// without an event of the recovery between: one may be sent while the database is still being read.
    private mutating func recoveryEnds(with id: EventID, isHeartbeat: Bool) -> Bool {
        guard isRecovering, let end = start.recoveryEnd else { return false }
        guard id.milliseconds > end.milliseconds else {
            heartbeatsBeyondRecovery = 0
            return false
        }
        heartbeatsBeyondRecovery += 1
        guard !isHeartbeat || heartbeatsBeyondRecovery > 1 else { return false }
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
        heartbeatsBeyondRecovery = 0
    }

    /// The platform does not recover: live events only.
    mutating func withoutRecovery() {
        start.recoverUntil = nil
        isRecovering = false
    }
}
