// SPDX-License-Identifier: Apache-2.0

/// The help of a command, for a terminal of a given width.
struct CommandHelp {
    let root: Command
    let width: Int

    init(root: Command, width: Int = 80) {
        self.root = root
        self.width = max(40, min(width, 110))
    }

    /// - Parameter path: names of the subcommands that lead to it.
    func text(_ path: [String]) -> String {
        let (command, inherited) = Self.find(path, in: root)
        let name = ([root.name] + path).joined(separator: " ")
        var text = "\(name): \(command.summary)\n\nUsage:\n"
        for line in Self.usage(of: command, name) { text += "  \(line)\n" }
        if !command.aliases.isEmpty { text += "\nAlso called: \(command.aliases.joined(separator: ", "))\n" }
        if !command.discussion.isEmpty { text += "\n" + wrapped(command.discussion, indent: 0) }
        table("Commands", command.subcommands.map { ($0.name, $0.summary) }, into: &text)
        table("Arguments", command.positionals.map { ($0.name, Self.doc($0.doc, $0.choices)) }, into: &text)
        table("Options", (command.options + inherited).map(Self.row) + [("-h, --help", "Show this help.")], into: &text)
        if !command.examples.isEmpty {
            text += "\nExamples:\n"
            for example in command.examples {
                text += wrapped(example.meaning, indent: 2) + "      $ \(example.line)\n"
            }
        }
        if path.isEmpty {
            table("Exit status", ExitCode.allCases.map { ("\($0.rawValue)", $0.meaning) }, into: &text)
            text += "\n`\(root.name) help COMMAND` tells more about one command.\n"
        }
        return text
    }

    /// The command of a path, and the options it has from those above.
    static func find(_ path: [String], in root: Command) -> (command: Command, inherited: [Option]) {
        var command = root
        var inherited: [Option] = []
        for name in path {
            guard let next = command.subcommand(named: name) else { break }
            inherited = command.options + inherited
            command = next
        }
        return (command, inherited)
    }

    static func usage(of command: Command, _ name: String) -> [String] {
        var lines: [String] = []
        if command.run != nil {
            let words = command.positionals.map { positional in
                switch positional.arity {
                case .one: positional.name
                case .optional: "[\(positional.name)]"
                case .many: "[\(positional.name)…]"
                case .oneOrMore: "\(positional.name)…"
                }
            }
            lines.append((["\(name) [OPTIONS]"] + words).joined(separator: " "))
        }
        if !command.subcommands.isEmpty { lines.append("\(name) COMMAND …") }
        return lines
    }

    static func row(_ option: Option) -> (String, String) {
        let short = option.short.map { "-\($0), " } ?? "    "
        let value = option.value.map { " " + $0 } ?? ""
        return (
            "\(short)--\(option.name)\(value)",
            doc(option.doc, option.choices) + (option.isRepeatable ? " Repeatable." : "")
        )
    }

    private static func doc(_ doc: String, _ choices: [String]) -> String {
        choices.isEmpty ? doc : "\(doc) One of: \(choices.joined(separator: ", "))."
    }

    private func table(_ title: String, _ rows: [(String, String)], into text: inout String) {
        guard !rows.isEmpty else { return }
        text += "\n\(title):\n"
        let left = min(28, rows.map(\.0.count).max() ?? 0)
        for (name, doc) in rows {
            let lines = wrapped(doc, indent: left + 4)
            if name.count > left {
                text += "  \(name)\n\(lines)"
            } else {
                text += "  \(name)" + String(repeating: " ", count: left - name.count + 2) + lines.drop { $0 == " " }
            }
        }
    }

    private func wrapped(_ text: String, indent: Int) -> String {
        TextColumn(width: width).wrapped(text, indent: indent)
    }
}
