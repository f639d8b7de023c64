// SPDX-License-Identifier: Apache-2.0

/// Writes compact JSON straight into bytes; commas come by themselves.
///
/// ```swift
/// var writer = JSONWriter(reserving: 256)
/// writer.beginObject()
/// writer.key("type")
/// writer.string("sha256")
/// writer.endObject()      // {"type":"sha256"}
/// ```
/// The caller keeps begin and end in pairs and writes a key before each member. Values that follow each other at the top level
/// are separated by commas too; for lines of JSON call ``endLine()`` after each.
public struct JSONWriter: Sendable {
    /// What is written so far.
    public private(set) var bytes: [UInt8]
    private var needsComma = false

    public init(reserving capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// Goes on after text that is there already, without a comma before the first value.
    public init(appendingTo bytes: consuming [UInt8]) { self.bytes = bytes }

    /// Starts over and keeps the memory.
    public mutating func reset() {
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
    }

    /// Ends a line of newline-delimited JSON.
    public mutating func endLine() {
        bytes.append(UInt8(ascii: "\n"))
        needsComma = false
    }

    // MARK: Containers

    public mutating func beginObject() { begin(UInt8(ascii: "{")) }
    public mutating func endObject() { end(UInt8(ascii: "}")) }
    public mutating func beginArray() { begin(UInt8(ascii: "[")) }
    public mutating func endArray() { end(UInt8(ascii: "]")) }

    /// The name of the member whose value is written next.
    public mutating func key(_ name: StaticString) {
        key(utf8: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }

    public mutating func key(_ name: String) {
        var name = name
        name.withUTF8 { key(utf8: $0) }
    }

    /// - Parameter name: valid UTF-8, not escaped.
    public mutating func key(utf8 name: UnsafeBufferPointer<UInt8>) {
        quote(name, isKey: true)
        needsComma = false
    }

    // MARK: Scalars

    public mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { string(utf8: $0) }
    }

    public mutating func string(_ text: StaticString) {
        string(utf8: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// - Parameter text: valid UTF-8, not escaped.
    public mutating func string(utf8 text: UnsafeBufferPointer<UInt8>) {
        quote(text, isKey: false)
        needsComma = true
    }

    public mutating func int(_ value: Int64) {
        separate()
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var start = digits.count
            var rest = value.magnitude
            repeat {
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            if value < 0 {
                start -= 1
                digits[start] = UInt8(ascii: "-")
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: digits[start...]))
        }
    }

    public mutating func int(_ value: some BinaryInteger) {
        if let value = Int64(exactly: value) { int(value) } else { number(JSONNumber(value)) }
    }

    /// The shortest text that reads back as the same value, `1.0` with its fraction; `null` for infinity and NaN.
    public mutating func double(_ value: Double) {
        if let number = JSONNumber(value) { self.number(number) } else { null() }
    }

    /// The number's own text.
    public mutating func number(_ number: JSONNumber) { unescaped(number.text) }

    public mutating func bool(_ value: Bool) { literal(value ? "true" : "false") }

    public mutating func null() { literal("null") }

    // MARK: Whole values

    /// Any value at all.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .number(let value): number(value)
        case .string(let value): string(value)
        case .array(let elements):
            beginArray()
            for element in elements { self.value(element) }
            endArray()
        case .object(let members):
            beginObject()
            for (key, value) in members {
                self.key(key)
                self.value(value)
            }
            endObject()
        }
    }

    /// A valid JSON text as it stands, not one byte changed.
    public mutating func raw(_ text: [UInt8]) {
        separate()
        bytes.append(contentsOf: text)
    }

    /// A valid JSON text as it stands, not one byte changed.
    public mutating func raw(_ text: UnsafeRawBufferPointer) {
        separate()
        bytes.append(contentsOf: text)
    }

    // MARK: Bytes

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func literal(_ word: StaticString) {
        separate()
        bytes.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    private mutating func unescaped(_ text: String) {
        separate()
        var text = text
        text.withUTF8 { bytes.append(contentsOf: $0) }
    }

    /// One append for most strings: comma, quotes and text meet on the stack, because growing an array byte by byte costs ten
    /// times as much.
    private mutating func quote(_ text: UnsafeBufferPointer<UInt8>, isKey: Bool) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Escape.scratchSize) { scratch in
            let scratch = scratch.baseAddress.unsafelyUnwrapped
            var used = 0
            func put(_ byte: UInt8) {
                scratch[used] = byte
                used += 1
            }
            if needsComma { put(UInt8(ascii: ",")) }
            put(UInt8(ascii: "\""))
            var at = 0
            while true {
                let piece = min(text.count - at, Escape.pieceSize)
                used += Escape.write(UnsafeBufferPointer(rebasing: text[at..<(at + piece)]), into: scratch + used)
                at += piece
                if at == text.count { break }
                bytes.append(contentsOf: UnsafeBufferPointer(start: scratch, count: used))
                used = 0
            }
            put(UInt8(ascii: "\""))
            if isKey { put(UInt8(ascii: ":")) }
            bytes.append(contentsOf: UnsafeBufferPointer(start: scratch, count: used))
        }
    }
}
