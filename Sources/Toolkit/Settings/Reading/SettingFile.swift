// SPDX-License-Identifier: Apache-2.0

import Base

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
        do throws(FileReadError) { return try readFile(path, atMost: limit) } catch {
            switch error {
            case .system(let reason):
                throw UnreadableSource(
                    "The file \(shown(path)) cannot be read: \(reason).",
                    remedy: "Check the path, and that this user may read it.")
            case .isFolder:
                throw UnreadableSource("\(shown(path)) is a folder.", remedy: "Name the file in it.")
            case .tooLarge:
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
