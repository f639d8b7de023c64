// SPDX-License-Identifier: Apache-2.0

import Base
import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The bounded buffer between callers and sink, and the loop that empties it.
final class LogWriter: Sendable {
    /// A line that the writer itself has to say.
    struct Remark {
        let message: StaticString
        let level: LogLevel
        let context: [LogField]
        let fields: [LogField]
    }

    struct Counts {
        var accepted: [LogLevel: UInt64] = [:]
        var dropped: [LogLevel: UInt64] = [:]
    }

    private struct State {
        var pending: [UInt8] = []
        var repeats: RepeatLimiter
        var due: [RepeatLimiter.Summary] = []
        var counts = Counts()
        /// Dropped since the log last said so.
        var untold: [LogLevel: UInt64] = [:]
        /// Signalled once all that was there before them is written.
        var waiters: [DispatchSemaphore] = []
        var isWriting = false
        var mustReopen = false
        var isClosed = false
    }

    private let sink: any LogSink
    private let capacity: Int
    private let interval: Duration
    private let state: Mutex<State>
    private let wake = DispatchSemaphore(value: 0)

    init(sink: any LogSink, limits: LogOutput.Limits) {
        self.sink = sink
        capacity = max(4096, limits.bufferBytes)
        interval = limits.interval
        state = Mutex(State(repeats: RepeatLimiter(limit: max(1, limits.repeats), interval: limits.interval)))
    }

    var counts: Counts { state.withLock { $0.counts } }

    func start(render: @escaping @Sendable (Remark) -> [UInt8], uptime: @escaping @Sendable () -> Duration) {
        OpenWriters.add(self)
        startThread(named: "log") { self.loop(render: render, uptime: uptime) }
    }

    func admit(_ key: RepeatLimiter.Key, context: [LogField], at now: Duration) -> Bool {
        let (isAdmitted, mustWake) = state.withLock { state in
            let (isAdmitted, due) = state.repeats.admit(key, context: context, at: now)
            if let due { state.due.append(due) }
            // The loop may sleep without end; from now on it has something to tell when the interval is over.
            return (isAdmitted, !isAdmitted && state.repeats.heldBack == 1)
        }
        if mustWake { wake.signal() }
        return isAdmitted
    }

    func append(_ line: [UInt8], _ level: LogLevel) {
        let room =
            switch level {
            case .debug: capacity / 2
            case .info: capacity / 4 * 3
            case .warning, .error: capacity
            }
        let mustWake = state.withLock { state in
            guard state.pending.count + line.count <= room, !state.isClosed else {
                state.counts.dropped[level, default: 0] += 1
                state.untold[level, default: 0] += 1
                return false
            }
            let wasEmpty = state.pending.isEmpty
            state.pending += line
            state.counts.accepted[level, default: 0] += 1
            return wasEmpty
        }
        if mustWake { wake.signal() }
    }

    func flush(within duration: Duration) -> Bool {
        let isDone = DispatchSemaphore(value: 0)
        let mustWait = state.withLock { state in
            guard !state.pending.isEmpty || state.isWriting || state.repeats.heldBack > 0 || !state.due.isEmpty
            else { return false }
            state.waiters.append(isDone)
            return true
        }
        guard mustWait else { return true }
        wake.signal()
        return isDone.wait(timeout: .now() + duration.inSeconds) == .success
    }

    func requestReopening() {
        state.withLock { $0.mustReopen = true }
        wake.signal()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        wake.signal()
    }

    private func loop(render: (Remark) -> [UInt8], uptime: () -> Duration) {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)  // a closed pipe is an error of `write`, not the end of the process

        var lines: [UInt8] = []
        while true {
            lines.removeAll(keepingCapacity: lines.capacity < 1 << 16)
            let round = state.withLock { state in
                swap(&lines, &state.pending)
                defer {
                    state.due = []
                    state.untold = [:]
                    state.mustReopen = false
                    state.isWriting = true
                }
                let isAsked = state.isClosed || !state.waiters.isEmpty
                return (
                    waiters: state.waiters.count, isClosed: state.isClosed, mustReopen: state.mustReopen,
                    dropped: state.untold,
                    repeats: state.due + state.repeats.takeDue(at: uptime(), isFinal: isAsked)
                )
            }
            for summary in round.repeats { lines += render(Self.remark(on: summary)) }
            if !round.dropped.isEmpty { lines += render(Self.remark(onDropped: round.dropped)) }
            if round.mustReopen { reopen(render) }
            if !lines.isEmpty { write(lines, render) }

            let (isIdle, holdsBack) = state.withLock { state in
                state.isWriting = false
                for waiter in state.waiters.prefix(round.waiters) { waiter.signal() }
                state.waiters.removeFirst(round.waiters)
                return (state.pending.isEmpty && state.waiters.isEmpty, state.repeats.heldBack > 0)
            }
            guard isIdle else { continue }
            if round.isClosed { break }
            // Held-back repeats must be told even when nothing else is logged.
            if holdsBack { _ = wake.wait(timeout: .now() + interval.inSeconds) } else { wake.wait() }
        }
        OpenWriters.remove(self)
    }

    private func write(_ lines: [UInt8], _ render: (Remark) -> [UInt8]) {
        do {
            try sink.write(lines)
        } catch {
            complain(error, render)
            if !(sink is StandardErrorSink) { try? StandardErrorSink().write(lines) }
        }
    }

    private func reopen(_ render: (Remark) -> [UInt8]) {
        do { try sink.reopen() } catch { complain(error, render) }
    }

    private func complain(_ error: LogError, _ render: (Remark) -> [UInt8]) {
        guard !(sink is StandardErrorSink) else { return }
        let remark = Remark(
            message: "The log's own destination failed.", level: .error, context: [], fields: [.cause(error)])
        // Nobody is left to tell when standard error fails too.
        try? StandardErrorSink().write(render(remark))
    }

    private static func remark(on summary: RepeatLimiter.Summary) -> Remark {
        Remark(
            message: summary.message, level: summary.level, context: summary.context,
            fields: [.field("log.repeats", summary.count)])
    }

    private static func remark(onDropped dropped: [LogLevel: UInt64]) -> Remark {
        Remark(
            message: "Log lines were dropped because their destination is too slow.", level: .warning, context: [],
            fields: [
                .field("debug", dropped[.debug, default: 0]), .field("info", dropped[.info, default: 0]),
                .field("warning", dropped[.warning, default: 0]), .field("error", dropped[.error, default: 0]),
            ])
    }
}

/// The writers that `exit` has to wait for, however the program ends.
private enum OpenWriters {
    private static let writers = Mutex<[LogWriter]>([])
    private static let isRegistered = atexit {
        for writer in OpenWriters.writers.withLock({ $0 }) { _ = writer.flush(within: .seconds(2)) }
    }

    static func add(_ writer: LogWriter) {
        _ = isRegistered
        writers.withLock { $0.append(writer) }
    }

    static func remove(_ writer: LogWriter) { writers.withLock { $0.removeAll { $0 === writer } } }
}
