// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// A source that should hold a value does not give it.
struct UnreadableSource: Error {
    /// A sentence, never with the content.
    let what: String
    /// A sentence.
    let remedy: String

    init(_ what: String, remedy: String) {
        self.what = what
        self.remedy = remedy
    }
}

/// Small text files: settings and secrets.
enum SettingFile {
    static let maxBytes = 1 << 20

    /// - Throws: ``UnreadableSource`` when there is none, or none that can be read.
    static func bytes(of path: String, limit: Int = maxBytes) throws(UnreadableSource) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw UnreadableSource(
                "The file \(shown(path)) cannot be read: \(String(cString: strerror(errno))).",
                remedy: "Check the path, and that this user may read it.")
        }
        defer { close(descriptor) }
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            throw UnreadableSource("\(shown(path)) is a folder.", remedy: "Name the file in it.")
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw UnreadableSource(
                    "The file \(shown(path)) cannot be read: \(String(cString: strerror(errno))).",
                    remedy: "Check the disk it is on.")
            }
            if count == 0 { return bytes }
            bytes += chunk[0..<count]
            guard bytes.count <= limit else {
                throw UnreadableSource(
                    "The file \(shown(path)) has more than \(limit) bytes.",
                    remedy: "Check that it is the file you mean.")
            }
        }
    }

    /// The content as a value: UTF-8, without the line end that editors add.
    static func value(of path: String) throws(UnreadableSource) -> String {
        let bytes = try bytes(of: path)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw UnreadableSource("The file \(shown(path)) is no UTF-8 text.", remedy: "Save it as UTF-8.")
        }
        let value = text.trimmed
        guard !value.isEmpty else {
            throw UnreadableSource("The file \(shown(path)) is empty.", remedy: "Write the value into it.")
        }
        return value
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
