// SPDX-License-Identifier: Apache-2.0

/// Where a part of the program writes what happens: a static sentence and named values.
///
/// Cheap to copy. ``with(_:)`` gives a log that adds its fields (connector, flow, …) to each line. When the level is
/// off, the fields of a call are not even computed.
///
///     log.info("Stream connected.", .field("stream.position", position))
public struct Log: Sendable {
    /// A log that writes nothing.
    public static let silent = Log(output: nil, context: [])

    private let output: LogOutput?
    private let context: LogContext

    public init(to output: LogOutput) { self.init(output: output, context: []) }

    private init(output: LogOutput?, context: [LogField]) {
        self.output = output
        self.context = LogContext(context)
    }

    /// The same log with more context. A field replaces an earlier one of the same name.
    public func with(_ fields: LogField...) -> Log {
        let kept = context.fields.filter { old in !fields.contains { $0.nameText == old.nameText } }
        return Log(output: output, context: kept + fields)
    }

    /// Whether a line of this level would be written.
    public func isEnabled(_ level: LogLevel) -> Bool { output?.isEnabled(level) ?? false }

    /// One line of a level known only at run time, or with a list of fields.
    public func write(_ level: LogLevel, _ message: StaticString, fields: @autoclosure () -> [LogField] = []) {
        guard let output, output.isEnabled(level) else { return }
        output.write(level, message, context: context, fields: fields())
    }
}

/// The fields of a ``Log``, hashed once.
struct LogContext: Sendable {
    let fields: [LogField]
    let hash: Int

    init(_ fields: [LogField]) {
        self.fields = fields
        hash = fields.hashValue
    }
}
