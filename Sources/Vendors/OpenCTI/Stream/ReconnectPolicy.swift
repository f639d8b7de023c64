// SPDX-License-Identifier: Apache-2.0

import Base

/// How long to wait before the live stream is connected again.
///
/// The first wait after a working connection is 3 s, or what the server asked for; repeated failures back off with
/// decorrelated jitter up to 60 s; refusals that need a person are retried every 30–60 s.
/// Source: OpenCTI protocol, 4.6.
public struct ReconnectPolicy: Sendable {
    static let first = Duration.seconds(3)
    static let longest = Duration.seconds(60)
    static let slowest = (from: Duration.seconds(30), to: Duration.seconds(60))

    private var previous: Duration?

    public init() {}

    /// Frames arrived: the next failure counts as the first again.
    public mutating func succeeded() { previous = nil }

    /// - Parameter retry: the server's `retry:` field, which replaces the 3 s.
    public mutating func wait(
        after end: StreamEnd, retry: Duration?, using random: inout some RandomNumberGenerator
    ) -> Duration {
        let base = min(max(retry ?? Self.first, .milliseconds(100)), Self.longest)
        switch end {
        case .restarted, .paused: return .zero
        case .refused(.rateLimited(let asked?)): return max(asked, backOff(base, &random))
        case .refused(let refusal) where !refusal.isRetryable:
            return .milliseconds(
                Int64.random(in: Self.slowest.from.milliseconds...Self.slowest.to.milliseconds, using: &random))
        case .ended, .broken, .refused: return backOff(base, &random)
        }
    }

    private mutating func backOff(_ base: Duration, _ random: inout some RandomNumberGenerator) -> Duration {
        guard let last = previous else {
            previous = base
            return base
        }
        let ceiling = min(last * 3, Self.longest)
        let wait = Duration.milliseconds(
            Int64.random(in: base.milliseconds...max(base, ceiling).milliseconds, using: &random))
        previous = max(wait, base)
        return wait
    }
}
