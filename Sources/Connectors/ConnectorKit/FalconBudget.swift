// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import HTTPClient

/// A tenant's request budget, one for all connectors of the process: the minute that the server counts, 100 calls in any
/// second, 10 of them for tokens.
///
/// Source: Sekoia.io module, 4.2; Falcon API surface, 2.
final class FalconBudget: Sendable {
    private let minute: TokenBucket
    private let second: TokenBucket
    private let tokens: TokenBucket

    /// - Parameter perMinute: 6000 is 100 a second; more raises both.
    init(perMinute: Int, time: any TimeSource) {
        minute = TokenBucket(name: "falcon", limit: perMinute, time: time)
        second = TokenBucket(
            name: "falcon_second", limit: max(100, perMinute / 60), per: .seconds(1), followsServer: false, time: time)
        tokens = TokenBucket(
            name: "falcon_tokens", limit: 10, per: .seconds(1), burst: 10, followsServer: false, time: time)
    }

    /// What one budget is for. Falcon counts by tenant, and nothing that every API client may ask tells its tenant: so all
    /// API clients of one cloud count as one tenant's, unless they are for different child tenants. Two that really are
    /// apart then wait a little longer than they must; never does one tenant get two budgets.
    static func key(_ address: FalconAddress, memberCID: String?) -> String {
        "\(address.host):\(address.port ?? 443)/\(memberCID ?? "")"
    }

    /// The one of that tenant in this process, made by the first connector that asks.
    static func shared(
        in parts: SharedParts, tenant: String, perMinute: Int, time: any TimeSource
    ) -> FalconBudget {
        parts.part("falcon-budget/\(tenant)") { FalconBudget(perMinute: perMinute, time: time) }
    }

    func take(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) {
        // Tokens have a budget of their own at the server, too.
        if Self.isToken(request) {
            try await tokens.take(by: deadline)
        } else {
            try await second.take(by: deadline)
            try await minute.take(by: deadline)
        }
    }

    func learn(from head: HTTPHead, _ request: HTTPRequest) {
        (Self.isToken(request) ? tokens : minute).learn(from: head)
    }

    private static func isToken(_ request: HTTPRequest) -> Bool { request.operation.hasPrefix("falcon.oauth2_") }
}

/// Keeps a transport within a ``FalconBudget``.
struct Budgeted<Inner: HTTPTransport>: HTTPTransport {
    let inner: Inner
    let budget: FalconBudget

    func send(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> HTTPResponse {
        try await budget.take(request, by: deadline)
        let response = try await inner.send(request, by: deadline)
        budget.learn(from: response.head, request)
        return response
    }

    func open(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> any HTTPStream {
        try await budget.take(request, by: deadline)
        let stream = try await inner.open(request, by: deadline)
        budget.learn(from: stream.head, request)
        return stream
    }
}
