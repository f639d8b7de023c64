// SPDX-License-Identifier: Apache-2.0

import Settings

/// Finds the command and takes the words apart.
///
/// `--name value`, `--name=value`, `-n value`, `-nvalue`, switches together (`-ab`), options before or after words,
/// options of a command also after its subcommands, `--` before words that begin with a dash; `-` alone is a word.
struct ArgumentParser {
    let root: Command

    enum Outcome {
        case run(ParsedArguments)
        /// `--help` or `help`, of this command.
        case help([String])
    }

    func parse(_ arguments: [String]) throws(UsageError) -> Outcome {
        var path: [String] = []
        var command = root
        var options = root.options
        // Options are read once the whole command is known, since `--json` may stand before its name.
        var given: [Token] = []
        var isLiteral = false
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            index += 1
            if isLiteral || argument == "-" || !argument.hasPrefix("-") {
                if !isLiteral, !given.contains(where: \.isWord), let next = command.subcommand(named: argument) {
                    command = next
                    path.append(next.name)
                    options += next.options
                } else if !isLiteral, path.isEmpty, argument == "help", command.run == nil {
                    return .help(try helpPath(arguments[index...].filter { !$0.hasPrefix("-") }))
                } else {
                    given.append(.word(argument))
                }
                continue
            }
            if argument == "--" {
                isLiteral = true
                continue
            }
            if argument == "--help" || argument == "-h" {
                let rest = arguments[index...].filter { !$0.hasPrefix("-") }
                return .help((try? helpPath(path + rest)) ?? path)
            }
            try read(argument, readable(command, options), path, into: &given) {
                guard index < arguments.count else { return nil }
                index += 1
                return arguments[index - 1]
            }
        }
        if command.run == nil {
            if case .word(let word)? = given.first(where: \.isWord) { throw unknown(word, in: command, path) }
            guard path.isEmpty, given.isEmpty else {
                throw UsageError(
                    "\(name(path)) needs a subcommand.",
                    remedy: "One of: \(command.subcommands.map(\.name).joined(separator: ", ")).", path: path)
            }
            return .help(path)
        }
        return .run(try check(given, ParsedArguments(path: path, command: command, options: options)))
    }

    private enum Token {
        case word(String)
        case option(Option, String, written: String)
        var isWord: Bool { if case .word = self { true } else { false } }
    }

    /// While the command is still being found, options of any command below are readable; ``check(_:_:)`` refuses those
    /// that turn out not to be its own.
    private func readable(_ command: Command, _ own: [Option]) -> [Option] {
        own + command.subcommands.flatMap { readable($0, $0.options) }
    }

    private func read(
        _ argument: String, _ options: [Option], _ path: [String], into given: inout [Token], next: () -> String?
    ) throws(UsageError) {
        func value(of option: Option, _ written: String) throws(UsageError) -> String {
            guard let value = next() else {
                throw UsageError(
                    "\(written) needs a value.", remedy: "Write \(written) \(option.value ?? "VALUE").", path: path)
            }
            return value
        }
        if argument.hasPrefix("--") {
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard let option = options.first(where: { $0.name == name }) else {
                let near = nearestName(to: name, among: options.map(\.name))
                throw UsageError(
                    "There is no option --\(name).", remedy: near.map { "Did you mean --\($0)?" } ?? "", path: path)
            }
            if option.value == nil {
                guard parts.count == 1 else {
                    throw UsageError("--\(name) takes no value.", remedy: "Write --\(name) alone.", path: path)
                }
                given.append(.option(option, "", written: "--\(name)"))
            } else {
                let text = try parts.count == 2 ? String(parts[1]) : value(of: option, "--\(name)")
                given.append(.option(option, text, written: "--\(name)"))
            }
            return
        }
        var letters = argument.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = options.first(where: { $0.short == letter }) else {
                throw UsageError("There is no option -\(letter).", remedy: "", path: path)
            }
            if option.value == nil {
                given.append(.option(option, "", written: "-\(letter)"))
            } else {
                let text = try letters.isEmpty ? value(of: option, "-\(letter)") : String(letters)
                given.append(.option(option, text, written: "-\(letter)"))
                return
            }
        }
    }

    private func check(_ given: [Token], _ start: ParsedArguments) throws(UsageError) -> ParsedArguments {
        var parsed = start
        let (path, command) = (start.path, start.command)
        for token in given {
            switch token {
            case .word(let word): parsed.append(word: word)
            case .option(let option, let value, let written):
                guard parsed.options.contains(where: { $0.name == option.name }) else {
                    let near = nearestName(to: option.name, among: parsed.options.map(\.name))
                    throw UsageError(
                        "\(name(path)) has no option \(written).", remedy: near.map { "Did you mean --\($0)?" } ?? "",
                        path: path)
                }
                if parsed.isSet(option), option.value != nil, !option.isRepeatable {
                    throw UsageError("\(written) is given twice.", remedy: "Keep one of them.", path: path)
                }
                try check(value, option.value == nil ? [] : option.choices, for: written, path)
                parsed.append(value, to: option)
            }
        }
        for (index, positional) in command.positionals.enumerated() where index >= parsed.words.count {
            if positional.arity == .one || positional.arity == .oneOrMore {
                throw UsageError("\(positional.name) is missing.", remedy: positional.doc, path: path)
            }
        }
        let takesMore = command.positionals.last.map { $0.arity == .many || $0.arity == .oneOrMore } ?? false
        if parsed.words.count > command.positionals.count, !takesMore {
            throw UsageError(
                "“\(parsed.words[command.positionals.count])” is more than \(name(path)) takes.",
                remedy: "Leave it out, or quote words that belong together.", path: path)
        }
        for (index, word) in parsed.words.enumerated() {
            let positional = command.positionals[min(index, command.positionals.count - 1)]
            try check(word, positional.choices, for: positional.name, path)
        }
        return parsed
    }

    private func check(
        _ value: String, _ choices: [String], for name: String, _ path: [String]
    ) throws(UsageError) {
        guard !choices.isEmpty, !choices.contains(value) else { return }
        let near = nearestName(to: value, among: choices)
        throw UsageError(
            "“\(value)” is not allowed for \(name).",
            remedy: near.map { "Did you mean \($0)?" } ?? "Allowed: \(choices.joined(separator: ", ")).", path: path)
    }

    /// The path of the command that `help WORD…` asks for.
    private func helpPath(_ words: [String]) throws(UsageError) -> [String] {
        var path: [String] = []
        var command = root
        for word in words {
            guard let next = command.subcommand(named: word) else {
                if !command.subcommands.isEmpty { throw unknown(word, in: command, path) }
                return path
            }
            path.append(next.name)
            command = next
        }
        return path
    }

    private func unknown(_ word: String, in command: Command, _ path: [String]) -> UsageError {
        let names = command.subcommands.flatMap { [$0.name] + $0.aliases }
        let near = nearestName(to: word, among: names)
        return UsageError(
            "There is no command “\((path + [word]).joined(separator: " "))”.",
            remedy: near.map { "Did you mean “\($0)”?" } ?? "", path: path)
    }

    private func name(_ path: [String]) -> String { ([root.name] + path).joined(separator: " ") }
}
