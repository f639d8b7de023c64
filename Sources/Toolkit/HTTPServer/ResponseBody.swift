// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A body produced while it is sent, on the server's own threads: ``fill(_:pull:)`` must not block.
public protocol ResponseBody: AnyObject, Sendable {
    /// Writes the next bytes. Called again when the client has taken them, one call at a time, never after ``Filled/end``.
    ///
    /// A body that has nothing yet answers ``Filled/wait`` and calls ``Pull/wake()`` when there is something; a wake that
    /// comes before the answer is not lost.
    func fill(_ buffer: UnsafeMutableRawBufferPointer, pull: Pull) -> Filled
    /// The body is over: sent, given up by the client, or cut because the server stops. Called once.
    func close()
}

public enum Filled: Sendable, Hashable {
    /// That many bytes were written, at least 1.
    case bytes(Int)
    case wait
    case end
    /// Resets the connection, as a network failure does.
    case reset
}

/// The sending side as a ``ResponseBody`` sees it.
public struct Pull: Sendable {
    let exchange: Exchange

    /// Lets ``ResponseBody/fill(_:pull:)`` be called again. From any thread, as often as one likes, also after the end.
    public func wake() { exchange.wake() }

    /// The server wants to stop: an endless body ends itself now, orderly. Waiting bodies are woken for this.
    public var isStopping: Bool { exchange.isStopping }
}

/// Runs one task per piece.
final class AsyncResponseBody: ResponseBody {
    private struct State {
        var piece: [UInt8] = []
        var offset = 0
        var hasEnded = false
        var task: Task<Void, Never>?
    }
    private let next: @Sendable () async -> [UInt8]?
    private let state = Mutex(State())

    init(next: @escaping @Sendable () async -> [UInt8]?) { self.next = next }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, pull: Pull) -> Filled {
        state.withLock { state in
            if state.offset < state.piece.count {
                let count = min(buffer.count, state.piece.count - state.offset)
                buffer.copyBytes(from: state.piece[state.offset..<state.offset + count])
                state.offset += count
                return .bytes(count)
            }
            if state.hasEnded { return .end }
            if let task = state.task {
                if pull.isStopping { task.cancel() }
                return .wait
            }
            if pull.isStopping { return .end }
            state.task = Task { [next] in
                // An empty piece is not the end: ask on.
                var piece = await next()
                while piece?.isEmpty == true, !Task.isCancelled { piece = await next() }
                self.deliver(piece)
                pull.wake()
            }
            return .wait
        }
    }

    func close() {
        state.withLock { state in
            state.hasEnded = true
            return state.task
        }?.cancel()
    }

    private func deliver(_ piece: [UInt8]?) {
        state.withLock { state in
            state.task = nil
            state.piece = piece ?? []
            state.offset = 0
            if state.piece.isEmpty { state.hasEnded = true }
        }
    }
}

/// The first bytes of a fixed body, then a failure: for answers that break off in the middle.
final class BrokenBody: ResponseBody {
    private let bytes: [UInt8]
    private let ending: ServerResponse.Ending
    private let sent = Mutex(0)

    /// - Parameter bytes: what is sent before the failure.
    init(_ bytes: ArraySlice<UInt8>, then ending: ServerResponse.Ending) {
        self.bytes = Array(bytes)
        self.ending = ending
    }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, pull: Pull) -> Filled {
        sent.withLock { sent in
            guard sent < bytes.count else {
                if case .silence(_, let duration) = ending, pull.exchange.silence(for: duration) { return .wait }
                return .reset
            }
            let count = min(buffer.count, bytes.count - sent)
            buffer.copyBytes(from: bytes[sent..<sent + count])
            sent += count
            return .bytes(count)
        }
    }

    func close() {}
}
