// SPDX-License-Identifier: Apache-2.0

import Base
import Storage

/// Counts attempts in the store before the work, many in one transaction: while one is written, the others gather.
actor AttemptDesk {
    private let store: any StateStore
    private let flow: Int64
    private let time: any TimeSource
    private var begun: [(message: Digest128, continuation: CheckedContinuation<Result<Attempt, StorageError>, Never>)] =
        []
    private var ended: [Digest128] = []
    private var isWriting = false

    init(store: any StateStore, flow: Int64, time: any TimeSource) {
        self.store = store
        self.flow = flow
        self.time = time
    }

    /// Durable on return: how often the work on this message has begun, this time included.
    func begin(_ message: Digest128) async throws(StorageError) -> Attempt {
        let result = await withCheckedContinuation { continuation in
            begun.append((message, continuation))
            if !isWriting {
                isWriting = true
                Task { await write() }
            }
        }
        return try result.get()
    }

    /// The work has ended, whichever way: only a process that ends before this counts. Written with the next ones, at
    /// latest by ``flush()``.
    func end(_ message: Digest128) {
        ended.append(message)
        if ended.count >= 64, !isWriting {
            isWriting = true
            Task { await write() }
        }
    }

    /// Writes what has gathered.
    func flush() async {
        guard !isWriting, !(begun.isEmpty && ended.isEmpty) else { return }
        isWriting = true
        await write()
    }

    /// Forgets everything: the queue was emptied.
    func forgetAll() async throws(StorageError) { try await store.forgetAttempts(flow: flow, messages: nil) }

    private func write() async {
        while !(begun.isEmpty && ended.isEmpty) {
            let (starting, finished) = (begun, ended)
            (begun, ended) = ([], [])
            let record = AttemptRecord(
                flow: flow, begun: starting.map(\.message), ended: finished, at: time.now)
            let result: Result<[Attempt], StorageError>
            do throws(StorageError) { result = .success(try await store.recordAttempts(record)) } catch {
                result = .failure(error)
                // What has ended is told again with the next ones; a disk that stays full must not fill memory.
                if ended.count < 10_000 { ended = finished + ended }
            }
            for (index, entry) in starting.enumerated() {
                entry.continuation.resume(returning: result.map { $0[index] })
            }
            if case .failure = result { break }
        }
        isWriting = false
    }
}
