// SPDX-License-Identifier: Apache-2.0

import Base
import Settings

/// What a command line said, checked against the declaration of its command.
struct ParsedArguments: Sendable {
    /// `["dlq", "list"]`; empty for the program itself.
    let path: [String]
    let command: Command
    /// Options that commands above declare, too.
    let options: [Option]
    private(set) var words: [String] = []
    private var values: [String: [String]] = [:]

    init(path: [String], command: Command, options: [Option]) {
        self.path = path
        self.command = command
        self.options = options
    }

    /// Whether a switch or option was given.
    func isSet(_ option: Option) -> Bool { values[option.name] != nil }

    /// The value of an option; of a repeated one the last.
    subscript(_ option: Option) -> String? { values[option.name]?.last }

    func all(_ option: Option) -> [String] { values[option.name] ?? [] }

    /// The value as a number, duration, address…: any type that settings have.
    func value<Value: SettingValue>(_ option: Option, as _: Value.Type = Value.self) throws(UsageError) -> Value? {
        guard let text = self[option] else { return nil }
        do { return try Value(reading: .text(text)) } catch {
            throw UsageError(
                "“\(text)” for --\(option.name) \(error.what).",
                remedy: error.remedy ?? "Give \(Value.kind.expectation).", path: path)
        }
    }

    /// The words of a positional argument, in order; empty when it may be left out and was.
    subscript(_ positional: Positional) -> [String] {
        guard let index = command.positionals.firstIndex(where: { $0.name == positional.name }), index < words.count
        else { return [] }
        return switch positional.arity {
        case .one, .optional: [words[index]]
        case .many, .oneOrMore: Array(words[index...])
        }
    }

    mutating func append(_ value: String, to option: Option) { values[option.name, default: []].append(value) }
    mutating func append(word: String) { words.append(word) }
}

/// The command line is wrong. Exit status 2.
struct UsageError: ActionableError, Equatable {
    let what: String
    let remedy: String
    /// The command it was for.
    let path: [String]

    init(_ what: String, remedy: String, path: [String]) {
        self.what = what
        self.remedy = remedy
        self.path = path
    }

    var code: ErrorCode { "usage" }
    var isRetryable: Bool { false }
    var description: String { remedy.isEmpty ? what : "\(what) \(remedy)" }
}
