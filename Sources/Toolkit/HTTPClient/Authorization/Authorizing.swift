// SPDX-License-Identifier: Apache-2.0

public import Base

/// Adds `Authorization: Bearer …` and, after a 401, tries once more with another token.
///
/// A request that brings its own `Authorization` passes unchanged; one whose body is a stream is not repeated, but its
/// token is replaced for the next.
public struct Authorizing<Inner: HTTPTransport>: HTTPTransport {
    private let inner: Inner
    private let tokens: any TokenSource

    public init(_ inner: Inner, tokens: any TokenSource) {
        self.inner = inner
        self.tokens = tokens
    }

    public func send(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> HTTPResponse {
        guard request.headers["Authorization"] == nil else { return try await inner.send(request, by: deadline) }
        let token = try await tokens.token(rejecting: nil)
        let response = try await inner.send(request.authorized(by: token), by: deadline)
        guard response.status == 401, let other = try await replacement(of: token, for: request) else {
            return response
        }
        return try await inner.send(request.authorized(by: other), by: deadline)
    }

    public func open(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> any HTTPStream {
        guard request.headers["Authorization"] == nil else { return try await inner.open(request, by: deadline) }
        let token = try await tokens.token(rejecting: nil)
        let stream = try await inner.open(request.authorized(by: token), by: deadline)
        guard stream.head.status == 401, let other = try await replacement(of: token, for: request) else {
            return stream
        }
        stream.cancel()
        return try await inner.open(request.authorized(by: other), by: deadline)
    }

    private func replacement(of token: AccessToken, for request: HTTPRequest) async throws(HTTPError) -> AccessToken? {
        let other = try await tokens.token(rejecting: token)
        return request.body.isReplayable && other != token ? other : nil
    }
}

extension HTTPRequest {
    fileprivate func authorized(by token: AccessToken) -> HTTPRequest {
        var request = self
        request.headers["Authorization"] = "Bearer " + token.value.reveal()
        return request
    }
}
