// SPDX-License-Identifier: Apache-2.0

public import Base

/// Look-ups as connectors make them: through the cache, then at the service.
public struct CTILookups: Sendable {
    private let client: CrowdSecClient
    private let cache: AnswerCache

    public init(client: CrowdSecClient, cache: AnswerCache) {
        self.client = client
        self.cache = cache
    }

    /// - Parameter address: the text of an IP address, which also is the cache's key.
    /// - Returns: the answer, and whether it cost no token.
    public func answer(
        about address: String, by deadline: Deadline = .never
    ) async throws(CrowdSecError) -> (answer: CTIAnswer, isCached: Bool) {
        let client = client
        let found = try await cache.answer(for: address.lowercased()) { () async throws(CrowdSecError) in
            let body = try await client.lookUp(address, by: deadline)
            // What cannot be used is not kept.
            _ = try CrowdSecClient.answer(reading: body)
            return body
        }
        return (try CrowdSecClient.answer(reading: found.body), found.isCached)
    }
}
