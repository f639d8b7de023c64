// SPDX-License-Identifier: Apache-2.0

import Base
import CCurl
import Synchronization

/// Where a transfer's answer goes. Called on the curl thread only.
protocol TransferSink: AnyObject, Sendable {
    /// How much may be gathered before the connection is paused; `nil` when the body is wanted whole, at the end.
    var pieceSize: Int? { get }
    func take(_ head: HTTPHead)
    /// Takes the piece and leaves it empty; `false` when the reader is not ready for it, and will ask.
    func take(_ piece: inout [UInt8]) -> Bool
    /// The last call: the rest of the body (all of it, if it was wanted whole), or why there is none.
    func end(_ result: Result<[UInt8], HTTPError>)
}

/// One request and its response on the curl thread.
// Safe because: the constants are set before the thread sees the object, everything variable but the atomic is touched by
// the curl thread alone.
final class Transfer: @unchecked Sendable {
    let hop: Hop
    let options: CurlOptions
    let upload: Upload
    let sink: any TransferSink
    private let deadline: Deadline
    private let cancelled = Atomic<Bool>(false)

    // From here on for the curl thread only.
    private(set) var easy: EasyHandle?
    private var driver: CurlDriver?
    var headerList: UnsafeMutablePointer<curl_slist>?
    var uploadOffset = 0
    private var parser: HeadParser
    private var inflater: Inflater?
    private var gathered: [UInt8] = []
    private var lastPieceSize = 0
    private var isTouched = false
    private var isReceivingPaused = false
    private var isSendingPaused = false
    private var hasHead = false
    private var hasConnected = false
    private var lastActivity: Duration = .zero
    /// Why our own callback stopped the transfer: libcurl only knows that it did.
    var ownFailure: HTTPError?
    /// Set when libcurl is done but the reader has not taken everything yet.
    private var outcome: Result<Void, HTTPError>?
    private var hasEnded = false

    init(_ hop: Hop, _ options: CurlOptions, upload: Upload, sink: any TransferSink, deadline: Deadline) {
        self.hop = hop
        self.options = options
        self.upload = upload
        self.sink = sink
        self.deadline = deadline
        parser = HeadParser(limit: options.configuration.limits.headBytes)
    }

    var display: String { hop.address.display }
    var isStream: Bool { sink.pieceSize != nil }

    // MARK: Any thread

    var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    /// Marks before telling the loop, so that a start still on its way is not carried out.
    func cancel(on loop: CurlLoop) {
        cancelled.store(true, ordering: .releasing)
        loop.post(.cancel(self))
    }

    // MARK: Curl thread: life

    func start(on easy: EasyHandle, by driver: CurlDriver) {
        self.easy = easy
        self.driver = driver
        lastActivity = driver.now
        configure(easy)
    }

    func releaseHandle() {
        easy = nil
        driver = nil
        curl_slist_free_all(headerList)
        headerList = nil
    }

    /// libcurl is done, or never began. What a stream's reader has not taken yet it still gets, also before an error;
    /// only a cancellation drops it.
    func end(_ error: HTTPError?, by driver: CurlDriver) {
        upload.close()
        if case .cancelled? = error { return finish(.failure(.cancelled)) }
        guard outcome == nil else { return finish(.failure(error ?? .cancelled)) }
        outcome = error.map { .failure($0) } ?? .success(())
        if isStream { handOver(by: driver) } else { finishCompletely() }
    }

    private func finishCompletely() {
        switch outcome {
        case .failure(let error): finish(.failure(error))
        case .success where !hasHead:
            finish(.failure(.connectionLost(url: display, reason: "the server changed the protocol unasked")))
        case .success where inflater?.isComplete == false:
            finish(.failure(.connectionLost(url: display, reason: "the compressed body ends early")))
        default: finish(.success(gathered))
        }
    }

    private func finish(_ result: Result<[UInt8], HTTPError>) {
        guard !hasEnded else { return }
        hasEnded = true
        gathered = []
        inflater = nil
        sink.end(result)
    }

    // MARK: Curl thread: time

    /// The earliest moment at which this transfer can be overdue, as things stand.
    var nextCheck: Duration {
        var moment: Duration = .seconds(Int64.max / 4)
        if !(hasHead && isStream), let end = deadline.uptime { moment = min(moment, end) }
        if let silence = allowedSilence { moment = min(moment, lastActivity + silence) }
        return moment
    }

    func overdue(at now: Duration) -> HTTPError.Phase? {
        if !(hasHead && isStream), let end = deadline.uptime, now >= end {
            return !isConnected ? .connect : isStream ? .head : .total
        }
        if let silence = allowedSilence {
            // A paused side is silent because of us.
            if hasHead ? isReceivingPaused : isSendingPaused { lastActivity = now }
            if now >= lastActivity + silence { return hasHead ? .idle : .head }
        }
        return nil
    }

    private var allowedSilence: Duration? {
        hasHead ? hop.request.idleTimeout : options.configuration.timeouts.head
    }

    private var isConnected: Bool {
        guard let easy else { return true }
        var time: curl_off_t = 0
        sp_curl_get_size(easy.pointer, CURLINFO_PRETRANSFER_TIME_T, &time)
        return time > 0
    }

    private func noteActivity() { if let driver { lastActivity = driver.now } }

    // MARK: Curl thread: receiving

