// SPDX-License-Identifier: Apache-2.0

import ConnectorKit
import Settings
import Telemetry

/// The log as the settings want it; in drop-in use as the original's settings want it.
enum Logging {
    /// Settings that can change while the program runs.
    static let keys: Set<String> = [LogSettings.level.key, OpenCTISettings.logLevel.key]

    static func output(_ configuration: Configuration, isDropIn: Bool) throws -> LogOutput {
        let settings = configuration.process
        let sink: any LogSink
        if let file = settings[LogSettings.file] {
            let size = settings[LogSettings.fileSize].bytes
            sink = try FileSink(path: file.text, maxBytes: size, kept: settings[LogSettings.fileCount])
        } else {
            sink = StandardErrorSink()
        }
        return LogOutput(
            format: format(configuration, isDropIn: isDropIn), level: level(configuration, isDropIn: isDropIn),
            sink: sink)
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
