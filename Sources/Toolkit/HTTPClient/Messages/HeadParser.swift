// SPDX-License-Identifier: Apache-2.0

/// Puts a response's head together from the lines that libcurl hands over, one by one.
///
/// Informational heads (1xx) are dropped; trailers after a complete head too.
struct HeadParser {
    enum Step: Equatable {
        case more
        case complete
        case tooLarge
    }

    private let limit: Int
    private var size = 0
    private var isComplete = false
    private(set) var status = 0
    private(set) var reason = ""
    private(set) var headers = HTTPHeaders()

    init(limit: Int) { self.limit = limit }

    mutating func take(_ line: UnsafeRawBufferPointer) -> Step {
        size += line.count
        guard size <= limit else { return .tooLarge }
        if isComplete { return .more }
        let text = Self.trimmed(line)
        if text.starts(with: "HTTP/".utf8) {
            startHead(text)
        } else if text.isEmpty {
            // 101 would be a last answer, but nothing here asks for another protocol.
            guard status >= 200 else { return .more }
            isComplete = true
            return .complete
        } else if let colon = text.firstIndex(of: UInt8(ascii: ":")) {
            headers.append(
                Self.string(text[..<colon]), Self.string(Self.trimmed(.init(rebasing: text[(colon + 1)...]))))
        }
        return .more
    }

    private mutating func startHead(_ line: UnsafeRawBufferPointer) {
        headers = HTTPHeaders()
        let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: true)
        status = parts.count > 1 ? Int(Self.string(parts[1])) ?? 0 : 0
        reason = parts.count > 2 ? Self.string(parts[2]) : ""
    }

    private static func string(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
    private static func string(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }
        guard let first = bytes.firstIndex(where: { !isBlank($0) }), let last = bytes.lastIndex(where: { !isBlank($0) })
        else { return .init(rebasing: bytes[..<0]) }
        return .init(rebasing: bytes[first...last])
    }
}
