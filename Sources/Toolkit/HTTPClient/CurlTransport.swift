// SPDX-License-Identifier: Apache-2.0

public import Base

/// HTTP/1.1 and HTTP/2 over libcurl: pooled connections, TLS, proxies, streams with back-pressure.
///
/// One transport is one connection of the configuration: it has a connection pool and a thread of its own, both gone when
/// the last call and the last stream are. Redirects are followed by our own rules (``HTTPRequest/Redirects``). A request
/// with a body that is not idempotent is never sent twice, also not when a pooled connection turns out to be dead.
///
/// Bodies with `Content-Encoding: gzip` arrive unpacked; that is the only encoding we ask for, any other is left as it is.
public struct CurlTransport: HTTPTransport {
    private let loop: CurlLoop
    private let options: CurlOptions

    /// - Throws: ``HTTPConfigurationError`` for a certificate or key that cannot be read, or a proxy that is no proxy.
    public init(configuration: HTTPConfiguration = HTTPConfiguration()) throws(HTTPConfigurationError) {
        options = try CurlOptions(configuration)
        loop = try CurlLoop(configuration.limits)
    }

    public func send(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> HTTPResponse {
        var deadline = deadline
        if let total = options.configuration.timeouts.total { deadline = min(deadline, .after(total)) }
        var hop = try Hop(request)
        while true {
            let response = try await exchange(hop, by: deadline)
            guard let next = try hop.next(after: response.head) else { return response }
            hop = next
        }
    }

    public func open(_ request: HTTPRequest, by deadline: Deadline) async throws(HTTPError) -> any HTTPStream {
        var hop = try Hop(request)
        while true {
            let stream = try await openHop(hop, by: deadline)
            guard let next = try hop.next(after: stream.head) else { return stream }
            // The body of a redirect is small; reading it keeps the connection.
            _ = try? await stream.next()
            stream.cancel()
            hop = next
        }
    }

    private func exchange(_ hop: Hop, by deadline: Deadline) async throws(HTTPError) -> HTTPResponse {
        let answer = WholeAnswer()
        let transfer = Transfer(hop, options, upload: Upload(hop.request.body), sink: answer, deadline: deadline)
        return try await feeding(transfer) { () async throws(HTTPError) in
            try await answer.wait { loop.post(.start(transfer)) }
        }
    }

    private func openHop(_ hop: Hop, by deadline: Deadline) async throws(HTTPError) -> CurlStream {
        let answer = StreamedAnswer()
        let transfer = Transfer(hop, options, upload: Upload(hop.request.body), sink: answer, deadline: deadline)
        let head = try await feeding(transfer) { () async throws(HTTPError) in
            try await answer.waitForHead { loop.post(.start(transfer)) }
        }
        return CurlStream(head, answer, transfer, loop)
    }

    /// Runs `wait` with the body's pump beside it, where there is one; cancelling the task cancels the transfer.
    private func feeding<Answer: Sendable>(
        _ transfer: Transfer, _ wait: () async throws(HTTPError) -> Answer
    ) async throws(HTTPError) -> Answer {
        let result: Result<Answer, HTTPError> = await withTaskCancellationHandler {
            guard case .stream(let upload) = transfer.upload else { return await Result(catching: wait) }
            return await withTaskGroup(of: Void.self) { group in
                group.addTask { await upload.pump { loop.post(.fed(transfer)) } }
                let result = await Result(catching: wait)
                upload.close()
                // A stream's head may come before the body's end.
                loop.post(.fed(transfer))
                group.cancelAll()
                return result
            }
        } onCancel: {
            transfer.cancel(on: loop)
        }
        return try result.get()
    }
}

extension Result {
    fileprivate init(catching body: () async throws(Failure) -> Success) async {
        do throws(Failure) { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

/// A body that is still arriving over libcurl. Letting go of it ends the transfer.
final class CurlStream: HTTPStream {
    let head: HTTPHead
    private let answer: StreamedAnswer
    private let transfer: Transfer
    private let loop: CurlLoop

    init(_ head: HTTPHead, _ answer: StreamedAnswer, _ transfer: Transfer, _ loop: CurlLoop) {
        self.head = head
        self.answer = answer
        self.transfer = transfer
        self.loop = loop
    }

    deinit { cancel() }

    func next() async throws(HTTPError) -> [UInt8]? {
        if Task.isCancelled { cancel() }
        switch transfer.isCancelled ? .end(.failure(.cancelled)) : answer.takeReady() {
        case .piece(let piece, let mustWake):
            if mustWake { loop.post(.drained(transfer)) }
            return piece
        case .end(let end):
            try end.get()
            return nil
        case .nothingYet: return try await waitForPiece()
        }
    }

    private func waitForPiece() async throws(HTTPError) -> [UInt8]? {
        let result: Result<[UInt8]?, HTTPError> = await withTaskCancellationHandler {
            await Result { () async throws(HTTPError) in
                try await answer.waitForPiece { loop.post(.drained(transfer)) }
            }
        } onCancel: {
            cancel()
        }
        return try result.get()
    }

    func cancel() { if !transfer.isCancelled, !answer.hasEnded { transfer.cancel(on: loop) } }

    /// Bytes that wait for the reader while the connection is held back; `nil` while it is not.
    var heldBack: Int? { answer.heldBack }
}
