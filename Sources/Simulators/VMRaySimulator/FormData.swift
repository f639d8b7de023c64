// SPDX-License-Identifier: Apache-2.0

import HTTPServer

#if canImport(Glibc)
    import Glibc
#endif

/// A `multipart/form-data` body taken apart; contents are slices of the request.
struct FormData {
    struct Part {
        let name: String
        let fileName: String?
        let content: ArraySlice<UInt8>
        var text: String { String(decoding: content, as: UTF8.self) }
    }
    let parts: [Part]

    /// `nil` when it is none, or broken.
    init?(_ request: ServerRequest) {
        guard let type = request.headers["Content-Type"], type.hasPrefix("multipart/form-data"),
            let mark = type.firstRange(of: "boundary=")
        else { return nil }
        let boundary = String(type[mark.upperBound...].prefix { $0 != ";" }).filter { $0 != "\"" }
        let line = Array("--\(boundary)".utf8)
        let between = Array("\r\n--\(boundary)".utf8)
        var rest = request.body[...]
        guard rest.starts(with: line) else { return nil }
        rest = rest.dropFirst(line.count)
        var parts: [Part] = []
        while !rest.starts(with: Array("--".utf8)) {
            guard let gap = rest.firstRange(of: Array("\r\n\r\n".utf8)),
                let length = Self.distance(to: between, in: rest[gap.upperBound...])
            else { return nil }
            let head = String(decoding: rest[..<gap.lowerBound], as: UTF8.self)
            guard let name = Self.parameter("name", of: head) else { return nil }
            let end = gap.upperBound + length
            parts.append(
                Part(name: name, fileName: Self.parameter("filename", of: head), content: rest[gap.upperBound..<end]))
            rest = rest[(end + between.count)...]
        }
        self.parts = parts
    }

    subscript(_ name: String) -> Part? { parts.first { $0.name == name } }

    /// A search that lets the C library look for the first byte: files are large.
    private static func distance(to pattern: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            var index = 0
            while index + pattern.count <= bytes.count,
                let hit = memchr(base + index, Int32(pattern[0]), bytes.count - index)
            {
                index = UnsafeRawPointer(hit) - base
                guard index + pattern.count <= bytes.count else { return nil }
                if memcmp(hit, pattern, pattern.count) == 0 { return index }
                index += 1
            }
            return nil
        }
    }

    private static func parameter(_ name: String, of head: String) -> String? {
        guard let start = head.firstRange(of: " \(name)=\"") else { return nil }
        return String(head[start.upperBound...].prefix { $0 != "\"" })
    }
}
