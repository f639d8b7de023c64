// SPDX-License-Identifier: Apache-2.0

public import Base
import HTTPClient
import JSON

/// A live stream read for ever: connects, judges the answer, resumes by event id, tells gaps.
///
/// Reading follows the consumer: nothing is fetched between two calls of ``next()``, so a slow target slows the platform
/// down and memory stays flat. The watchdog counts silence of the socket while somebody waits for it, so a slow consumer
/// never trips it.
///
/// Source: OpenCTI protocol, 4.
public actor LiveStream {
    /// The longest silence of the socket: the platform sends a heartbeat every 5 s.
    static let watchdog = Duration.seconds(45)
    /// A connection that nobody reads for this long is closed; reading resumes by id.
    static let longestPause = Duration.seconds(600)
    /// Until the head of the response has to be there.
    static let headTimeout = Duration.seconds(60)

    private let client: OpenCTIClient
    private let options: LiveStreamOptions
    private let time: any TimeSource
    private var random: SeededRandom
    private var parser: SSEParser
    private var progress: StreamProgress
    private var policy = ReconnectPolicy()

    private var connection: (any HTTPStream)?
    private var connectAt: Duration?
    private var notices: [StreamNotice] = []
    /// Counts connections given up from outside, so that a read that was under way knows its bytes are of no use.
    private var generation = 0
    private var isReading = false
    private var isClosed = false
    private var lastRead: Duration

    /// - Parameters:
    ///   - start: where to begin; later connections resume from what was handed out.
    ///   - seed: for the jitter of reconnects.
    ///   - maxFrameBytes: larger frames are dropped and reported, the stream goes on.
    public init(
        _ options: LiveStreamOptions, client: OpenCTIClient, from start: StreamStart,
        time: any TimeSource = SystemTime(), seed: UInt64 = .random(in: 0 ... .max), maxFrameBytes: Int = 16 << 20
    ) {
        self.client = client
        self.options = options
        self.time = time
        random = SeededRandom(seed: seed)
        parser = SSEParser(maxFrameBytes: maxFrameBytes)
        progress = StreamProgress(start)
        lastRead = time.uptime
    }

    /// Where the next connection would begin. Not durable: a restart of the process begins at the checkpoint.
    public var resume: StreamStart { progress.resume }

    /// Whether the platform is still replaying its database.
    public var isRecovering: Bool { progress.isRecovering }

    /// The next frames, or what happened to the connection (a batch without frames).
    ///
    /// One caller at a time. The wait between two connections is spent inside the call that follows the notice of it.
    /// - Throws: `CancellationError` when the task is cancelled, nothing else: every failure of the platform is a notice.
    public func next() async throws -> StreamBatch {
        isReading = true
        defer {
            isReading = false
            lastRead = time.uptime
        }
        if connection != nil, time.uptime - lastRead >= Self.longestPause { end(.paused) }
        while true {
            try Task.checkCancellation()
            if isClosed { throw CancellationError() }
            if !notices.isEmpty { return StreamBatch(frames: [], notices: takeNotices()) }
            guard let connection else {
                try await connect()
                continue
            }
            let current = generation
            var chunk: [UInt8]?
            var failure: HTTPError?
            do throws(HTTPError) { chunk = try await connection.next() } catch { failure = error }
            try Task.checkCancellation()
            guard current == generation else { continue }
            if let failure {
                end(.broken(failure))
            } else if let chunk {
                let batch = received(chunk)
                if !batch.frames.isEmpty || !batch.notices.isEmpty { return batch }
            } else {
                end(.ended)
            }
        }
    }

    /// Drops the connection and begins elsewhere: the state was reset on the platform, or a full recovery is needed.
    public func restart(from start: StreamStart) {
        progress = StreamProgress(start)
        end(.restarted)
        connectAt = nil
    }

    /// Closes a connection that nobody has read for ten minutes. To be called now and then: a paused reader calls nothing.
    public func closeIfUnread() {
        if connection != nil, !isReading, time.uptime - lastRead >= Self.longestPause { end(.paused) }
    }

    /// Ends the connection and the stream: a ``next()`` that waits, and every later one, throws `CancellationError`.
    public func close() {
        isClosed = true
        disconnect()
    }

    private func disconnect() {
        connection?.cancel()
        connection = nil
        generation += 1
    }

    private func connect() async throws {
        let current = generation
        while let moment = connectAt, time.uptime < moment {
            // In short steps, so that a stream that is closed or begins elsewhere meanwhile does so soon.
            try await time.sleep(untilUptime: min(moment, time.uptime + .seconds(1)))
            guard current == generation else { return }
        }
        connectAt = nil
        parser.reset()
        let request = client.streamRequest(options, from: progress.resume, watchdog: Self.watchdog)
        let opened: any HTTPStream
        do throws(HTTPError) {
            opened = try await client.transport.open(request, by: .after(Self.headTimeout, on: time))
        } catch {
            try Task.checkCancellation()
            if current == generation { end(.broken(error)) }
            return
        }
        guard current == generation, !Task.isCancelled else { return opened.cancel() }
        if let refusal = StreamRefusal(opened.head, stream: options.id, at: time.now) {
            opened.cancel()
            end(.refused(refusal))
        } else {
            connection = opened
        }
    }

    private func received(_ chunk: consuming [UInt8]) -> StreamBatch {
        let batch = parser.read(chunk)
        if !batch.frames.isEmpty { policy.succeeded() }
        for frame in batch.frames {
            switch frame.kind {
            case .connected:
                // What follows in this chunk comes again after the recovery.
                if connected(batch, frame) { return StreamBatch(frames: [], notices: takeNotices()) }
            case .noRecover:
                progress.withoutRecovery()
                notices.append(.recoveryRefused)
            default: break
            }
            if progress.observe(frame) { notices.append(.recoveryFinished) }
        }
        return notices.isEmpty ? batch : batch.with(takeNotices())
    }

    /// Returns true when the platform's log starts after our position, so that a recovery is needed first.
    private func connected(_ batch: StreamBatch, _ frame: StreamFrame) -> Bool {
        let answer = batch.withData(of: frame) { try? JSONValue(parsing: $0) }
        let first = answer?["firstEventId"]?.string.flatMap { EventID(parsing: $0) }
        let last = answer?["lastEventId"]?.string.flatMap { EventID(parsing: $0) }
        notices.append(.connected(firstEvent: first, lastEvent: last))
        guard let first, progress.hasGap(before: first) else { return false }
        let position = progress.resume.position
        // Later than the first event even if our clock is behind, or the next connection would find the gap again.
        let end = max(time.now, first.instant.advanced(by: .milliseconds(1)))
        progress.recover(until: end)
        notices.append(.gap(position: position, firstEvent: first, recoverUntil: end))
        disconnect()
        connectAt = nil
        return true
    }

    private func end(_ end: StreamEnd) {
        let wait = policy.wait(after: end, retry: parser.retry, using: &random)
        disconnect()
        connectAt = time.uptime + wait
        notices.append(.disconnected(end, wait: wait))
    }

    private func takeNotices() -> [StreamNotice] {
        defer { notices = [] }
        return notices
    }
}
