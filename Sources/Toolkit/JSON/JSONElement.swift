// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A cheap view of one value inside a parsed text: two pointers and an index.
///
/// Valid only inside the closure of ``JSONParser/withDocument(_:padding:_:)`` that gave it; copy what is to outlive that. Of a
/// name that occurs twice the last member counts, as in ``JSONObject`` and in Python.
public struct JSONElement {
    public enum Kind: Sendable, Hashable {
        case null
        case bool
        case number
        case string
        case array
        case object
    }

    private let tape: UnsafePointer<UInt64>
    private let strings: UnsafePointer<UInt8>
    private let index: Int

    init(tape: UnsafePointer<UInt64>, strings: UnsafePointer<UInt8>, index: Int = 1) {
        self.tape = tape
        self.strings = strings
        self.index = index
    }

    // MARK: Members and elements

    /// The last member of that name; `nil` when there is none or this is no object.
    public subscript(_ key: StaticString) -> JSONElement? {
        member(UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
    }

    /// As above, for a name known only at run time.
    public subscript(key key: String) -> JSONElement? {
        var key = key
        return key.withUTF8 { member($0) }
    }

    /// `nil` out of bounds or when this is no array. Walks there from the first.
    public subscript(_ position: Int) -> JSONElement? {
        guard tag == Tape.beginArray, position >= 0 else { return nil }
        var at = index + 1
        let end = after - 1
        for _ in 0..<position where at < end { at = self.at(at).after }
        return at < end ? self.at(at) : nil
    }

    /// Calls the closure for each element of an array in order; for none when this is no array.
    public func forEachElement(_ body: (JSONElement) throws -> Void) rethrows {
        guard tag == Tape.beginArray else { return }
        var at = index + 1
        let end = after - 1
        while at < end {
            let element = self.at(at)
            try body(element)
            at = element.after
        }
    }

    /// Calls the closure for each member of an object in order, repeated names included; for none when this is no object.
    /// The name is decoded UTF-8.
    public func forEachMember(_ body: (UnsafeBufferPointer<UInt8>, JSONElement) throws -> Void) rethrows {
        guard tag == Tape.beginObject else { return }
        var at = index + 1
        let end = after - 1
        while at < end {
            let element = self.at(at + 1)
            try body(text(at), element)
            at = element.after
        }
    }

    // MARK: Scalars

    public var kind: Kind {
        switch tag {
        case Tape.beginObject: .object
        case Tape.beginArray: .array
        case Tape.string: .string
        case Tape.isTrue, Tape.isFalse: .bool
        case Tape.null: .null
        default: .number
        }
    }

    public var isNull: Bool { tag == Tape.null }

    public var bool: Bool? {
        switch tag {
        case Tape.isTrue: true
        case Tape.isFalse: false
        default: nil
        }
    }

    public var string: String? { withUTF8 { String(decoding: $0, as: UTF8.self) } }

    /// The decoded bytes of a string, valid inside the closure; `nil` when this is no string.
    public func withUTF8<Result>(_ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result? {
        guard tag == Tape.string else { return nil }
        return try body(text(index))
    }

    /// Whether this is a string with exactly these bytes.
    public func equals(_ other: StaticString) -> Bool {
        tag == Tape.string && isText(index, UnsafeBufferPointer(start: other.utf8Start, count: other.utf8CodeUnitCount))
    }

    /// The value of a whole number that fits: `5`, also `5.0` and `1e3` (of these up to 2^53).
    public var int: Int64? {
        switch tag {
        case Tape.int64: Int64(bitPattern: word)
        case Tape.double: JSONNumber.wholeNumber(Double(bitPattern: word)).flatMap(Int64.init(exactly:))
        default: nil  // A `uint64` word is beyond Int64.
        }
    }

    /// As ``int``, from 0 to 2^64 - 1.
    public var uint: UInt64? { tag == Tape.uint64 ? word : int.flatMap(UInt64.init(exactly:)) }

    /// The nearest double of any number; infinite when it is out of range.
    public var double: Double? {
        switch tag {
        case Tape.double: Double(bitPattern: word)
        case Tape.int64: Double(Int64(bitPattern: word))
        case Tape.uint64: Double(word)
        case Tape.numberText: JSONNumber(validated: text(index)).double
        default: nil
        }
    }

    /// Whole numbers of any size exactly. Of others the shortest text of the nearest double: simdjson does not keep the source;
    /// read with ``JSONValue`` or take the bytes with ``rawMember(_:of:)`` where every digit counts.
    public var number: JSONNumber? {
        switch tag {
        case Tape.int64: JSONNumber(Int64(bitPattern: word))
        case Tape.uint64: JSONNumber(word)
        case Tape.double: JSONNumber(Double(bitPattern: word))
        case Tape.numberText: JSONNumber(validated: text(index))
        default: nil
        }
    }

    /// A copy that may leave the closure; numbers as in ``number``.
    public var value: JSONValue {
        switch kind {
        case .null: return .null
        case .bool: return .bool(tag == Tape.isTrue)
        case .number: return number.map(JSONValue.number) ?? .null
        case .string: return .string(string ?? "")
        case .array:
            var elements: [JSONValue] = []
            forEachElement { elements.append($0.value) }
            return .array(elements)
        case .object:
            var members = JSONObject()
            forEachMember { members.append(String(decoding: $0, as: UTF8.self), $1.value) }
            return .object(members)
        }
    }

    // MARK: Tape

    private var tag: UInt8 { UInt8(truncatingIfNeeded: tape[index] >> 56) }

    /// The word after the tag: a number's value.
    private var word: UInt64 { tape[index + 1] }

    /// The index of what follows this value.
    private var after: Int {
        switch tag {
        case Tape.beginArray, Tape.beginObject: Int(tape[index] & 0xFFFF_FFFF)
        case Tape.int64, Tape.uint64, Tape.double: index + 2
        default: index + 1
        }
    }

    private func at(_ index: Int) -> JSONElement { JSONElement(tape: tape, strings: strings, index: index) }

    private func member(_ key: Bytes) -> JSONElement? {
        guard tag == Tape.beginObject else { return nil }
        var found: JSONElement?
        var at = index + 1
        let end = after - 1
        while at < end {
            let element = self.at(at + 1)
            if isText(at, key) { found = element }
            at = element.after
        }
        return found
    }

    private func text(_ index: Int) -> Bytes {
        let start = strings + Int(tape[index] & Tape.payloadMask)
        return Bytes(start: start + 4, count: Int(UnsafeRawPointer(start).loadUnaligned(as: UInt32.self)))
    }

    private func isText(_ index: Int, _ other: Bytes) -> Bool {
        let text = text(index)
        guard text.count == other.count else { return false }
        return text.isEmpty
            || memcmp(text.baseAddress.unsafelyUnwrapped, other.baseAddress.unsafelyUnwrapped, text.count) == 0
    }
}

@available(*, unavailable)
extension JSONElement: Sendable {}
