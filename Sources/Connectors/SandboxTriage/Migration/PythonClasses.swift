// SPDX-License-Identifier: Apache-2.0

/// Constants in the classes of a Python file, read as text: nothing of it is executed.
///
/// The original is configured by editing `crowdstrike_conf.py`, `vmray_conf.py` and `general_conf.py`. Understood are texts,
/// whole numbers, `True`, `False`, `None`, names such as `VERDICT.MALICIOUS` (of which the last part counts), and lists and
/// tuples of those, also over several lines. Everything else is named in ``unread``. Source: VMRay, 7; `vmray/crowdstrike-falcon:
/// app/config`.
struct PythonClasses: Sendable, Hashable {
    enum Value: Sendable, Hashable {
        case text(String)
        case number(Int64)
        case bool(Bool)
        case none
        /// The last part of a dotted name.
        case name(String)
        case list([Value])

        /// As an environment variable would have it; lists are joined by commas, `None` is empty.
        var setting: String {
            switch self {
            case .text(let text), .name(let text): text
            case .number(let number): String(number)
            case .bool(let isTrue): isTrue ? "true" : "false"
            case .none: ""
            case .list(let values): values.map(\.setting).joined(separator: ",")
            }
        }
    }

    /// By class, then by name; a later assignment replaces an earlier one, as in Python.
    private(set) var classes: [String: [String: Value]] = [:]
    /// `Class.NAME` of assignments whose value is none of the above.
    private(set) var unread: [String] = []

    init(reading source: String) {
        var reader = PythonReader(source)
        var current: String?
        while !reader.isAtEnd {
            let indent = reader.blanks()
            if indent == 0, reader.take("class ") {
                current = reader.word()
            } else if let name = current, indent > 0, let key = reader.assignment() {
                if let value = reader.value(), reader.isAtStatementEnd() {
                    classes[name, default: [:]][key] = value
                } else {
                    unread.append("\(name).\(key)")
                }
            } else if indent == 0, !reader.isAtLineEnd() {
                current = nil
            }
            reader.skipLine()
        }
    }
}

/// A cursor over Python source; methods that return `nil` have not understood what stands there.
private struct PythonReader {
    private var rest: Substring
    /// Open brackets: more than a configuration could want are not followed.
    private var depth = 0

    init(_ source: String) { rest = source[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func take(_ text: String) -> Bool {
        guard rest.hasPrefix(text) else { return false }
        rest.removeFirst(text.count)
        return true
    }

    /// Blanks and tabs; how many they were.
    mutating func blanks() -> Int {
        let count = rest.prefix { $0 == " " || $0 == "\t" }.count
        rest.removeFirst(count)
        return count
    }

    /// The same with line ends and comments, which mean nothing inside brackets.
    private mutating func gap() {
        while let first = rest.first {
            if first.isWhitespace {
                rest.removeFirst()
            } else if first == "#" {
                skipLine()
            } else {
                return
            }
        }
    }

    mutating func word() -> String {
        let word = rest.prefix { $0 == "_" || $0.isLetter || $0.isNumber }
        rest.removeFirst(word.count)
        return String(word)
    }

    /// `NAME =` or `NAME: type =`; the cursor stands behind the sign then.
    mutating func assignment() -> String? {
        let start = rest
        let name = word()
        _ = blanks()
        if take(":") { rest = rest.drop { $0 != "=" && !$0.isNewline } }
        guard !name.isEmpty, take("="), rest.first != "=" else {
            rest = start
            return nil
        }
        _ = blanks()
        return name
    }

    func isAtLineEnd() -> Bool { rest.first.map { $0.isNewline || $0 == "#" } ?? true }

    mutating func isAtStatementEnd() -> Bool {
        _ = blanks()
        return isAtLineEnd()
    }

    mutating func skipLine() { rest = rest.drop { !$0.isNewline }.dropFirst() }

    mutating func value() -> PythonClasses.Value? {
        switch rest.first {
        case "\"", "'": return string().map { .text($0) }
        case "[": return list(closing: "]")
        case "(": return list(closing: ")")
        case let first? where first.isNumber || first == "-": return number()
        case let first? where first == "_" || first.isLetter: return name()
        default: return nil
        }
    }

    private mutating func number() -> PythonClasses.Value? {
        let digits = rest.prefix { $0 == "-" || $0 == "_" || $0.isNumber }
        rest.removeFirst(digits.count)
        return Int64(digits.filter { $0 != "_" }).map { .number($0) }
    }

    private mutating func name() -> PythonClasses.Value? {
        var last = word()
        while take(".") {
            let next = word()
            // `VERDICT.MALICIOUS.value` is the member that it is the value of.
            if next != "value" { last = next }
        }
        return switch last {
        case "": nil
        case "True": .bool(true)
        case "False": .bool(false)
        case "None": PythonClasses.Value.none
        default: .name(last)
        }
    }

    private mutating func list(closing end: Character) -> PythonClasses.Value? {
        guard depth < 8 else { return nil }
        depth += 1
        defer { depth -= 1 }
        rest.removeFirst()
        var values: [PythonClasses.Value] = []
        while true {
            gap()
            if rest.first == end {
                rest.removeFirst()
                return .list(values)
            }
            guard let value = value() else { return nil }
            values.append(value)
            gap()
            guard take(",") || rest.first == end else { return nil }
        }
    }

    private mutating func string() -> String? {
        let quote = rest.removeFirst()
        var text = ""
        while let next = rest.popFirst(), !next.isNewline {
            if next == quote { return text }
            guard next == "\\" else {
                text.append(next)
                continue
            }
            switch rest.popFirst() {
            case let escaped? where escaped == "\\" || escaped == "\"" || escaped == "'": text.append(escaped)
            // Other escapes occur in no value that a connector takes.
            default: return nil
            }
        }
        return nil
    }
}
