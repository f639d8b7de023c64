// SPDX-License-Identifier: Apache-2.0

/// `docs/reference/command-line.md`: every command with its options, in Markdown.
enum CommandReference {
    static func markdown(_ root: Command) -> String {
        var text = """
            # Command line

            Generated from the declarations of the program; do not edit.

            \(root.discussion)

            | exit status | meaning |
            | --- | --- |

            """
        for code in ExitCode.allCases { text += "| \(code.rawValue) | \(code.meaning) |\n" }
        if !root.options.isEmpty {
            text += "\nEvery command takes:\n\n" + options(root.options)
        }
        for command in root.subcommands { append(command, path: [root.name], into: &text) }
        return text
    }

    private static func append(_ command: Command, path: [String], into text: inout String) {
        let path = path + [command.name]
        text += "\n\(String(repeating: "#", count: path.count)) \(path.joined(separator: " "))\n\n\(command.summary)\n"
        text += "\n```\n\(CommandHelp.usage(of: command, path.joined(separator: " ")).joined(separator: "\n"))\n```\n"
        if !command.aliases.isEmpty { text += "\nAlso called: \(command.aliases.joined(separator: ", ")).\n" }
        if !command.discussion.isEmpty { text += "\n\(command.discussion)\n" }
        if !command.positionals.isEmpty {
            text += "\n| argument | meaning |\n| --- | --- |\n"
            for positional in command.positionals {
                text += "| `\(positional.name)` | \(cell(positional.doc, positional.choices)) |\n"
            }
        }
        if !command.options.isEmpty { text += "\n" + options(command.options) }
        if !command.examples.isEmpty {
            text += "\n```console\n"
            for example in command.examples { text += "# \(example.meaning)\n$ \(example.line)\n" }
            text += "```\n"
        }
        for subcommand in command.subcommands { append(subcommand, path: path, into: &text) }
    }

    private static func options(_ options: [Option]) -> String {
        var text = "| option | meaning |\n| --- | --- |\n"
        for option in options {
            let short = option.short.map { "`-\($0)`, " } ?? ""
            let value = option.value.map { " \($0)" } ?? ""
            text += "| \(short)`--\(option.name)\(value)` | \(cell(option.doc, option.choices)) |\n"
        }
        return text
    }

    private static func cell(_ doc: String, _ choices: [String]) -> String {
        let doc = doc.replacing("|", with: "\\|")
        return choices.isEmpty ? doc : "\(doc) One of: \(choices.map { "`\($0)`" }.joined(separator: ", "))."
    }
}
