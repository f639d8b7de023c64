// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// Makes a fresh folder that only this user can read, below `TMPDIR` or `/tmp`: `sallyport-demo-Wn3vQb`.
///
/// - Parameter name: what the folder's name begins with.
/// - Returns: its path; `nil` when it can't be made (`errno` says why).
public func makeTemporaryFolder(_ name: String) -> String? {
    var template = Array("\(temporaryFolders)/\(name)-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { return nil }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Where ``makeTemporaryFolder(_:)`` makes them.
public var temporaryFolders: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }

/// Writes until all is taken. Waits where the descriptor is non-blocking and full.
///
/// - Returns: how many bytes were taken, and why not all were.
public func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> (written: Int, failure: String?) {
    bytes.withUnsafeBytes { buffer in
        var written = 0
        while written < buffer.count {
            let count = Glibc.write(descriptor, buffer.baseAddress.map { $0 + written }, buffer.count - written)
            if count > 0 {
                written += count
            } else if count < 0 && errno == EAGAIN {
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&ready, 1, 1000)
            } else if count < 0 && errno != EINTR {
                return (written, String(cString: strerror(errno)))
            }
        }
        return (written, nil)
    }
}

/// Brings the names in a folder to the disk: a file that was made or renamed in it then outlives a loss of power.
public func syncFolder(_ path: String) {
    let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return }
    fsync(folder)
    close(folder)
}
