// SPDX-License-Identifier: Apache-2.0

import Base
import CMicroHTTPD
import Synchronization

/// A connection of libmicrohttpd.
struct Connection: @unchecked Sendable {
    // Safe because: the library locks inside `MHD_resume_connection`, the only call made from other threads; all others
    // are made from its own callbacks.
    let pointer: OpaquePointer
}

/// One request on its way through libmicrohttpd: begins with the request line, ends with the last byte of the answer.
///
/// The library calls ``proceed(upload:count:)`` and ``read(into:)`` on the connection's thread; tasks and bodies call
/// ``wake()`` from anywhere. A suspended connection cannot end, so its pointer is valid whenever `isSuspended`.
final class Exchange: Sendable {
    private enum Phase {
        case receiving
        /// A task or a timer works on the answer.
        case answering
        case answered(ServerResponse)
        case sending
        case over
    }
    private struct State {
        var phase = Phase.receiving
        var method = ""
        var headers = ServerHeaders()
        var body: [UInt8] = []
        var received = 0
        var hasBegun = false
        var acceptsGzip = false
        var isSuspended = false
        var wasWoken = false
        /// The server gives up on it, or its time of silence is over.
        var isCut = false
        var isSilent = false
        var stream: (any ResponseBody)?
        var task: Task<Void, Never>?
    }
    private enum Step {
        case dispatch(ServerRequest)
        case wait
        case send(ServerResponse)
        case cut
    }

    let core: ServerCore
    private let connection: Connection
    private let target: String
    private let state = Mutex(State())

    init(core: ServerCore, connection: Connection, target: String) {
        self.core = core
        self.connection = connection
        self.target = target
    }

    var isStopping: Bool { core.isStopping }

    // MARK: From the library's thread

    /// One call of the access handler: head, a piece of the body, or the end of the body and every wake after it.
    func proceed(method: UnsafePointer<CChar>?, upload: UnsafePointer<CChar>?, count: Int) -> MHD_Result {
        let isFirst = state.withLock { state in
            defer { state.hasBegun = true }
            return !state.hasBegun
        }
        if isFirst { return begin(method.map { String(cString: $0) } ?? "") }
        if count > 0 { return receive(UnsafeRawBufferPointer(start: upload, count: count)) }
        while true {
            switch nextStep() {
            case .dispatch(let request): dispatch(request)
            case .wait: if suspend() { return .YES }
            case .send(let response): return send(response)
            case .cut:
                abort()
                return .NO
            }
        }
    }

