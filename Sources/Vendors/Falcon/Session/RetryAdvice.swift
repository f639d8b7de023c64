// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient

/// `Retry-After` in seconds, else `X-Ratelimit-RetryAfter` in epoch seconds (1 s to 60 s). Source: Falcon API surface, 2.
struct RetryAdvice {
    let wait: Duration?

    init(_ headers: HTTPHeaders, at now: Instant) {
        if let seconds = headers["Retry-After"].flatMap({ Int64($0) }) {
            wait = .seconds(min(max(0, seconds), 86_400))
        } else if let epoch = headers["X-Ratelimit-RetryAfter"].flatMap({ Int64($0) }) {
            wait = .seconds(min(max(1, epoch - now.milliseconds / 1000), 60))
        } else {
            wait = nil
        }
    }
}
