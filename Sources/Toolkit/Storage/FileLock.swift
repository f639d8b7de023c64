// SPDX-License-Identifier: Apache-2.0

import Base

#if canImport(Glibc)
    import Glibc
#endif

/// Keeps a second process from owning the same state: an `flock` on `<file>.lock`, which the kernel releases however the
/// process ends. The lock file names its holder, and an orderly close empties it: a text that is still there when the
/// lock is free tells that the last owner was killed.
final class FileLock {
    private let descriptor: Int32
    /// Whether the owner before this one ended without closing.
    let foundUnclean: Bool

    /// - Throws: ``StorageError/locked(path:holder:)`` while another process (or store) holds it.
    init(path: String, for file: String) throws(StorageError) {
        let opened = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard opened >= 0 else {
            throw .cannotOpen(path: file, reason: "\(path): \(SQLiteDatabase.text(ofErrno: errno))")
        }
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            let cause = errno
            let holder = Self.read(opened)
            close(opened)
            guard cause == EWOULDBLOCK else {
                let reason = "the file system can't lock \(path): \(SQLiteDatabase.text(ofErrno: cause))"
                throw .cannotOpen(path: file, reason: reason)
            }
            throw .locked(path: file, holder: holder.isEmpty ? "another process" : holder)
        }
        foundUnclean = !Self.read(opened).isEmpty
        descriptor = opened
        // Only a help for the reader of the error above: a full disk must not keep the service from starting.
        ftruncate(opened, 0)
        var text = "process \(getpid()) on \(Self.hostName())"
        text.withUTF8 { _ = pwrite(opened, $0.baseAddress, $0.count, 0) }
    }

    /// An orderly end. Without it the text stays and the next owner checks the file.
    func releaseCleanly() { ftruncate(descriptor, 0) }

    deinit { close(descriptor) }

    private static func read(_ descriptor: Int32) -> String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { buffer in
            let count = pread(descriptor, buffer.baseAddress, buffer.count, 0)
            return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        }
    }

    private static func hostName() -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let start = buffer.baseAddress, gethostname(start, buffer.count - 1) == 0 else { return "this host" }
            buffer[buffer.count - 1] = 0
            return String(cString: start)
        }
    }
}
