// SPDX-License-Identifier: Apache-2.0

public import Base

/// Keeps any transport within a request budget, and keeps the budget informed by what comes back. Put it inside of
/// ``Retrying``, so that each attempt counts.
public struct RateLimited<Inner: HTTPTransport>: HTTPTransport {
    private let inner: Inner
    private let budget: TokenBucket

    public init(_ inner: Inner, budget: TokenBucket) {
        self.inner = inner
        self.budget = budget
    }

    public func send(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> HTTPResponse {
        try await budget.take(by: deadline)
        let response = try await inner.send(request, by: deadline)
        budget.learn(from: response.head)
        return response
    }

    public func open(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> any HTTPStream {
        try await budget.take(by: deadline)
        let stream = try await inner.open(request, by: deadline)
        budget.learn(from: stream.head)
        return stream
    }
}
