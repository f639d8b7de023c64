// SPDX-License-Identifier: Apache-2.0

/// One command, declared: parsing, help, completions and the reference page come from it.
struct Command: Sendable {
    let name: String
    var aliases: [String] = []
    /// One line for the list of commands.
    let summary: String
    /// Paragraphs for the help, plain text; blank lines separate them.
    var discussion = ""
    var examples: [Example] = []
    var options: [Option] = []
    /// In their order. Only the last one may be repeated.
    var positionals: [Positional] = []
    var subcommands: [Command] = []
    /// `nil` for a command that only groups others.
    var run: (@Sendable (ParsedArguments) async throws -> ExitCode)?

    struct Example: Sendable {
        let line: String
        let meaning: String
    }

    func subcommand(named name: String) -> Command? {
        subcommands.first { $0.name == name || $0.aliases.contains(name) }
    }
}

/// `--name`, with or without a value.
struct Option: Sendable {
    /// Long name without dashes.
    let name: String
    var short: Character?
    /// What the help calls the value, in capitals: `PATH`. `nil` for a switch.
    var value: String?
    let doc: String
    /// Allowed values; empty for any.
    var choices: [String] = []
    var isRepeatable = false
    var completion: Completion = .nothing
}

/// A word without dashes.
struct Positional: Sendable {
    /// In capitals: `VALUE`.
    let name: String
    let doc: String
    var arity: Arity = .one
    var choices: [String] = []
    var completion: Completion = .nothing

    enum Arity: Sendable {
        case one
        case optional
        /// Any number, none included.
        case many
        case oneOrMore
    }
}

/// What a shell offers for a value.
enum Completion: Sendable {
    case nothing
    case files
    case folders
}

/// Every exit status of this program; documented, so they never change.
enum ExitCode: Int32, Sendable, CaseIterable {
    case ok = 0
    case problemFound = 1
    case usage = 2
    case configuration = 3
    case remoteRefused = 4
    case interrupted = 5

    var meaning: String {
        switch self {
        case .ok: "all is well"
        case .problemFound: "the command worked and found a problem"
        case .usage: "the command line is wrong"
        case .configuration: "the settings are wrong"
        case .remoteRefused: "a remote system refused, or can't be reached"
        case .interrupted: "interrupted before the end"
        }
    }
}
