// SPDX-License-Identifier: Apache-2.0

public import Base
public import JSON

/// RFC 6902 over JSON values. Updates carry `context.reverse_patch`, which turns the object back into what it was.
public enum JSONPatch {
    /// Applies all operations in order, or none.
    ///
    /// - Throws: ``Failure`` naming the first operation that does not fit.
    public static func apply(_ operations: [JSONValue], to document: JSONValue) throws(Failure) -> JSONValue {
        var result = document
        for (index, operation) in operations.enumerated() {
            do throws(Reason) { try apply(operation, to: &result) } catch {
                throw Failure(operation: index, reason: error.text)
            }
        }
        return result
    }

    public struct Failure: ActionableError, Hashable {
        /// Counts from 0.
        public let operation: Int
        public let reason: String

        public var code: ErrorCode { "opencti.patch" }
        public var isRetryable: Bool { false }
        public var description: String {
            "The event's patch does not fit its object (operation \(operation): \(reason)). The event is kept aside."
        }
    }

    private struct Reason: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    private static func apply(_ operation: JSONValue, to document: inout JSONValue) throws(Reason) {
        guard let path = try pointer(operation["path"]) else { throw Reason("it has no path") }
        switch operation["op"]?.string {
        case "add": try set(path, value(operation), in: &document, replacing: false)
        case "replace": try set(path, value(operation), in: &document, replacing: true)
        case "remove": _ = try remove(path, from: &document)
        case "test":
            guard let found = find(path, in: document), found == (try value(operation)) else {
                throw Reason("the tested value differs")
            }
        case "copy":
            guard let from = try pointer(operation["from"]), let value = find(from, in: document) else {
                throw Reason("its source does not exist")
            }
            try set(path, value, in: &document, replacing: false)
        case "move":
            guard let from = try pointer(operation["from"]) else { throw Reason("its source does not exist") }
            guard !(path.count > from.count && path.starts(with: from)) else { throw Reason("it moves into itself") }
            let value = try remove(from, from: &document)
            try set(path, value, in: &document, replacing: false)
        default: throw Reason("its operation is unknown")
        }
    }

    private static func value(_ operation: JSONValue) throws(Reason) -> JSONValue {
        guard let value = operation["value"] else { throw Reason("it has no value") }
        return value
    }

    /// RFC 6901: `""` is the whole document, `~1` a slash, `~0` a tilde.
    private static func pointer(_ text: JSONValue?) throws(Reason) -> [String]? {
        guard let text = text?.string else { return nil }
        if text.isEmpty { return [] }
        guard text.hasPrefix("/") else { throw Reason("its path does not begin with a slash") }
        return text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { token in
            token.contains("~") ? unescaped(token) : String(token)
        }
    }

    private static func unescaped(_ token: Substring) -> String {
        var text = ""
        var rest = token
        while let character = rest.popFirst() {
            if character == "~", rest.first == "1" || rest.first == "0" {
                text.append(rest.removeFirst() == "1" ? "/" : "~")
            } else {
                text.append(character)
            }
        }
        return text
    }

    private static func find(_ path: [String], in document: JSONValue) -> JSONValue? {
        var value = document
        for token in path {
            switch value {
            case .object(let object):
                guard let member = object[token] else { return nil }
                value = member
            case .array(let array):
                guard let index = Int(strict: token), index < array.count else { return nil }
                value = array[index]
            default: return nil
            }
        }
        return value
    }

    private static func set(
        _ path: [String], _ value: JSONValue, in document: inout JSONValue, replacing: Bool
    ) throws(Reason) {
        guard let last = path.last else {
            document = value
            return
        }
        try edit(path.dropLast(), in: &document) { (parent) throws(Reason) in
            switch parent {
            case .object(var object):
                guard !replacing || object[last] != nil else { throw Reason("“\(last)” does not exist") }
                object[last] = value
                parent = .object(object)
            case .array(var array):
                let index = last == "-" && !replacing ? array.count : Int(strict: last) ?? -1
                guard index >= 0, index < array.count + (replacing ? 0 : 1) else {
                    throw Reason("“\(last)” is no place in the list")
                }
                if replacing { array[index] = value } else { array.insert(value, at: index) }
                parent = .array(array)
            default: throw Reason("its parent is neither object nor list")
            }
        }
    }

    private static func remove(_ path: [String], from document: inout JSONValue) throws(Reason) -> JSONValue {
        guard let last = path.last else {
            defer { document = .null }
            return document
        }
        var removed = JSONValue.null
        try edit(path.dropLast(), in: &document) { (parent) throws(Reason) in
            switch parent {
            case .object(var object):
                guard let value = object[last] else { throw Reason("“\(last)” does not exist") }
                removed = value
                object[last] = nil
                parent = .object(object)
            case .array(var array):
                guard let index = Int(strict: last), index < array.count else {
                    throw Reason("“\(last)” is no place in the list")
                }
                removed = array.remove(at: index)
                parent = .array(array)
            default: throw Reason("its parent is neither object nor list")
            }
        }
        return removed
    }

    private static func edit(
        _ path: ArraySlice<String>, in value: inout JSONValue, _ body: (inout JSONValue) throws(Reason) -> Void
    ) throws(Reason) {
        guard let token = path.first else { return try body(&value) }
        switch value {
        case .object(var object):
            guard var member = object[token] else { throw Reason("“\(token)” does not exist") }
            try edit(path.dropFirst(), in: &member, body)
            object[token] = member
            value = .object(object)
        case .array(var array):
            guard let index = Int(strict: token), index < array.count else {
                throw Reason("“\(token)” is no place in the list")
            }
            try edit(path.dropFirst(), in: &array[index], body)
            value = .array(array)
        default: throw Reason("“\(token)” does not exist")
        }
    }
}

extension Int {
    /// An array index as RFC 6901 has it: digits, no sign, no leading zero.
    fileprivate init?(strict text: String) {
        guard text == "0" || !text.hasPrefix("0"), text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        self.init(text)
    }
}
