// SPDX-License-Identifier: Apache-2.0

import Base

/// Tries again what may succeed later, with back-off, as long as the message may be held.
struct Patience: Sendable {
    let time: any TimeSource
    /// On the clock that never jumps.
    let until: Duration
    /// Told of each failure that is waited for.
    let tell: @Sendable (any Error) -> Void

    /// The time is over; the last failure says why.
    struct Exhausted: Error { var last: any Error }

    func callAsFunction<Value>(_ call: () async throws -> Value) async throws -> Value {
        var pause = Duration.milliseconds(500)
        while true {
            do { return try await call() } catch {
                if error is CancellationError || Task.isCancelled { throw CancellationError() }
                guard let error = error as? any ActionableError, error.isRetryable else { throw error }
                tell(error)
                let wait = pause * Double.random(in: 0.75...1.25)
                guard time.uptime + wait < until else { throw Exhausted(last: error) }
                try await time.sleep(for: wait)
                pause = min(pause * 2, .seconds(30))
            }
        }
    }
}
