// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPServer
import Synchronization

/// A streamed body that fails after some bytes, or comes slowly.
final class FaultedBody: ResponseBody {
    enum End: Sendable {
        case reset
        case orderly
        case silence(Duration)
    }
    private struct State {
        var sent = 0
        var isSilent = false
        var isOver = false
        var isPausing = false
        var task: Task<Void, Never>?
    }
    private let inner: any ResponseBody
    private let limit: Int
    private let end: End
    private let bytesPerSecond: Int?
    private let time: any TimeSource
    private let state = Mutex(State())

    /// - Parameter limit: bytes that pass before `end` strikes.
    init(
        _ inner: any ResponseBody, limit: Int = .max, end: End = .orderly, bytesPerSecond: Int? = nil,
        time: any TimeSource
    ) {
        self.inner = inner
        self.limit = limit
        self.end = end
        self.bytesPerSecond = bytesPerSecond
        self.time = time
    }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, pull: Pull) -> Filled {
        let left: Int? = state.withLock { state in state.isPausing ? nil : limit - state.sent }
        guard let left else { return .wait }
        guard left > 0 else { return strike(pull) }
        // A tenth of a second's worth at a time.
        let piece = bytesPerSecond.map { max(1, $0 / 10) } ?? .max
        let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, left, piece)])
        let filled = inner.fill(room, pull: pull)
        guard case .bytes(let count) = filled else { return filled }
        state.withLock { $0.sent += count }
        if let bytesPerSecond { pause(for: .seconds(Double(count) / Double(bytesPerSecond)), pull) }
        return filled
    }

    func close() {
        state.withLock { $0.task }?.cancel()
        inner.close()
    }

    private func strike(_ pull: Pull) -> Filled {
        switch end {
        case .reset: return .reset
        case .orderly: return .end
        case .silence(let duration):
            let (isNew, isOver) = state.withLock { state in
                defer { state.isSilent = true }
                return (!state.isSilent, state.isOver)
            }
            if isOver || pull.isStopping { return .reset }
            if isNew {
                sleep(duration, pull) { $0.isOver = true }
            }
            return .wait
        }
    }

    private func pause(for duration: Duration, _ pull: Pull) {
        state.withLock { $0.isPausing = true }
        sleep(duration, pull) { $0.isPausing = false }
    }

    private func sleep(_ duration: Duration, _ pull: Pull, then change: @escaping @Sendable (inout State) -> Void) {
        let task = Task { [time] in
            try? await time.sleep(for: duration)
            self.state.withLock { change(&$0) }
            pull.wake()
        }
        state.withLock { $0.task = task }
    }
}

/// Bytes as a stream, for bodies that a fault slows down.
final class BytesBody: ResponseBody {
    private let bytes: [UInt8]
    private let sent = Mutex(0)

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, pull: Pull) -> Filled {
        sent.withLock { sent in
            guard sent < bytes.count else { return .end }
            let count = min(buffer.count, bytes.count - sent)
            buffer.copyBytes(from: bytes[sent..<sent + count])
            sent += count
            return .bytes(count)
        }
    }

    func close() {}
}
