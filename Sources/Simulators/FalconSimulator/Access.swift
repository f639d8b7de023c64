// SPDX-License-Identifier: Apache-2.0

import Base

/// Tokens and request budgets. A value: the simulator guards it with a lock.
struct Access: Sendable {
    struct Grant: Sendable {
        let client: String
        let scopes: Set<String>
        /// The child CID that the token is locked to; empty for the tenant itself.
        let cid: String
        let expires: Instant
    }

    private var grants: [String: Grant] = [:]
    private var issued: UInt64 = 0
    private var calls = Window()
    private var tokenCalls = Window()

    mutating func issue(_ grant: Grant, seed: UInt64) -> String {
        issued += 1
        // Forget the expired now and then, so that a long run does not gather tokens.
        if issued % 1000 == 0 {
            grants = grants.filter { $0.value.expires > grant.expires.advanced(by: .seconds(-86_400)) }
        }
        let words = (0..<4).map { RowID.scramble(seed &+ issued &* 4 &+ $0) }
        let token = "eyJ" + words.map { String($0, radix: 36) }.joined()
        grants[token] = grant
        return token
    }

    /// `nil` when it is unknown, revoked or expired.
    func grant(of token: String, at now: Instant) -> Grant? {
        grants[token].flatMap { $0.expires > now ? $0 : nil }
    }

    mutating func revoke(_ token: String) { grants[token] = nil }
    mutating func revokeAll() { grants = [:] }

    /// Takes one call from the budget: what is left, or when the next is free.
    mutating func take(isToken: Bool, limit: Int?, at uptime: Duration) -> Budget {
        guard let limit else { return .left(Self.usualLimit - 1) }
        return isToken ? tokenCalls.take(limit, at: uptime) : calls.take(limit, at: uptime)
    }

    static let usualLimit = 6000

    enum Budget: Sendable {
        case left(Int)
        case spent(wait: Duration)
    }

    /// A sliding minute.
    private struct Window: Sendable {
        private var moments: [Duration] = []
        private var head = 0

        mutating func take(_ limit: Int, at now: Duration) -> Budget {
            while head < moments.count, moments[head] + .seconds(60) <= now { head += 1 }
            if head > 4096 {
                moments.removeFirst(head)
                head = 0
            }
            let used = moments.count - head
            guard used < limit else { return .spent(wait: moments[moments.count - limit] + .seconds(60) - now) }
            moments.append(now)
            return .left(limit - used - 1)
        }
    }
}
