// SPDX-License-Identifier: Apache-2.0

import Base
import Synchronization

/// A request's body on its way into libcurl.
enum Upload: Sendable {
    case none
    case bytes([UInt8], contentType: String?)
    case stream(UploadStream)

    /// Multipart bodies that are all in memory become one text, so that a redirect can send them again.
    init(_ body: HTTPBody) {
        switch body {
        case .none: self = .none
        case .bytes(let bytes): self = .bytes(bytes, contentType: nil)
        case .stream(let length, let next):
            self = .stream(UploadStream([.pulled(next, length: length)], length: length, contentType: nil))
        case .multipart(let parts):
            var random = SystemRandomNumberGenerator()
            self.init(Multipart(parts, random: &random), isReplayable: body.isReplayable)
        }
    }

    private init(_ multipart: Multipart, isReplayable: Bool) {
        var segments: [UploadStream.Segment] = []
        var whole: [UInt8] = []
        func append(_ bytes: [UInt8]) { if isReplayable { whole += bytes } else { segments.append(.bytes(bytes)) } }
        for (index, part) in multipart.parts.enumerated() {
            append(multipart.opening(of: index))
            switch part.body {
            case .bytes(let bytes): append(bytes)
            case .stream(let length, let next): segments.append(.pulled(next, length: length))
            }
        }
        append(multipart.closing)
        self =
            isReplayable
            ? .bytes(whole, contentType: multipart.contentType)
            : .stream(UploadStream(segments, length: multipart.length, contentType: multipart.contentType))
    }

    var isPresent: Bool { if case .none = self { false } else { true } }

    /// `nil` when unknown before the end.
    var length: Int64? {
        switch self {
        case .none: 0
        case .bytes(let bytes, _): Int64(bytes.count)
        case .stream(let stream): stream.length
        }
    }

    /// Set when the body's form decides the content type.
    var contentType: String? {
        switch self {
        case .none: nil
        case .bytes(_, let contentType): contentType
        case .stream(let stream): stream.contentType
        }
    }

    /// No more of the body is wanted.
    func close() { if case .stream(let stream) = self { stream.close() } }
}

/// Carries the pieces of a streamed body from the task that makes them to the curl thread, two pieces at most at a time.
final class UploadStream: Sendable {
    enum Segment: Sendable {
        case bytes([UInt8])
        case pulled(@Sendable () async throws -> [UInt8]?, length: Int64?)
    }
    enum ReadResult {
        case bytes(Int)
        case starved
        case ended
        case failed(HTTPError)
    }

    private struct State {
        var piece: [UInt8] = []
        var offset = 0
        var end: Result<Void, HTTPError>?
        var isStarved = false
        var isClosed = false
        var producer: CheckedContinuation<Void, Never>?
    }

    let length: Int64?
    let contentType: String?
    private let segments: [Segment]
    private let state = Mutex(State())

    init(_ segments: [Segment], length: Int64?, contentType: String?) {
        self.segments = segments
        self.length = length
        self.contentType = contentType
    }

    /// Pulls the pieces and offers them until the end, an error, or ``close()``.
    /// - Parameter wake: called when libcurl had to wait and need not any more.
    func pump(wake: @Sendable () -> Void) async {
        do {
            for segment in segments {
                switch segment {
                case .bytes(let bytes):
                    guard await offer(bytes, wake: wake) else { return }
                case .pulled(let next, let length):
                    guard try await pump(next, length: length, wake: wake) else { return }
                }
            }
            end(.success(()), wake: wake)
        } catch is CancellationError {
            end(.failure(.cancelled), wake: wake)
        } catch {
            end(.failure(error as? HTTPError ?? .uploadFailed(reason: "\(error)")), wake: wake)
        }
    }

    /// The piece that completes an announced length is let go only once nothing follows it: a body that is longer than
    /// announced must not look whole to the server.
    private func pump(
        _ next: @Sendable () async throws -> [UInt8]?, length: Int64?, wake: @Sendable () -> Void
    ) async throws -> Bool {
        let wrongLength = HTTPError.uploadFailed(reason: "it has not the \(length ?? 0) bytes that were announced")
        var left = length
        while let piece = try await next() {
            if let before = left {
                left = before - Int64(piece.count)
                if before < piece.count { throw wrongLength }
                if left == 0 { while let extra = try await next() { if !extra.isEmpty { throw wrongLength } } }
            }
            guard await offer(piece, wake: wake) else { return false }
            if left == 0 { break }
        }
        if let left, left > 0 { throw wrongLength }
        return true
    }

    /// For the curl thread.
    func read(into room: UnsafeMutableRawBufferPointer) -> ReadResult {
        let (result, producer): (ReadResult, CheckedContinuation<Void, Never>?) = state.withLock { state in
            if case .failure(let error)? = state.end { return (.failed(error), nil) }
            let count = min(room.count, state.piece.count - state.offset)
            guard count > 0 else {
                if case .success? = state.end { return (.ended, nil) }
                if state.isClosed {
                    return (.failed(.uploadFailed(reason: "the answer came before the end of the body")), nil)
                }
                state.isStarved = true
                return (.starved, nil)
            }
            state.piece.withUnsafeBytes {
                room.copyMemory(from: .init(rebasing: $0[state.offset..<state.offset + count]))
            }
            state.offset += count
            guard state.offset == state.piece.count else { return (.bytes(count), nil) }
            state.piece = []
            state.offset = 0
            defer { state.producer = nil }
            return (.bytes(count), state.producer)
        }
        producer?.resume()
        return result
    }

    /// Nobody reads any more: a waiting producer goes on, and ends.
    func close() {
        let producer = state.withLock { state in
            state.isClosed = true
            defer { state.producer = nil }
            return state.producer
        }
        producer?.resume()
    }

    /// Waits until the piece before is used up.
    /// - Returns: false when the body is not wanted any more.
    private func offer(_ piece: [UInt8], wake: @Sendable () -> Void) async -> Bool {
        if piece.isEmpty { return true }
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let mayGoOn = state.withLock { state in
                    if state.isClosed || state.piece.isEmpty { return true }
                    state.producer = continuation
                    return false
                }
                if mayGoOn { continuation.resume() }
            }
        } onCancel: {
            close()
        }
        let (isWanted, mustWake) = state.withLock { state in
            if state.isClosed { return (false, false) }
            state.piece = piece
            defer { state.isStarved = false }
            return (true, state.isStarved)
        }
        if mustWake { wake() }
        return isWanted
    }

    private func end(_ result: Result<Void, HTTPError>, wake: @Sendable () -> Void) {
        let mustWake = state.withLock { state in
            state.end = result
            defer { state.isStarved = false }
            return state.isStarved
        }
        if mustWake { wake() }
    }
}
