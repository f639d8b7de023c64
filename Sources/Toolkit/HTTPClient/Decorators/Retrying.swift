// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// What is worth another attempt, how many, and how long to wait in between.
public struct RetryPolicy: Sendable, Hashable {
    /// All together, the first included.
    public var attempts = 5
    /// Waits are drawn between this and three times the wait before ("decorrelated jitter"), and never above the longest.
    /// What the server asks for comes first if it is longer.
    public var shortestWait: Duration = .milliseconds(200)
    public var longestWait: Duration = .seconds(30)
    /// No attempt begins later than this after the first one began; nor does one that would begin after the deadline.
    public var totalTime: Duration = .seconds(120)
    /// Answers after which nobody knows what the server did: repeated for idempotent requests only.
    public var statuses: Set<Int> = [408, 500, 502, 503, 504]
    /// Answers by which the server says that it did nothing: repeated for every request.
    public var refusals: Set<Int> = [429]

    public init() {}

    func shouldRepeat(_ request: HTTPRequest, after status: Int) -> Bool {
        request.body.isReplayable && (refusals.contains(status) || (statuses.contains(status) && request.isIdempotent))
    }

    func shouldRepeat(_ request: HTTPRequest, after error: HTTPError) -> Bool {
        guard error.isRetryable, request.body.isReplayable else { return false }
        return switch error {
        // Nothing has reached the server.
        case .cannotResolve, .cannotConnect, .circuitOpen, .timedOut(_, .connect), .timedOut(_, .queue): true
        default: request.isIdempotent
        }
    }
}

/// Repeats calls as a ``RetryPolicy`` allows. What it ends with is the last answer or the last error, unchanged.
///
/// A request is repeated after an unknown outcome only if ``HTTPRequest/isIdempotent``, and never if its body is a stream.
public struct Retrying<Inner: HTTPTransport>: HTTPTransport {
    private let inner: Inner
    private let policy: RetryPolicy
    private let time: any TimeSource
    private let observer: (any HTTPObserver)?
    private let random: Jitter

    public init(
        _ inner: Inner, policy: RetryPolicy = RetryPolicy(), time: any TimeSource = SystemTime(),
        random: SeededRandom = SeededRandom(seed: .random(in: 0...(.max))), observer: (any HTTPObserver)? = nil
    ) {
        self.inner = inner
        self.policy = policy
        self.time = time
        self.observer = observer
        self.random = Jitter(random)
    }

    public func send(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> HTTPResponse {
        var attempts = attempts(request, by: deadline)
        while true {
            do {
                let response = try await inner.send(request, by: deadline)
                guard let wait = attempts.wait(after: response.head, at: time) else { return response }
                try await pause(wait)
            } catch {
                guard let wait = attempts.wait(after: error, at: time) else { throw error }
                try await pause(wait)
            }
        }
    }

    public func open(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> any HTTPStream {
        var attempts = attempts(request, by: deadline)
        while true {
            do {
                let stream = try await inner.open(request, by: deadline)
                guard let wait = attempts.wait(after: stream.head, at: time) else { return stream }
                stream.cancel()
                try await pause(wait)
            } catch {
                guard let wait = attempts.wait(after: error, at: time) else { throw error }
                try await pause(wait)
            }
        }
    }

    private func attempts(_ request: HTTPRequest, by deadline: Deadline) -> Attempts {
        Attempts(
            request: request, policy: policy, deadline: deadline, start: time.uptime, lastWait: policy.shortestWait,
            random: random, observer: observer)
    }

    private func pause(_ wait: Duration) async throws(HTTPError) {
        do { try await time.sleep(for: wait) } catch { throw .cancelled }
    }
}

/// Where one call stands in its repetitions.
private struct Attempts {
    let request: HTTPRequest
    let policy: RetryPolicy
    let deadline: Deadline
    let start: Duration
    var lastWait: Duration
    let random: Jitter
    let observer: (any HTTPObserver)?
    var count = 1

    /// `nil`: no further attempt.
    mutating func wait(after head: HTTPHead, at time: any TimeSource) -> Duration? {
        guard policy.shouldRepeat(request, after: head.status) else { return nil }
        let asked = RetryAdvice(head.headers, at: time.now).wait
        return wait(atLeast: asked, reason: ErrorCode("http.status_\(head.status)"), now: time.uptime)
    }

    mutating func wait(after error: HTTPError, at time: any TimeSource) -> Duration? {
        guard policy.shouldRepeat(request, after: error) else { return nil }
        let asked: Duration? = if case .circuitOpen(_, let wait) = error { wait } else { nil }
        return wait(atLeast: asked, reason: error.code, now: time.uptime)
    }

    private mutating func wait(atLeast asked: Duration?, reason: ErrorCode, now: Duration) -> Duration? {
        guard count < policy.attempts else { return nil }
        lastWait = min(policy.longestWait, random.duration(in: policy.shortestWait, lastWait * 3))
        let wait = max(lastWait, asked ?? .zero)
        guard now + wait - start <= policy.totalTime, deadline.uptime.map({ now + wait < $0 }) ?? true else {
            return nil
        }
        count += 1
        observer?.observe(.retry(operation: request.operation, attempt: count, reason: reason, wait: wait))
        return wait
    }
}

/// Randomness shared by the calls of one transport.
private final class Jitter: Sendable {
    private let random: Mutex<SeededRandom>
    init(_ random: SeededRandom) { self.random = Mutex(random) }

    func duration(in low: Duration, _ high: Duration) -> Duration {
        let span = max(0, (high - low).milliseconds)
        return low + .milliseconds(random.withLock { Int64.random(in: 0...span, using: &$0) })
    }
}
