// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Where finished lines go. Called by one thread, which may block.
public protocol LogSink: Sendable {
    /// Takes whole lines, each with its newline.
    func write(_ lines: [UInt8]) throws(LogError)
    /// Opens the destination anew, after something outside has moved it away.
    func reopen() throws(LogError)
}

extension LogSink {
    public func reopen() throws(LogError) {}
}

/// Why lines could not be written.
public enum LogError: ActionableError {
    case cannotOpen(path: String, reason: String)
    case cannotWrite(path: String, reason: String)

    public var code: ErrorCode {
        switch self {
        case .cannotOpen: "log.open"
        case .cannotWrite: "log.write"
        }
    }
    public var isRetryable: Bool { if case .cannotWrite = self { true } else { false } }
    public var description: String {
        switch self {
        case .cannotOpen(let path, let reason):
            "The log file \(path) cannot be opened: \(reason). Create its folder, or let this user write there."
        case .cannotWrite(let path, let reason):
            "The log file \(path) cannot be written: \(reason). Lines go to standard error until it can."
        }
    }
}

/// Standard error, the default: containers and systemd collect it.
public struct StandardErrorSink: LogSink {
    public init() {}

    /// Whether a person is looking at it, who wants colours (`NO_COLOR` unset, `TERM` not `dumb`).
    public static var isColourTerminal: Bool {
        guard isatty(STDERR_FILENO) == 1 else { return false }
        if let wish = getenv("NO_COLOR"), wish.pointee != 0 { return false }
        guard let terminal = getenv("TERM") else { return false }
        return String(cString: terminal) != "dumb"
    }

    public static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    public func write(_ lines: [UInt8]) throws(LogError) {
        if let failure = writeAll(lines, to: STDERR_FILENO).failure {
            throw .cannotWrite(path: "/dev/stderr", reason: failure)
        }
    }
}

/// Keeps lines in memory, for tests.
public final class MemorySink: LogSink {
    private let text = Mutex<[UInt8]>([])

    public init() {}

    public func write(_ lines: [UInt8]) { text.withLock { $0 += lines } }

    /// What was written so far, without newlines. ``LogOutput/flush(within:)`` first.
    public var lines: [String] {
        let text = text.withLock { $0 }
        return text.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    }
}
