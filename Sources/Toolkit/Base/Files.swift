// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// Makes a fresh folder that only this user can read, below `TMPDIR` or `/tmp`: `sallyport-demo-Wn3vQb`.
///
/// - Parameter name: what the folder's name begins with.
/// - Returns: its path; `nil` when it can't be made (`errno` says why).
public func makeTemporaryFolder(_ name: String) -> String? {
    // `mkdtemp` puts the letters of its choice in the place of the X's.
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

/// Why a file was not read.
public enum FileReadError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The system's words: `Permission denied`.
    case system(String)
    case isFolder
    /// There is more than so many bytes.
    case tooLarge(limit: Int)

    /// Ends a sentence that names the file: “it is larger than 1048576 bytes”.
    public var description: String {
        switch self {
        case .system(let reason): reason
        case .isFolder: "it is a folder"
        case .tooLarge(let limit): "it is larger than \(limit) bytes"
        }
    }
}

/// A whole file, of a bounded size. Blocks.
public func readFile(_ path: String, atMost limit: Int) throws(FileReadError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(String(cString: strerror(errno))) }
    defer { close(descriptor) }
    return try readAll(descriptor, atMost: limit)
}

/// Reads until the end. Blocks.
public func readAll(_ descriptor: Int32, atMost limit: Int) throws(FileReadError) -> [UInt8] {
    var status = stat()
    if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { throw .isFolder }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: min(64 << 10, max(4096, limit)))
    while true {
        let count = read(descriptor, &block, block.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw .system(String(cString: strerror(errno))) }
        if count == 0 { return bytes }
        bytes += block[..<count]
        guard bytes.count <= limit else { throw .tooLarge(limit: limit) }
    }
}

/// The names in a folder, in no order, without `.` and `..`; `nil` when it can't be read. Blocks.
public func fileNames(in folder: String) -> [String]? {
    guard let handle = opendir(folder) else { return nil }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}

/// Brings the names in a folder to the disk: a file that was made or renamed in it then outlives a loss of power.
public func syncFolder(_ path: String) {
    let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return }
    fsync(folder)
    close(folder)
}
