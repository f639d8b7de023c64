// SPDX-License-Identifier: Apache-2.0

import Base
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A log file that is moved aside when it is full: `x.log` becomes `x.log.1`, that `x.log.2`, and the oldest goes.
///
/// `reopen()` after SIGHUP makes it work with logrotate too.
public final class FileSink: LogSink {
    private struct File {
        var descriptor: Int32
        var size: Int
        /// A full disk cut the last line; the next write starts a new one.
        var isTorn = false
    }

    public let path: String
    private let maxBytes: Int
    private let kept: Int
    private let file: Mutex<File>

    /// - Parameters:
    ///   - maxBytes: the size at which the file is moved aside; 0 never moves it.
    ///   - kept: how many moved files stay besides the current one.
    public init(path: String, maxBytes: Int = 64 << 20, kept: Int = 5) throws(LogError) {
        self.path = path
        self.maxBytes = maxBytes
        self.kept = max(0, kept)
        file = Mutex(try Self.open(path))
    }

    deinit { file.withLock { _ = close($0.descriptor) } }

    public func write(_ lines: [UInt8]) throws(LogError) {
        try file.withLock { file throws(LogError) in
            if maxBytes > 0, file.size > 0, file.size + lines.count > maxBytes { try rotate(&file) }
            if file.isTorn, writeAll([UInt8(ascii: "\n")], to: file.descriptor).failure == nil {
                file.isTorn = false
                file.size += 1
            }
            let (written, failure) = writeAll(lines, to: file.descriptor)
            file.size += written
            if let failure {
                file.isTorn = file.isTorn || (written > 0 && lines[written - 1] != UInt8(ascii: "\n"))
                throw .cannotWrite(path: path, reason: failure)
            }
        }
    }

    public func reopen() throws(LogError) {
        try file.withLock { file throws(LogError) in
            let fresh = try Self.open(path)
            close(file.descriptor)
            file = fresh
        }
    }

    private func rotate(_ file: inout File) throws(LogError) {
        if kept == 0 {
            unlink(path)
        } else {
            for number in stride(from: kept - 1, to: 0, by: -1) {
                rename("\(path).\(number)", "\(path).\(number + 1)")
            }
            rename(path, "\(path).1")
        }
        // Where the folder allows no renaming, the same file is opened again and grows on: better than losing lines.
        let fresh = try Self.open(path)
        close(file.descriptor)
        file = fresh
    }

    private static func open(_ path: String) throws(LogError) -> File {
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw .cannotOpen(path: path, reason: String(cString: strerror(errno))) }
        var status = stat()
        fstat(descriptor, &status)
        return File(descriptor: descriptor, size: Int(status.st_size))
    }
}
