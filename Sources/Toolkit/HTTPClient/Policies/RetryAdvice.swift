// SPDX-License-Identifier: Apache-2.0

public import Base

/// What a server's answer says about its request budget and about when to come back.
///
/// Sources: RFC 9110, 10.2.3 for `Retry-After`; "Falcon API surface", section 2 for the `X-Ratelimit-` fields.
public struct RetryAdvice: Sendable, Hashable {
    /// How long the server asks to wait, from `Retry-After` (seconds or a date), else from `X-Ratelimit-RetryAfter`
    /// (epoch seconds, at least 1 s and at most 60 s from now). Never negative.
    public let wait: Duration?
    /// `X-Ratelimit-Limit`: requests a minute.
    public let limit: Int?
    /// `X-Ratelimit-Remaining`: what is left of them.
    public let remaining: Int?

    public init(_ headers: HTTPHeaders, at now: Instant) {
        let number = { (name: String) in headers[name].flatMap { Int64($0.trimmed) } }
        limit = number("X-Ratelimit-Limit").flatMap { $0 > 0 ? Int(clamping: $0) : nil }
        remaining = number("X-Ratelimit-Remaining").map { Int(clamping: max(0, $0)) }
        if let seconds = number("Retry-After") {
            wait = .seconds(min(max(0, seconds), Self.longestWait))
        } else if let date = headers["Retry-After"].flatMap({ HTTPDate.parse($0.trimmed) }) {
            wait = min(max(.zero, now.duration(to: date)), .seconds(Self.longestWait))
        } else if let epoch = number("X-Ratelimit-RetryAfter") {
            wait = .seconds(min(max(1, epoch &- now.milliseconds / 1000), 60))
        } else {
            wait = nil
        }
    }

    /// A day: beyond that a number is taken for nonsense rather than for advice.
    private static let longestWait: Int64 = 86_400
}

extension StringProtocol {
    /// Without blanks and tabs at either end, as header field values are compared.
    var trimmed: SubSequence {
        let isBlank = { (character: Character) in character == " " || character == "\t" }
        guard let first = firstIndex(where: { !isBlank($0) }), let last = lastIndex(where: { !isBlank($0) }) else {
            return self[endIndex...]
        }
        return self[first...last]
    }
}