    /// The header callback. Anything but the size of `line` stops the transfer.
    func receiveHead(_ line: UnsafeRawBufferPointer) -> Int {
        noteActivity()
        switch parser.take(line) {
        case .more: break
        case .tooLarge:
            ownFailure = .bodyTooLarge(limit: options.configuration.limits.headBytes, url: display)
            return 0
        case .complete:
            hasHead = true
            let head = HTTPHead(
                status: parser.status, reason: parser.reason, headers: parser.headers, url: hop.address.text)
            if ["gzip", "x-gzip"].contains(head.headers["Content-Encoding"]?.lowercased()) { inflater = Inflater() }
            if !isStream { reserve(for: head) }
            // From here another time limit holds, and a shorter one it may be.
            driver?.check(self)
            // An answer ahead of the body's end: libcurl stops sending after an error, but not while that is paused.
            if isSendingPaused { touch() }
            sink.take(head)
        }
        return line.count
    }

    private func reserve(for head: HTTPHead) {
        guard inflater == nil, let length = head.headers["Content-Length"].flatMap({ Int($0) }) else { return }
        gathered.reserveCapacity(max(0, min(length, hop.request.maxResponseBytes, 1 << 20)))
    }

    /// The write callback: takes all of `bytes`, or pauses, or stops the transfer.
    func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        noteActivity()
        if let pieceSize = sink.pieceSize {
            if gathered.count >= pieceSize || inflater?.hasMore == true {
                isReceivingPaused = true
                return Int(CURL_WRITEFUNC_PAUSE)
            }
            if gathered.isEmpty { gathered.reserveCapacity(expectedPieceSize(pieceSize)) }
            touch()
        }
        if let inflater { inflater.append(bytes) } else { gathered.append(contentsOf: bytes) }
        return unpack() ? bytes.count : 0
    }

    /// As much as the last piece held; for one that was full also what the last call may bring beyond it, since growing
    /// means twice the memory and a copy.
    private func expectedPieceSize(_ limit: Int) -> Int {
        lastPieceSize * 2 < limit ? lastPieceSize : limit + Int(CURL_MAX_WRITE_SIZE)
    }

    private func touch() {
        guard !isTouched else { return }
        isTouched = true
        driver?.touch(self)
    }

    /// Unpacks as far as there is room.
    /// - Returns: false when the body is corrupt or too large; `ownFailure` says which.
    private func unpack() -> Bool {
        let limit = sink.pieceSize ?? hop.request.maxResponseBytes
        do {
            // One byte beyond the limit of a whole body, to see that there is more.
            try inflater?.unpack(into: &gathered, upTo: isStream ? limit : limit + 1)
        } catch {
            ownFailure = .connectionLost(url: display, reason: "the compressed body is corrupt")
            return false
        }
        if !isStream, gathered.count > limit {
            ownFailure = .bodyTooLarge(limit: limit, url: display)
            return false
        }
        return true
    }

    /// Gives the reader what it is ready for, and lets the connection go on when there is room again.
    func handOver(by driver: CurlDriver) {
        isTouched = false
        guard !hasEnded else { return }
        if hasHead { resumeSending() }
        while true {
            guard unpack() else {
                // Outside any callback libcurl will not end the transfer by itself.
                return driver.abandon(self, ownFailure)
            }
            if gathered.isEmpty { break }
            let size = gathered.count
            guard sink.take(&gathered) else { break }
            lastPieceSize = size
        }
        if outcome != nil, gathered.isEmpty, inflater?.hasMore != true { return finishCompletely() }
        let isFull = gathered.count >= (sink.pieceSize ?? .max) || inflater?.hasMore == true
        if isReceivingPaused, !isFull {
            isReceivingPaused = false
            noteActivity()
            applyPause()
        }
    }

    // MARK: Curl thread: sending

    /// The read callback.
    func send(into room: UnsafeMutableRawBufferPointer) -> Int {
        noteActivity()
        switch upload {
        case .none: return 0
        case .bytes(let bytes, _):
            let count = min(room.count, bytes.count - uploadOffset)
            bytes.withUnsafeBytes { room.copyMemory(from: .init(rebasing: $0[uploadOffset..<uploadOffset + count])) }
            uploadOffset += count
            return count
        case .stream(let stream):
            switch stream.read(into: room) {
            case .bytes(let count): return count
            case .ended: return 0
            case .starved:
                isSendingPaused = true
                return Int(CURL_READFUNC_PAUSE)
            case .failed(let error):
                ownFailure = error
                return Int(CURL_READFUNC_ABORT)
            }
        }
    }

    /// libcurl wants the body again from `offset`, because the pooled connection it had chosen was dead.
    func rewind(to offset: Int64) -> Int32 {
        guard case .bytes(let bytes, _) = upload, (0...Int64(bytes.count)).contains(offset),
            hop.request.isIdempotent || uploadOffset == 0
        else {
            return CURL_SEEKFUNC_FAIL
        }
        uploadOffset = Int(offset)
        return CURL_SEEKFUNC_OK
    }

    func resumeSending() {
        guard isSendingPaused else { return }
        isSendingPaused = false
        noteActivity()
        applyPause()
    }

    private func applyPause() {
        guard let easy else { return }
        let mask = (isReceivingPaused ? CURLPAUSE_RECV : 0) | (isSendingPaused ? CURLPAUSE_SEND : 0)
        // May call the callbacks right here.
        curl_easy_pause(easy.pointer, mask)
    }
}
