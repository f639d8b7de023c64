// SPDX-License-Identifier: Apache-2.0

import ConnectorKit
import Settings
import Telemetry

#if canImport(Glibc)
    import Glibc
#endif

/// The log as the settings want it; in drop-in use as the original's settings want it.
enum Logging {
    /// Settings that can change while the program runs.
    static let keys: Set<String> = [LogSettings.level.key, OpenCTISettings.logLevel.key]

    static func output(_ configuration: Configuration, isDropIn: Bool) throws -> LogOutput {
        LogOutput(
            format: format(configuration, isDropIn: isDropIn), level: level(configuration, isDropIn: isDropIn),
            sink: try sink(configuration, isDropIn: isDropIn))
    }

    private static func sink(_ configuration: Configuration, isDropIn: Bool) throws -> any LogSink {
        let settings = configuration.process
        guard let file = settings[LogSettings.file], file.text != "-" else { return StandardErrorSink() }
        func open() throws -> FileSink {
            try FileSink(
                path: file.text, maxBytes: settings[LogSettings.fileSize].bytes, kept: settings[LogSettings.fileCount])
        }
        let declared = isDropIn ? configuration.flows.first?.connector.settings ?? [] : []
        // An original that writes a file of its own accord writes to its terminal as well.
        guard declared.contains(where: { $0.key == LogSettings.file.key }) else { return try open() }
        if let slash = file.text.lastIndex(of: "/") { mkdir(String(file.text[..<slash]), 0o750) }
        if settings.isSet(LogSettings.file) { return TwoSinks(StandardErrorSink(), try open()) }
        do { return TwoSinks(StandardErrorSink(), try open()) } catch {
            Console.complain("sallyport: \(error) The log goes to standard error alone.\n")
            return StandardErrorSink()
        }
    }

    static func log(_ output: LogOutput, _ configuration: Configuration, isDropIn: Bool) -> Log {
        let log = Log(to: output)
        guard isDropIn, let flow = configuration.flows.first else { return log }
        return log.with(.field("name", flow.name))
    }

    static func level(_ configuration: Configuration, isDropIn: Bool) -> LogLevel {
        let settings = configuration.process
        if isDropIn, !settings.isSet(LogSettings.level), let flow = configuration.flows.first,
            flow.settings.contains(OpenCTISettings.logLevel), let level = flow.settings[OpenCTISettings.logLevel]
        {
            return LogLevel(named: level.rawValue) ?? .info
        }
        return LogLevel(named: settings[LogSettings.level].rawValue) ?? .info
    }

    private static func format(_ configuration: Configuration, isDropIn: Bool) -> LogFormat? {
        switch configuration.process[LogSettings.form] {
        case .pretty: return .pretty
        case .json: return .json
        case .logfmt: return .logfmt
        case .opencti: return .opencti
        case .auto:
            guard isDropIn, !StandardErrorSink.isTerminal, let flow = configuration.flows.first,
                flow.settings.contains(OpenCTISettings.jsonLogging), flow.settings[OpenCTISettings.jsonLogging]
            else { return nil }
            return .opencti
        }
    }
}

/// The same lines in two places; a failure of either is told, and keeps nothing from the other.
private struct TwoSinks: LogSink {
    private let first: any LogSink
    private let second: any LogSink

    init(_ first: any LogSink, _ second: any LogSink) {
        self.first = first
        self.second = second
    }

    func write(_ lines: [UInt8]) throws(LogError) {
        let result = Result { () throws(LogError) in try first.write(lines) }
        try second.write(lines)
        try result.get()
    }

    func reopen() throws(LogError) {
        try first.reopen()
        try second.reopen()
    }
}
