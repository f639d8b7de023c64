// SPDX-License-Identifier: Apache-2.0

import Base
import CCurl

/// The inside of the curl thread: starts, moves and ends transfers. Nothing here is touched by another thread.
final class CurlDriver {
    private let mailbox: CurlLoop.Mailbox
    private let multi: UnsafeMutableRawPointer
    private let clock = SystemTime()
    private var active: [UnsafeMutableRawPointer: Transfer] = [:]
    private var spareHandles: [EasyHandle] = []
    /// Transfers that received something since the last hand-over.
    private var touched: [Transfer] = []
    /// No transfer is overdue before this.
    private var nextCheck: Duration = .zero
    /// Read once a round: precise enough for time-outs, and free for the callbacks.
    private(set) var now: Duration = .zero

    init(_ mailbox: CurlLoop.Mailbox) {
        self.mailbox = mailbox
        multi = mailbox.multi
    }

    func run() {
        var commands: [CurlLoop.Command] = []
        while mailbox.take(&commands) {
            now = clock.uptime
            for command in commands { apply(command) }
            commands.removeAll(keepingCapacity: true)
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            endFinished()
            handOverTouched()
            endOverdue()
            curl_multi_poll(multi, nil, 0, pollMilliseconds, nil)
        }
        for command in commands { if case .start(let transfer) = command { transfer.end(.cancelled, by: self) } }
        for transfer in Array(active.values) { end(transfer, .cancelled) }
        spareHandles = []
        curl_multi_cleanup(multi)
    }

    func touch(_ transfer: Transfer) { touched.append(transfer) }

    /// Its time limits have changed.
    func check(_ transfer: Transfer) { nextCheck = min(nextCheck, transfer.nextCheck) }

    /// Ends a transfer that cannot go on for a reason of our own.
    func abandon(_ transfer: Transfer, _ error: HTTPError?) { end(transfer, error ?? .cancelled) }

    private func apply(_ command: CurlLoop.Command) {
        switch command {
        case .start(let transfer): start(transfer)
        case .cancel(let transfer): end(transfer, .cancelled)
        case .drained(let transfer): transfer.handOver(by: self)
        case .fed(let transfer): transfer.resumeSending()
        }
    }

    private func start(_ transfer: Transfer) {
        guard !transfer.isCancelled, let easy = spareHandles.popLast() ?? EasyHandle() else {
            return transfer.end(.cancelled, by: self)
        }
        transfer.start(on: easy, by: self)
        active[easy.pointer] = transfer
        check(transfer)
        guard curl_multi_add_handle(multi, easy.pointer) == CURLM_OK else {
            return end(transfer, .connectionLost(url: transfer.display, reason: "libcurl refuses the transfer"))
        }
    }

    private func endFinished() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let pointer = message.pointee.easy_handle,
                let transfer = active[pointer]
            else { continue }
            let result = message.pointee.data.result
            end(transfer, transfer.error(for: result))
        }
    }

    private func handOverTouched() {
        guard !touched.isEmpty else { return }
        // What resumes in here may receive again; that is handed over in the next round, which then follows at once.
        let batch = touched
        touched.removeAll(keepingCapacity: true)
        for transfer in batch { transfer.handOver(by: self) }
    }

    private func endOverdue() {
        guard now >= nextCheck else { return }
        nextCheck = .seconds(Int64.max / 4)
        for transfer in Array(active.values) {
            if let phase = transfer.overdue(at: now) {
                end(transfer, .timedOut(url: transfer.display, phase: phase))
            } else {
                check(transfer)
            }
        }
    }

    private func end(_ transfer: Transfer, _ error: HTTPError?) {
        if let easy = transfer.easy {
            curl_multi_remove_handle(multi, easy.pointer)
            active[easy.pointer] = nil
            transfer.releaseHandle()
            curl_easy_reset(easy.pointer)
            if spareHandles.count < 8 { spareHandles.append(easy) }
        }
        transfer.end(error, by: self)
    }

    private var pollMilliseconds: Int32 {
        if !touched.isEmpty { return 0 }
        // Rounded up: waking a moment early would only mean another round.
        let wait = nextCheck - now
        return Int32(clamping: max(0, min(60_000, wait.components.seconds >= 60 ? 60_000 : wait.milliseconds + 1)))
    }
}

/// A libcurl easy handle with the buffer for its error texts.
final class EasyHandle {
    let pointer: UnsafeMutableRawPointer
    let errorText: UnsafeMutablePointer<CChar>

    init?() {
        guard let pointer = curl_easy_init() else { return nil }
        self.pointer = pointer
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        curl_easy_cleanup(pointer)
        errorText.deallocate()
    }
}
