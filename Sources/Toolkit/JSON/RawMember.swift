// SPDX-License-Identifier: Apache-2.0

/// Where the value of a member stands in a text, so that it can be passed on byte for byte.
///
/// - Parameters:
///   - path: names from the root object inwards: `["event"]`, `["metadata", "offset"]`.
///   - text: a *valid* JSON text, as ``JSONParser`` or ``JSONValue`` has accepted it. In any other the answer means nothing, but
///     nothing outside the text is read.
/// - Returns: the byte range of the value without surrounding space; `nil` when a name is missing or leads through something
///   that is no object. Of a repeated name the last member counts.
public func rawMember(_ path: [StaticString], of text: UnsafeRawBufferPointer) -> Range<Int>? {
    text.withMemoryRebound(to: UInt8.self) { text in
        var range = 0..<text.count
        for name in path {
            var walk = RawWalk(text: text, at: range.lowerBound)
            guard let value = walk.member(Bytes(start: name.utf8Start, count: name.utf8CodeUnitCount)) else {
                return nil
            }
            range = value
        }
        return path.isEmpty ? RawWalk.trimmed(text) : range
    }
}

/// As above, for text in an array.
public func rawMember(_ path: [StaticString], of text: [UInt8]) -> Range<Int>? {
    text.withUnsafeBytes { rawMember(path, of: $0) }
}

/// Walks over a valid text without decoding it.
private struct RawWalk {
    let text: Bytes
    var at: Int

    static func trimmed(_ text: Bytes) -> Range<Int>? {
        var walk = RawWalk(text: text, at: 0)
        walk.skipSpace()
        return walk.value()
    }

    mutating func member(_ name: Bytes) -> Range<Int>? {
        skipSpace()
        guard next == UInt8(ascii: "{") else { return nil }
        at += 1
        skipSpace()
        var found: Range<Int>?
        while next == UInt8(ascii: "\"") {
            guard let key = string() else { return nil }
            skipSpace()
            at += 1  // the colon
            skipSpace()
            guard let value = value() else { return nil }
            if matches(key, name) { found = value }
            skipSpace()
            guard next == UInt8(ascii: ",") else { break }
            at += 1
            skipSpace()
        }
        return found
    }

    /// Skips one value.
    private mutating func value() -> Range<Int>? {
        let start = at
        switch next {
        case UInt8(ascii: "\""): return string().map { _ in start..<at }
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            var depth = 0
            while at < text.count {
                switch text[at] {
                case UInt8(ascii: "\""):
                    guard string() != nil else { return nil }
                    continue
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                default: break
                }
                at += 1
                if depth == 0 { return start..<at }
            }
            return nil
        default:
            while at < text.count, isScalar(text[at]) { at += 1 }
            return at > start ? start..<at : nil
        }
    }

    /// Skips a string and gives the range between its quotes.
    private mutating func string() -> Range<Int>? {
        let start = at + 1
        at = start
        while at < text.count {
            while at + 8 <= text.count, Word(text, at).escapes == 0 { at += 8 }
            guard at < text.count else { break }
            switch text[at] {
            case UInt8(ascii: "\""):
                at += 1
                return start..<(at - 1)
            case UInt8(ascii: "\\"): at = min(at + 2, text.count)
            default: at += 1
            }
        }
        return nil
    }

    private func matches(_ key: Range<Int>, _ name: Bytes) -> Bool {
        let raw = Bytes(rebasing: text[key])
        if raw.elementsEqual(name) { return !raw.contains(UInt8(ascii: "\\")) }
        guard raw.count > name.count, raw.contains(UInt8(ascii: "\\")) else { return false }
        return EncodedString(raw: raw, hasEscapes: true).decoded.utf8.elementsEqual(name)
    }

    private var next: UInt8 { at < text.count ? text[at] : 0 }

    private mutating func skipSpace() {
        while at < text.count, text[at] <= 0x20 { at += 1 }
    }

    private func isScalar(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte != UInt8(ascii: ",") && byte != UInt8(ascii: "}") && byte != UInt8(ascii: "]")
    }
}
