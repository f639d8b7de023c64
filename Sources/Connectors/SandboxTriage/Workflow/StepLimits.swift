// SPDX-License-Identifier: Apache-2.0

import Base

/// How many samples may be in a step at once; those that come later wait in the order of their coming.
struct StepLimits: Sendable {
    /// Look-ups and reading results.
    let ask = StepLimit(16)
    /// From the download to the answer to the submission: only these hold a sample's content.
    let transfer: StepLimit
    let poll = StepLimit(32)
    /// Telling Falcon.
    let report = StepLimit(8)
    /// Samples under way at all, waiting ones included.
    static let underWay = 1000

    init(transfers: Int) { transfer = StepLimit(transfers) }
}

final class StepLimit: Sendable {
    private let permits: BoundedChannel<Void>

    init(_ count: Int) {
        permits = BoundedChannel(capacity: count)
        for _ in 0..<count { _ = permits.offer(()) }
    }

    /// Returns when there is room; each needs its ``leave()``.
    ///
    /// - Throws: `CancellationError`.
    func enter() async throws { if await permits.receive() == nil { throw CancellationError() } }

    func leave() { _ = permits.offer(()) }

    func run<Result: Sendable>(_ work: () async throws -> Result) async throws -> Result {
        try await enter()
        defer { leave() }
        return try await work()
    }
}
