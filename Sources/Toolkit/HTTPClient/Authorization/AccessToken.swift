// SPDX-License-Identifier: Apache-2.0

public import Base

/// A bearer token and the moment until which it is good.
public struct AccessToken: Sendable, Hashable {
    public let value: Secret
    /// On the scale of ``TimeSource/uptime``; `nil` for a token that does not expire.
    public let expiry: Duration?

    public init(_ value: Secret, expiry: Duration?) {
        self.value = value
        self.expiry = expiry
    }
}

/// Where ``Authorizing`` takes its tokens from: ``TokenCache`` in production, anything in a test.
public protocol TokenSource: Sendable {
    /// A token to send, from memory or freshly fetched.
    ///
    /// - Parameter rejected: the token that a server has just answered with 401, if any: a source that still holds this
    ///   very one fetches another; one that has moved on gives what it has.
    /// - Throws: ``HTTPError/unauthorized(url:status:reason:)`` when the endpoint refuses; else what the network did.
    func token(rejecting rejected: AccessToken?) async throws(HTTPError) -> AccessToken
}
