// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Hands a body over piece by piece: one piece ready here, another being gathered on the curl thread, and while neither
/// has room the connection is paused.
final class StreamedAnswer: TransferSink {
    private struct State {
        var head: Result<HTTPHead, HTTPError>?
        var headWaiter: CheckedContinuation<Result<HTTPHead, HTTPError>, Never>?
        var ready: [UInt8] = []
        var reader: CheckedContinuation<Result<[UInt8]?, HTTPError>, Never>?
        /// The curl thread holds more and wants to be told when `ready` was taken.
        var isBehind = false
        var end: Result<Void, HTTPError>?
    }
    private let state = Mutex(State())

    /// Large enough that a wake-up costs little, small enough for flat memory: two of them are held at most.
    var pieceSize: Int? { 128 << 10 }

    // MARK: Curl thread

    func take(_ head: HTTPHead) { settle(.success(head)) }

    func take(_ piece: inout [UInt8]) -> Bool {
        enum Step {
            case refused
            case kept
            case handed(CheckedContinuation<Result<[UInt8]?, HTTPError>, Never>)
        }
        let step: Step = state.withLock { state in
            if let reader = state.reader {
                state.reader = nil
                return .handed(reader)
            }
            guard state.ready.isEmpty else {
                state.isBehind = true
                return .refused
            }
            swap(&state.ready, &piece)
            return .kept
        }
        switch step {
        case .refused: return false
        case .kept: return true
        case .handed(let reader):
            reader.resume(returning: .success(piece))
            piece = []
            return true
        }
    }

    func end(_ result: Result<[UInt8], HTTPError>) {
        let end = result.map { _ in () }
        if case .failure(let error) = end { settle(.failure(error)) }
        let reader = state.withLock { state in
            state.end = end
            if case .failure(.cancelled) = end { state.ready = [] }
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: end.map { nil })
    }

    private func settle(_ head: Result<HTTPHead, HTTPError>) {
        let waiter = state.withLock { state in
            if state.head == nil { state.head = head }
            defer { state.headWaiter = nil }
            return state.headWaiter
        }
        waiter?.resume(returning: head)
    }

    // MARK: The reader's task

    /// - Parameter start: called once the waiter is in place.
    func waitForHead(_ start: () -> Void) async throws(HTTPError) -> HTTPHead {
        let result = await withCheckedContinuation { continuation in
            let early = state.withLock { state in
                if state.head == nil { state.headWaiter = continuation }
                return state.head
            }
            if let early { continuation.resume(returning: early) } else { start() }
        }
        return try result.get()
    }

    enum Taken {
        /// `mustWake`: the curl thread holds more and waits for room.
        case piece([UInt8], mustWake: Bool)
        case end(Result<Void, HTTPError>)
        case nothingYet
    }

    func takeReady() -> Taken { state.withLock { Self.takeReady(&$0) } }

    func waitForPiece(_ wake: () -> Void) async throws(HTTPError) -> [UInt8]? {
        var mustWake = false
        let result = await withCheckedContinuation { continuation in
            let taken = state.withLock { state in
                let taken = Self.takeReady(&state)
                if case .nothingYet = taken { state.reader = continuation }
                return taken
            }
            switch taken {
            case .nothingYet: break
            case .end(let end): continuation.resume(returning: end.map { nil })
            case .piece(let piece, let isBehind):
                mustWake = isBehind
                continuation.resume(returning: .success(piece))
            }
        }
        if mustWake { wake() }
        return try result.get()
    }

    private static func takeReady(_ state: inout State) -> Taken {
        precondition(state.reader == nil, "a stream has one reader")
        if !state.ready.isEmpty {
            var piece: [UInt8] = []
            swap(&piece, &state.ready)
            defer { state.isBehind = false }
            return .piece(piece, mustWake: state.isBehind)
        }
        return state.end.map { .end($0) } ?? .nothingYet
    }

    var hasEnded: Bool { state.withLock { $0.end != nil } }

    /// Whether the connection is held back, and by how many bytes; for tests of back-pressure.
    var heldBack: Int? { state.withLock { $0.isBehind ? $0.ready.count : nil } }
}
