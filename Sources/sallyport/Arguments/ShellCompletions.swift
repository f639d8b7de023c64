// SPDX-License-Identifier: Apache-2.0

/// Scripts that complete commands, options and their values, generated from the declarations.
enum ShellCompletions {
    static let shells = ["bash", "zsh", "fish"]

    /// - Parameter shell: one of ``shells``.
    static func script(for shell: String, _ root: Command) -> String? {
        switch shell {
        case "bash": WalkingCompletion(dialect: .bash, root: root).script
        case "zsh": WalkingCompletion(dialect: .zsh, root: root).script
        case "fish": FishCompletion(root: root).script
        default: nil
        }
    }

    /// A command with its path and all options it takes.
    struct Entry {
        let path: [String]
        let command: Command
        let options: [Option]
    }

    static func entries(_ command: Command, path: [String] = [], inherited: [Option] = []) -> [Entry] {
        let options = command.options + inherited
        return [Entry(path: path, command: command, options: options)]
            + command.subcommands.flatMap { entries($0, path: path + [$0.name], inherited: options) }
    }
}

/// bash and zsh: one function that walks the words to find the command, then offers what fits the word at the cursor.
struct WalkingCompletion {
    enum Dialect {
        case bash
        case zsh
    }

    let dialect: Dialect
    let root: Command

    var script: String {
        let entries = ShellCompletions.entries(root)
        let body = """
                case "$route" in
            \(entries.map(offers).joined())    esac
            """
        let steps = entries.map(steps).joined()
        return switch dialect {
        case .bash:
            """
            # bash completion of \(root.name). Put it into /etc/bash_completion.d/\(root.name), or: source <(\(root.name) completions bash)
            _\(root.name)() {
                local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" route="" index
                COMPREPLY=()
                for ((index = 1; index < COMP_CWORD; index++)); do
                    case "$route:${COMP_WORDS[index]}" in
            \(steps)        esac
                done
            \(body)
            }
            complete -F _\(root.name) \(root.name)

            """
        case .zsh:
            """
            #compdef \(root.name)
            # zsh completion of \(root.name). Put it as _\(root.name) into a folder of $fpath, or: source <(\(root.name) completions zsh)
            _\(root.name)() {
                local current="${words[CURRENT]}" previous="${words[CURRENT-1]}" route="" index
                local -a offers
                for ((index = 2; index < CURRENT; index++)); do
                    case "$route:${words[index]}" in
            \(steps)        esac
                done
            \(body)
            }
            if [ "$funcstack[1]" = "_\(root.name)" ]; then _\(root.name) "$@"; else compdef _\(root.name) \(root.name); fi

            """
        }
    }

    /// Which word leads from a command to which.
    private func steps(_ entry: ShellCompletions.Entry) -> String {
        let here = entry.path.joined(separator: " ")
        return entry.command.subcommands.map { sub in
            let words = ([sub.name] + sub.aliases).map { "\"\(here):\($0)\"" }.joined(separator: "|")
            return "            \(words)) route=\"\((entry.path + [sub.name]).joined(separator: " "))\" ;;\n"
        }.joined()
    }

    private func offers(_ entry: ShellCompletions.Entry) -> String {
        var values = ""
        for option in entry.options where option.value != nil {
            let names = ["--\(option.name)"] + (option.short.map { ["-\($0)"] } ?? [])
            let offer = offer(option.choices.map { ($0, "") }, option.completion)
            values += "                \(names.joined(separator: "|"))) \(offer); return ;;\n"
        }
        let switches = values.isEmpty ? "" : "            case \"$previous\" in\n\(values)            esac\n"
        let options =
            entry.options.flatMap { option in
                [("--\(option.name)", option.doc)] + (option.short.map { [("-\($0)", option.doc)] } ?? [])
            } + [("--help", "Show the help.")]
        let positional = entry.command.positionals.first
        let words =
            entry.command.subcommands.map { ($0.name, $0.summary) } + (positional?.choices ?? []).map { ($0, "") }
        return """
                "\(entry.path.joined(separator: " "))")
            \(switches)            case "$current" in
                        -*) \(offer(options, .nothing)) ;;
                        *) \(offer(words, positional?.completion ?? .nothing)) ;;
                    esac ;;

            """
    }

    private func offer(_ words: [(name: String, doc: String)], _ completion: Completion) -> String {
        switch (dialect, completion) {
        case (.bash, .files): return "COMPREPLY=($(compgen -f -- \"$current\"))"
        case (.bash, .folders): return "COMPREPLY=($(compgen -d -- \"$current\"))"
        case (.bash, .nothing):
            return "COMPREPLY=($(compgen -W \"\(words.map(\.name).joined(separator: " "))\" -- \"$current\"))"
        case (.zsh, .files): return "_files"
        case (.zsh, .folders): return "_files -/"
        case (.zsh, .nothing):
            // In a description for `_describe` a colon separates; in the shell's text a quote would end it.
            let described = words.map { word in
                let doc = word.doc.replacing("'", with: "’").replacing(":", with: "\\:")
                return doc.isEmpty ? "'\(word.name)'" : "'\(word.name):\(doc)'"
            }
            return "offers=(\(described.joined(separator: " "))); _describe -o value offers"
        }
    }
}

/// fish: one line for each thing to offer, with the condition under which it fits.
struct FishCompletion {
    let root: Command

    var script: String {
        var text = "# fish completion of \(root.name). Put it into ~/.config/fish/completions/\(root.name).fish\n"
        text += "complete -c \(root.name) -f\n"
        for entry in ShellCompletions.entries(root) {
            let seen = entry.path.map { "__fish_seen_subcommand_from \($0)" }
            let names = entry.command.subcommands.flatMap { [$0.name] + $0.aliases }
            let open = names.isEmpty ? [] : ["not __fish_seen_subcommand_from \(names.joined(separator: " "))"]
            for sub in entry.command.subcommands {
                text += line(seen + open, "-a \(sub.name)", sub.summary)
            }
            for option in entry.command.options {
                let short = option.short.map { "-s \($0) " } ?? ""
                let value = option.value == nil ? "" : " " + self.value(option.choices, option.completion)
                text += line(seen, "\(short)-l \(option.name)\(value)", option.doc)
            }
            guard let positional = entry.command.positionals.first else { continue }
            switch positional.completion {
            case .files, .folders: text += line(seen + open, "-F", positional.doc)
            case .nothing where !positional.choices.isEmpty:
                text += line(seen + open, "-a '\(positional.choices.joined(separator: " "))'", positional.doc)
            case .nothing: break
            }
        }
        return text + line([], "-s h -l help", "Show the help.")
    }

    private func line(_ conditions: [String], _ what: String, _ doc: String) -> String {
        let condition = conditions.isEmpty ? "" : " -n '\(conditions.joined(separator: "; and "))'"
        let doc = doc.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
        return "complete -c \(root.name)\(condition) \(what) -d '\(doc)'\n"
    }

    private func value(_ choices: [String], _ completion: Completion) -> String {
        switch completion {
        case .files: "-r -F"
        case .folders: "-x -a '(__fish_complete_directories)'"
        case .nothing: choices.isEmpty ? "-x" : "-x -a '\(choices.joined(separator: " "))'"
        }
    }
}
