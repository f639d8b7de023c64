// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// Sees what is logged besides the sink: a platform that wants its own copy. Called by whoever logs: it must not block.
public protocol LogMirror: Sendable {
    /// - Parameter message: the sentence and its fields, `name=value`, without time and level.
    func take(_ level: LogLevel, _ message: String, at moment: Instant)
}

/// Gives lines their form and writes them on a thread of its own, so that no caller waits for a slow disk or terminal.
///
/// The buffer is bounded: when it fills, debug lines are dropped first (from half full), then info (from three
/// quarters), warnings and errors only when it is full. What was dropped is counted and told in the log. A sentence
/// that repeats is held back after ``Limits/repeats`` lines of an interval and told in one line with its count; debug
/// lines are exempt. What is buffered is written before the process exits.
public final class LogOutput: Sendable {
    public struct Limits: Sendable {
        /// Bytes of lines that wait for the writer.
        public var bufferBytes = 1 << 20
        /// Lines of one sentence, level and context that pass in an interval.
        public var repeats = 20
        public var interval: Duration = .seconds(10)
        public init() {}
    }

    private let format: LogFormat
    private let isColoured: Bool
    private let threshold: Atomic<Int>
    private let time: any TimeSource
    private let writer: LogWriter
    private let mirror = Mutex<(any LogMirror)?>(nil)

    /// - Parameters:
    ///   - format: `nil` takes `pretty` on a terminal and `json` else.
    ///   - isColoured: only `pretty` has colours; `nil` asks the terminal.
    public init(
        format: LogFormat? = nil, level: LogLevel = .info, sink: any LogSink = StandardErrorSink(),
        isColoured: Bool? = nil, limits: Limits = Limits(), time: any TimeSource = SystemTime()
    ) {
        let isTerminal = sink is StandardErrorSink && StandardErrorSink.isTerminal
        self.format = format ?? (isTerminal ? .pretty : .json)
        self.isColoured = isColoured ?? (sink is StandardErrorSink && StandardErrorSink.isColourTerminal)
        self.time = time
        threshold = Atomic(level.rawValue)
        writer = LogWriter(sink: sink, limits: limits)
        let (form, hasColour) = (self.format, self.isColoured)
        writer.start(
            render: { remark in
                let record = LogRecord(
                    time: time.now, level: remark.level, message: remark.message, context: remark.context,
                    fields: remark.fields)
                return Self.line(record, as: form, inColour: hasColour)
            },
            uptime: { time.uptime })
    }

    deinit { writer.close() }

    /// The lowest level that is written; may change while the program runs.
    public var level: LogLevel {
        get { LogLevel(rawValue: threshold.load(ordering: .relaxed)) ?? .info }
        set { threshold.store(newValue.rawValue, ordering: .relaxed) }
    }

    public func isEnabled(_ level: LogLevel) -> Bool { level.rawValue >= threshold.load(ordering: .relaxed) }

    /// Blocks until what was logged so far is written, at most `duration`; `false` when it took longer. For the end of
    /// the program and for tests, not for tasks at work.
    @discardableResult
    public func flush(within duration: Duration = .seconds(5)) -> Bool { writer.flush(within: duration) }

    /// Opens the sink anew, at SIGHUP. A failure is logged; the old destination stays.
    public func reopen() { writer.requestReopening() }

    /// Shows every accepted line to somebody else too; `nil` ends that.
    public func attach(_ mirror: (any LogMirror)?) { self.mirror.withLock { $0 = mirror } }

    /// Lines dropped because the buffer was full, by level.
    public var droppedLines: [LogLevel: UInt64] { writer.counts.dropped }

    /// Lines accepted, by level; those held back as repeats are not counted here.
    public var acceptedLines: [LogLevel: UInt64] { writer.counts.accepted }

    func write(_ level: LogLevel, _ message: StaticString, context: LogContext, fields: [LogField]) {
        if level != .debug {
            let key = RepeatLimiter.Key(message: StaticName(message), level: level, context: context.hash)
            guard writer.admit(key, context: context.fields, at: time.uptime) else { return }
        }
        let record = LogRecord(
            time: time.now, level: level, message: message, context: context.fields, fields: fields)
        writer.append(Self.line(record, as: format, inColour: isColoured), level)
        if let mirror = mirror.withLock({ $0 }) { mirror.take(level, record.sentence, at: record.time) }
    }

    private static func line(_ record: LogRecord, as format: LogFormat, inColour isColoured: Bool) -> [UInt8] {
        var text = LogText()
        text.bytes.reserveCapacity(256)
        record.append(to: &text, as: format, inColour: isColoured)
        return text.bytes
    }
}

extension LogOutput {
    /// Adds `sallyport_log_lines_total{level}` and `sallyport_log_lines_dropped_total{level}`.
    public func register(in metrics: Metrics) {
        @Sendable func samples(_ counts: [LogLevel: UInt64]) -> [(labels: [String], value: Double)] {
            LogLevel.allCases.map { ([$0.name], Double(counts[$0, default: 0])) }
        }
        metrics.collect(
            "sallyport_log_lines_total", "Log lines written.", .counter, labels: ["level"],
            read: { [self] in samples(acceptedLines) })
        metrics.collect(
            "sallyport_log_lines_dropped_total", "Log lines dropped because their destination is too slow.", .counter,
            labels: ["level"], read: { [self] in samples(droppedLines) })
    }
}
