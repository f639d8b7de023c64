// SPDX-License-Identifier: Apache-2.0

/// How much a line matters. debug: anything; info: milestones; warning: handled or skipped (and counted); error: a
/// person must act.
public enum LogLevel: Int, Sendable, Comparable, CaseIterable {
    case debug
    case info
    case warning
    case error

    /// `debug`, `info`, `warning`, `error`.
    public var name: String {
        switch self {
        case .debug: "debug"
        case .info: "info"
        case .warning: "warning"
        case .error: "error"
        }
    }

    /// Any case of the names above; `warn`, `critical` and `fatal` as the originals' Python loggers have them.
    public init?(named text: some StringProtocol) {
        switch text.lowercased() {
        case "debug": self = .debug
        case "info": self = .info
        case "warn", "warning": self = .warning
        case "error", "critical", "fatal": self = .error
        default: return nil
        }
    }

    public static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}
