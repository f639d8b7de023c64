// SPDX-License-Identifier: Apache-2.0

internal import CSimdjson
internal import JSON

/// The readers accept what simdjson itself accepts and, beyond it, only odd numbers and lone surrogates; both refuse at the same
/// byte and read the same values; what is written reads back.
@Sendable func fuzzJSON(_ text: UnsafeRawBufferPointer) {
    let limits = JSONLimits(maxDepth: 16)
    let slow = Result { () throws(JSONError) in try JSONValue(parsing: text, limits: limits) }
    let fast = Result {
        try JSONParser(limits: limits).withDocument(text) { ($0.value, JSONValue.bool(agrees($0, with: slow))) }
    }
    let isPlain = simdjsonAccepts(text, maxDepth: limits.maxDepth)
    switch (slow, fast) {
    case (.failure(let first), .failure(let second)):
        check(first == second as? JSONError, "\(first) but \(second)")
        check(!isPlain, "simdjson accepts it, but \(first)")
        check((0...text.count).contains(first.offset ?? -1), "an offset outside the text: \(first)")
    case (.success(let value), .success((let copy, let agrees))):
        check(agrees == true, "elements differ from the value \(value)")
        let hasSurrogate = String(decoding: text, as: UTF8.self).lowercased().contains(#"\ud"#)
        check(isPlain || hasOddNumber(value) || hasSurrogate, "simdjson refuses \(value)")
        check(JSONCanonical.bytes(of: value) == JSONCanonical.bytes(of: copy), "\(value) but \(copy)")
        let written = value.bytes
        let again = try? JSONValue(parsing: written, limits: limits)
        check(again == value && again?.bytes == written, "\(value) reads back as \(String(describing: again))")
        let canonical = JSONCanonical.bytes(of: value)
        let settled = (try? JSONValue(parsing: canonical, limits: limits)).map(JSONCanonical.bytes)
        check(settled == canonical, "the canonical form of \(value) does not settle")
    default: check(false, "one reader says \(slow), the other \(fast)")
    }
}

private func simdjsonAccepts(_ text: UnsafeRawBufferPointer, maxDepth: Int) -> Bool {
    let parser = sp_json_parser_new(maxDepth)
    defer { sp_json_parser_free(parser) }
    return sp_json_parse(parser, text.bindMemory(to: UInt8.self).baseAddress, text.count, false) == 0
}

/// Whether there is a number beyond 64 bits or beyond a double.
private func hasOddNumber(_ value: JSONValue) -> Bool {
    switch value {
    case .number(let number):
        let isInteger = number.text.allSatisfy { $0.isNumber || $0 == "-" }
        return isInteger ? number.int64 == nil && number.uint64 == nil : number.double.isInfinite
    case .array(let elements): return elements.contains(where: hasOddNumber)
    case .object(let members): return members.contains { hasOddNumber($0.value) }
    default: return false
    }
}

/// Walks the element beside the value.
private func agrees(_ element: JSONElement, with value: Result<JSONValue, JSONError>) -> Bool {
    guard let value = try? value.get() else { return false }
    return agrees(element, with: value)
}

private func agrees(_ element: JSONElement, with value: JSONValue) -> Bool {
    switch value {
    case .null: return element.isNull
    case .bool(let bool): return element.bool == bool
    case .string(let string): return element.string.map { Array($0.utf8) } == Array(string.utf8)
    case .number(let number):
        // Only the zero of an integer `-0` loses its sign on the tape.
        return element.double == number.double && element.int == number.int64 && element.uint == number.uint64
    case .array(let elements):
        var index = 0
        var isSame = true
        element.forEachElement {
            isSame = isSame && index < elements.count && agrees($0, with: elements[index])
            index += 1
        }
        return isSame && index == elements.count
    case .object(let members):
        var isSame = members.allSatisfy { key, _ in
            guard let found = element[key: key], let expected = members[key] else { return false }
            return agrees(found, with: expected)
        }
        var count = 0
        element.forEachMember { _, _ in count += 1 }
        isSame = isSame && count == members.count
        return isSame
    }
}

/// A raw slice of a valid text is the member's own text; of any other text nothing outside is read.
@Sendable func fuzzRawMember(_ text: UnsafeRawBufferPointer) {
    for path in [[], ["a"], ["a", "b"], [""]] as [[StaticString]] {
        let range = rawMember(path, of: text)
        guard let value = try? JSONValue(parsing: text) else { continue }
        var member: JSONValue? = value
        for name in path { member = member?[name.description] }
        let slice = range.flatMap { try? JSONValue(parsing: UnsafeRawBufferPointer(rebasing: text[$0])) }
        check(slice == member, "\(path) of \(value) is \(String(describing: slice))")
    }
}

/// Any bytes, made into UTF-8, go through the writer as name and value and come back.
@Sendable func fuzzJSONWriter(_ bytes: UnsafeRawBufferPointer) {
    let string = String(decoding: bytes, as: UTF8.self)
    var writer = JSONWriter()
    writer.beginObject()
    writer.key(string)
    writer.beginArray()
    writer.string(string)
    for chunk in stride(from: 0, to: bytes.count - 7, by: 8) {
        let bits = bytes.loadUnaligned(fromByteOffset: chunk, as: UInt64.self)
        writer.int(bits)
        writer.int(Int64(bitPattern: bits))
        writer.double(Double(bitPattern: bits))
    }
    writer.endArray()
    writer.endObject()
    guard let value = try? JSONValue(parsing: writer.bytes) else { return check(false, "writes bad JSON") }
    check(value.bytes == writer.bytes, "what is read is written differently")
    guard let elements = value[string]?.array else { return check(false, "the name came back differently") }
    check(elements[0] == .string(string), "the string came back differently")
    for (index, chunk) in stride(from: 0, to: bytes.count - 7, by: 8).enumerated() {
        let bits = bytes.loadUnaligned(fromByteOffset: chunk, as: UInt64.self)
        let double = Double(bitPattern: bits)
        check(elements[1 + index * 3].number?.uint64 == bits, "\(bits) came back differently")
        check(elements[2 + index * 3].int == Int64(bitPattern: bits), "\(bits) came back differently")
        check(elements[3 + index * 3].double == (double.isFinite ? double : nil), "\(double) came back differently")
    }
}
