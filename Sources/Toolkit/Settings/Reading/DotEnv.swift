// SPDX-License-Identifier: Apache-2.0

/// A `.env` file with the rules of Python's dotenv, which the originals' settings library uses.
///
/// `NAME=value`, `export NAME=value`, comments, `'literal'` and `"escaped\n"` values over several lines, ` #` after an
/// unquoted value, and `${OTHER}` or `${OTHER:-default}` outside single quotes.
/// Source: `theskumar/python-dotenv: src/dotenv/parser.py, variables.py`.
struct DotEnv {
    struct Entry {
        let value: String
        let location: SourceLocation
        /// Whether another variable's value may be part of it.
        let hasReference: Bool
    }

    private(set) var entries: [String: Entry] = [:]
    private(set) var problems: [SettingsProblem] = []

    /// - Parameter outside: the environment, for `${OTHER}`.
    init(parsing bytes: [UInt8], file: String, outside: Environment) {
        let text = Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
        var index = 0
        var line = 1
        while index < text.count {
            let start = SourceLocation(file: file, line: line, column: 1)
            let (statement, isComplete) = Self.statement(in: text, from: &index, line: &line)
            guard let (name, value, isLiteral) = statement else {
                if !isComplete {
                    problems.append(
                        SettingsProblem(
                            severity: .warning, key: nil, variable: nil, location: start,
                            what: "The line is no NAME=value.", remedy: "Correct it, or begin it with #."))
                }
                continue
            }
            let hasReference = !isLiteral && value.contains("${")
            let expanded = hasReference ? expand(value, outside: outside) : value
            // References to references double with each line.
            guard expanded.utf8.count <= SettingFile.maxBytes else {
                problems.append(
                    SettingsProblem(
                        severity: .error, key: nil, variable: name, location: start,
                        what: "With its references replaced, the value has more than \(SettingFile.maxBytes) bytes.",
                        remedy: "Write it without references."))
                continue
            }
            entries[name] = Entry(value: expanded, location: start, hasReference: hasReference)
        }
    }

    func find(_ name: String) -> (name: String, entry: Entry)? {
        if let entry = entries[name] { return (name, entry) }
        guard let other = entries.keys.filter({ $0.uppercased() == name.uppercased() }).min(),
            let entry = entries[other]
        else { return nil }
        return (other, entry)
    }

    /// One statement or blank line; `isComplete` is false for a line that can't be read.
    private static func statement(
        in text: [Unicode.Scalar], from index: inout Int, line: inout Int
    ) -> (statement: (name: String, value: String, isLiteral: Bool)?, isComplete: Bool) {
        func skipBlanks() { while index < text.count, text[index] == " " || text[index] == "\t" { index += 1 } }
        func restOfLine() -> String {
            var rest = String.UnicodeScalarView()
            while index < text.count, text[index] != "\n" {
                rest.append(text[index])
                index += 1
            }
            if index < text.count {
                index += 1
                line += 1
            }
            return String(rest).trimmed
        }
        skipBlanks()
        guard index < text.count, text[index] != "#", text[index] != "\n", text[index] != "\r" else {
            _ = restOfLine()
            return (nil, true)
        }
        var name = String.UnicodeScalarView()
        while index < text.count, text[index] != "=", text[index] != "\n", text[index] != "#" {
            name.append(text[index])
            index += 1
        }
        var key = String(name).trimmed
        if key.hasPrefix("export ") { key = key.dropFirst(7).trimmed }
        if key.hasPrefix("'"), key.hasSuffix("'"), key.count > 1 { key = String(key.dropFirst().dropLast()) }
        guard index < text.count, text[index] == "=", !key.isEmpty, !key.contains(" ") else {
            _ = restOfLine()
            return (nil, false)
        }
        index += 1
        skipBlanks()
        guard index < text.count, text[index] == "'" || text[index] == "\"" else {
            let value = restOfLine()
            // A comment begins after a blank, so that `#` can be part of a value.
            let comment = value.firstRange(of: " #") ?? value.firstRange(of: "\t#")
            let cut = value.hasPrefix("#") ? "" : comment.map { String(value[..<$0.lowerBound]) } ?? value
            return ((key, cut.trimmed, false), true)
        }
        let quote = text[index]
        var value = String.UnicodeScalarView()
        index += 1
        while index < text.count, text[index] != quote {
            if text[index] == "\n" { line += 1 }
            if text[index] == "\\", index + 1 < text.count {
                index += 1
                value.append(contentsOf: escaped(text[index], quote: quote))
            } else {
                value.append(text[index])
            }
            index += 1
        }
        let isClosed = index < text.count
        index += 1
        _ = restOfLine()
        return isClosed ? ((key, String(value), quote == "'"), true) : (nil, false)
    }

    private static func escaped(_ scalar: Unicode.Scalar, quote: Unicode.Scalar) -> [Unicode.Scalar] {
        switch (scalar, quote) {
        case ("\\", _), ("'", "'"), ("\"", "\""), ("'", "\""): [scalar]
        case ("n", "\""): ["\n"]
        case ("r", "\""): ["\r"]
        case ("t", "\""): ["\t"]
        default: ["\\", scalar]
        }
    }

    private func expand(_ value: String, outside: Environment) -> String {
        var result = ""
        var rest = value[...]
        while let start = rest.firstRange(of: "${"), let end = rest[start.upperBound...].firstIndex(of: "}") {
            result += rest[..<start.lowerBound]
            let reference = rest[start.upperBound..<end]
            let parts = reference.firstRange(of: ":-")
            let name = String(parts.map { reference[..<$0.lowerBound] } ?? reference)
            result +=
                outside.values[name] ?? entries[name]?.value ?? parts.map { String(reference[$0.upperBound...]) } ?? ""
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }
}
