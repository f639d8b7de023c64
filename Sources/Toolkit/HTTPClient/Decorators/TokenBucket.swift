// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// A request budget that all users of one tenant share: `limit` requests a period, evenly, after a first burst.
///
/// Callers get their turn in the order in which they asked. The server's own count corrects ours (``learn(from:)``), and a
/// 429 makes everybody wait.
///
/// It works like a timetable (GCRA): each request takes the next free moment. While the budget is paused the timetable
/// stands still, so that after the pause requests are as far apart as before.
public final class TokenBucket: Sendable {
    private struct State {
        var limit: Int
        /// When the timetable has no more entries, on the timetable's own clock.
        var end: Duration = .zero
        /// How far the timetable's clock is behind ``TimeSource/uptime``: all pauses together.
        var stoodStill: Duration = .zero
        var pausedUntil: Duration = .zero
        /// 429 answers in a row that did not say how long to wait.
        var refusals = 0
    }

    private let name: String
    private let period: Duration
    private let burst: Int?
    private let followsServer: Bool
    private let time: any TimeSource
    private let observer: (any HTTPObserver)?
    private let state: Mutex<State>

    /// - Parameters:
    ///   - name: for events and errors, such as `falcon`.
    ///   - limit: requests a period; corrected by `X-Ratelimit-Limit`.
    ///   - burst: requests that may go at once after silence; a tenth of the limit by default, so that burst and flow
    ///     together exceed the limit of a sliding window by no more than that.
    ///   - followsServer: whether `X-Ratelimit-Limit` and `-Remaining` count the same period, and correct this budget.
    public init(
        name: String, limit: Int, per period: Duration = .seconds(60), burst: Int? = nil, followsServer: Bool = true,
        time: any TimeSource = SystemTime(), observer: (any HTTPObserver)? = nil
    ) {
        self.name = name
        self.period = period
        self.burst = burst
        self.followsServer = followsServer
        self.time = time
        self.observer = observer
        state = Mutex(State(limit: max(1, limit)))
    }

    /// Waits for this caller's turn.
    ///
    /// - Throws: ``HTTPError/timedOut(url:phase:)`` with phase `queue`, at once, when the turn would come after the
    ///   deadline; ``HTTPError/cancelled``. The turn is then free for others.
    public func take(_ count: Int = 1, by deadline: Deadline = .never) async throws(HTTPError) {
        let moment = state.withLock { reserve(count, in: &$0, at: time.uptime) }
        while true {
            // Checked again after each wait: a pause may have come meanwhile.
            let turn = state.withLock { uptime(of: moment, in: $0) }
            if let end = deadline.uptime, turn > end {
                giveBack(count)
                throw .timedOut(url: name, phase: .queue)
            }
            if turn <= time.uptime { return }
            do { try await time.sleep(untilUptime: turn) } catch {
                giveBack(count)
                throw .cancelled
            }
        }
    }

    /// Corrects the budget by what an answer says.
    ///
    /// A 429 pauses everybody for the time it names, else for 2 s, doubled with each further one up to 60 s. Near the end
    /// of the server's budget everybody goes slower: 200 ms a request from ten left, 500 ms from five.
    ///
    /// Source: "Falcon API surface", section 2.
    public func learn(from head: HTTPHead) {
        let advice = RetryAdvice(head.headers, at: time.now)
        if followsServer { correct(by: advice) }
        if head.status == 429 {
            let refusals = state.withLock { state in
                lower(to: 0, in: &state)
                defer { state.refusals = advice.wait == nil ? state.refusals + 1 : 0 }
                return state.refusals
            }
            pause(for: advice.wait ?? min(.seconds(60), .seconds(2) * (1 << min(refusals, 5))))
        } else {
            state.withLock { $0.refusals = 0 }
            if followsServer, let remaining = advice.remaining, remaining <= 10 {
                pause(for: .milliseconds(remaining <= 5 ? 500 : 200))
            }
        }
    }

    private func correct(by advice: RetryAdvice) {
        let limit = state.withLock { state in
            if let limit = advice.limit { state.limit = limit }
            if let remaining = advice.remaining { lower(to: remaining, in: &state) }
            return state.limit
        }
        if let remaining = advice.remaining {
            observer?.observe(.budget(name: name, remaining: remaining, limit: limit))
        }
    }

    /// Nobody's turn comes before `wait` has passed.
    public func pause(for wait: Duration) {
        let isLonger = state.withLock { state in
            let now = time.uptime
            let from = max(now, state.pausedUntil)
            guard now + wait > from else { return false }
            state.stoodStill += now + wait - from
            state.pausedUntil = now + wait
            return true
        }
        if isLonger { observer?.observe(.paused(budget: name, wait: wait)) }
    }

    // MARK: The timetable

    private func interval(_ state: State) -> Duration { period / state.limit }
    private func burst(_ state: State) -> Int { max(1, burst ?? state.limit / 10) }

    private func clock(of state: State, at now: Duration) -> Duration { max(now, state.pausedUntil) - state.stoodStill }
    private func uptime(of moment: Duration, in state: State) -> Duration {
        max(moment + state.stoodStill, state.pausedUntil)
    }

    /// The moment at which this request may go, on the timetable's clock.
    private func reserve(_ count: Int, in state: inout State, at now: Duration) -> Duration {
        let clock = clock(of: state, at: now)
        state.end = max(state.end, clock) + interval(state) * count
        return max(clock, state.end - interval(state) * burst(state))
    }

    private func giveBack(_ count: Int) {
        state.withLock { state in state.end -= interval(state) * count }
    }

    /// The server knows of requests that we don't: never more than `remaining` may go at once now.
    private func lower(to remaining: Int, in state: inout State) {
        let clock = clock(of: state, at: time.uptime)
        let free = max(0, burst(state) - remaining)
        state.end = max(state.end, clock + interval(state) * free)
    }
}