    /// One call of the content reader.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let endOfStream = -1
        let endWithError = -2
        while true {
            let (stream, isCut) = state.withLock { ($0.stream, $0.isCut) }
            guard let stream, !isCut else {
                abort()
                return endWithError
            }
            switch stream.fill(buffer, pull: Pull(exchange: self)) {
            case .bytes(let count): return count
            case .end: return endOfStream
            case .wait: if suspend() { return 0 }
            case .reset:
                abort()
                return endWithError
            }
        }
    }

    /// The library is done with this request.
    func complete() {
        let (stream, task) = state.withLock { state in
            state.phase = .over
            defer { state.stream = nil }
            return (state.stream, state.task)
        }
        task?.cancel()
        stream?.close()
        core.remove(self)
    }

    // MARK: From anywhere

    func wake() {
        state.withLock { state in
            if state.isSuspended {
                state.isSuspended = false
                MHD_resume_connection(connection.pointer)
            } else if case .over = state.phase {
                // Nobody waits any more.
            } else {
                state.wasWoken = true
            }
        }
    }

    /// Ends it without an answer, or in the middle of one.
    func cut() {
        let task = state.withLock { state in
            state.isCut = true
            return state.task
        }
        task?.cancel()
        wake()
    }

    /// The server stops: silent connections end now, bodies are asked whether they can end.
    func prepareToStop() {
        let (isSilent, isStreaming) = state.withLock { ($0.isSilent, $0.stream != nil) }
        if isSilent { cut() } else if isStreaming { wake() }
    }

    /// Starts, at the first call, a silence after which the connection is cut. `false` when it is over.
    func silence(for duration: Duration) -> Bool {
        let mustStart = state.withLock { state in
            defer { state.isSilent = true }
            return !state.isSilent
        }
        if mustStart {
            keep(
                Task { [core] in
                    try? await core.time.sleep(for: duration)
                    self.cut()
                })
            if isStopping { cut() }
        }
        return !state.withLock { $0.isCut }
    }

    // MARK: Steps

    private func begin(_ method: String) -> MHD_Result {
        let headers = readHeaders()
        state.withLock { state in
            state.method = method
            state.acceptsGzip = Gzip.isAccepted(by: headers["Accept-Encoding"])
            state.headers = headers
        }
        let limits = core.configuration
        if sp_mhd_header_size(connection.pointer) > limits.maxHeaderBytes {
            return send(.text("Request header fields too large\n", status: 431))
        }
        // A client that asks first, or that announces far too much, is refused at once; else its body is read and
        // dropped, because closing on unread data would reset the connection before the answer has been read.
        let announced = headers["Content-Length"].flatMap { Int($0) } ?? 0
        if announced > limits.maxBodyBytes, headers["Expect"] != nil || announced > droppableBytes {
            return send(Self.tooLarge(limits.maxBodyBytes))
        }
        if announced > 0 { state.withLock { $0.body.reserveCapacity(min(announced, limits.maxBodyBytes)) } }
        return .YES
    }

    private var droppableBytes: Int { max(core.configuration.maxBodyBytes * 4, 8 << 20) }

    private static func tooLarge(_ limit: Int) -> ServerResponse {
        .text("The request body is larger than \(limit) bytes\n", status: 413)
    }

    private func receive(_ piece: UnsafeRawBufferPointer) -> MHD_Result {
        state.withLock { state in
            state.received += piece.count
            guard state.received > core.configuration.maxBodyBytes else {
                state.body.append(contentsOf: piece)
                return .YES
            }
            state.body = []
            return state.received > droppableBytes ? .NO : .YES
        }
    }

    private func nextStep() -> Step {
        state.withLock { state in
            if state.isCut { return .cut }
            switch state.phase {
            case .receiving:
                state.phase = .answering
                if state.received > core.configuration.maxBodyBytes {
                    return .send(Self.tooLarge(core.configuration.maxBodyBytes))
                }
                defer {
                    state.body = []
                    state.headers = ServerHeaders()
                }
                return .dispatch(
                    ServerRequest(
                        method: state.method, target: target, headers: state.headers, body: state.body,
                        peer: sp_mhd_peer(connection.pointer).map { ListeningSocket.describe($0) } ?? ""))
            case .answering: return .wait
            case .answered(let response): return .send(response)
            case .sending, .over: return .cut
            }
        }
    }

    private func dispatch(_ request: ServerRequest) {
        switch core.handler(request) {
        case .now(let response): answer(with: response)
        case .later(let respond): keep(Task { self.answer(with: await respond()) })
        }
    }

    private func answer(with response: ServerResponse) {
        guard response.delay <= .zero else {
            var prompt = response
            prompt.delay = .zero
            keep(
                Task { [core, prompt] in
                    try? await core.time.sleep(for: response.delay)
                    self.answer(with: prompt)
                })
            return
        }
        state.withLock { state in
            if case .answering = state.phase { state.phase = .answered(response) }
        }
        wake()
    }

    private func send(_ response: ServerResponse) -> MHD_Result {
        switch response.ending {
        case .reset(afterBytes: nil):
            abort()
            return .NO
        case .silence(afterBytes: nil, let duration):
            state.withLock { $0.phase = .answering }
            // A wake from before the silence must not end it.
            while silence(for: duration) { if suspend() { return .YES } }
            abort()
            return .NO
        default: break
        }
        let acceptsGzip = state.withLock { state in
            state.phase = .sending
            return state.acceptsGzip && core.configuration.compressesAnswers
        }
        let outgoing = Outgoing(response, acceptsGzip: acceptsGzip, isLast: isStopping)
        if let reason = response.reason {
            outgoing.writeRaw(reason: reason, to: sp_mhd_socket(connection.pointer))
            return .NO
        }
        state.withLock { $0.stream = outgoing.stream }
        return outgoing.queue(on: self, connection.pointer, blockBytes: core.configuration.streamBlockBytes)
    }

    /// `false` when there is a reason to go on at once.
    private func suspend() -> Bool {
        state.withLock { state in
            if state.wasWoken || state.isCut {
                state.wasWoken = false
                return false
            }
            state.isSuspended = true
            MHD_suspend_connection(connection.pointer)
            return true
        }
    }

    private func keep(_ task: Task<Void, Never>) {
        let isLate = state.withLock { state in
            state.task = task
            if case .over = state.phase { return true }
            return state.isCut
        }
        if isLate { task.cancel() }
    }

    private func abort() { Outgoing.abort(sp_mhd_socket(connection.pointer)) }

    private func readHeaders() -> ServerHeaders {
        var headers = ServerHeaders()
        withUnsafeMutablePointer(to: &headers) { pointer in
            _ = MHD_get_connection_values(
                connection.pointer, .HEADER_KIND,
                { context, _, name, value in
                    guard let name else { return .YES }
                    context?.assumingMemoryBound(to: ServerHeaders.self).pointee.append(
                        String(cString: name), value.map { String(cString: $0) } ?? "")
                    return .YES
                }, pointer)
        }
        return headers
    }
}
