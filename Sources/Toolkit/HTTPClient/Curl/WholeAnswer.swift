// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Collects a whole answer and wakes the one task that waits for it.
final class WholeAnswer: TransferSink {
    private struct State {
        var head: HTTPHead?
        var waiter: CheckedContinuation<Result<HTTPResponse, HTTPError>, Never>?
        var result: Result<HTTPResponse, HTTPError>?
    }
    private let state = Mutex(State())

    var pieceSize: Int? { nil }

    func take(_ head: HTTPHead) { state.withLock { $0.head = head } }
    func take(_ piece: inout [UInt8]) -> Bool { false }

    func end(_ result: Result<[UInt8], HTTPError>) {
        let (waiter, answer) = state.withLock { state in
            // There is no success without a head.
            let answer = result.map { HTTPResponse(head: state.head ?? HTTPHead(status: 0), body: $0) }
            state.result = answer
            defer { state.waiter = nil }
            return (state.waiter, answer)
        }
        waiter?.resume(returning: answer)
    }

    /// - Parameter start: called once the waiter is in place.
    func wait(_ start: () -> Void) async throws(HTTPError) -> HTTPResponse {
        let result = await withCheckedContinuation { continuation in
            let early = state.withLock { state in
                if state.result == nil { state.waiter = continuation }
                return state.result
            }
            if let early { continuation.resume(returning: early) } else { start() }
        }
        return try result.get()
    }
}
