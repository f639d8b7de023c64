// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Settings
import Storage

extension Command {
    /// `sallyport dlq list|show|retry|discard`
    static let dlq: Command = {
        let id = Positional(name: "ID", doc: "Number of a dead letter, or `all`.", arity: .oneOrMore)
        return Command(
            name: "dlq", summary: "Look after dead letters: inputs that could not be handled.",
            discussion: """
                A running service picks up a retry within seconds. A letter that goes through disappears; one that fails \
                again stays, with one more attempt.
                """,
            options: ConfigurationChoice.options,
            subcommands: [
                Command(
                    name: "list", summary: "List them, the newest last.",
                    run: { arguments in
                        try await withStore(arguments, .reader) { store, names in
                            for letter in try await letters(in: store) {
                                let flow = names[letter.flow] ?? "?"
                                Console.write(
                                    arguments.isSet(CommandLineProgram.json)
                                        ? DeadLetterText.json(letter, flow: flow).text + "\n"
                                        : DeadLetterText.line(letter, flow: flow))
                            }
                            return .ok
                        }
                    }),
                Command(
                    name: "show", summary: "Show some of them whole, input included.", positionals: [id],
                    run: { arguments in
                        try await withStore(arguments, .reader) { store, names in
                            let chosen = try await choose(arguments[id], arguments.path, in: store)
                            for letter in chosen {
                                let flow = names[letter.flow] ?? "?"
                                if arguments.isSet(CommandLineProgram.json) {
                                    Console.write(DeadLetterText.json(letter, flow: flow, isWhole: true).text + "\n")
                                } else {
                                    Console.write(DeadLetterText.line(letter, flow: flow))
                                    Console.write(String(decoding: letter.input, as: UTF8.self) + "\n")
                                }
                            }
                            return chosen.isEmpty ? .problemFound : .ok
                        }
                    }),
                Command(
                    name: "retry", summary: "Have the service try some of them again.", positionals: [id],
                    run: { arguments in
                        try await withStore(arguments, .tool) { store, _ in
                            let ids = try await choose(arguments[id], arguments.path, in: store).map(\.id)
                            let count = try await store.markDeadLetters(ids: ids, retry: true)
                            return tell("will be tried again", count, arguments)
                        }
                    }),
                Command(
                    name: "discard", summary: "Delete some of them.", positionals: [id],
                    run: { arguments in
                        try await withStore(arguments, .tool) { store, _ in
                            let ids = try await choose(arguments[id], arguments.path, in: store).map(\.id)
                            let count = try await store.removeDeadLetters(ids: ids)
                            return tell("discarded", count, arguments)
                        }
                    }),
            ])
    }()

    private static func withStore(
        _ arguments: ParsedArguments, _ mode: SQLiteStore.Mode,
        _ body: (SQLiteStore, [Int64: String]) async throws -> ExitCode
    ) async throws -> ExitCode {
        let configuration = try ConfigurationChoice(arguments).read()
        let store = try await SQLiteStore.open(path: StateFolder(configuration.process).file, mode: mode)
        let names = try await store.names(in: .flow)
        let result = try await body(store, Dictionary(names.map { ($0.value, $0.key) }) { first, _ in first })
        await store.close()
        return result
    }

    private static func letters(in store: SQLiteStore) async throws -> [DeadLetter] {
        var all: [DeadLetter] = []
        var query = DeadLetterQuery()
        query.limit = 1000
        while true {
            let page = try await store.deadLetters(query)
            all += page
            guard page.count == query.limit, let last = page.last else { return all }
            query.after = last.id
        }
    }

    private static func choose(
        _ words: [String], _ path: [String], in store: SQLiteStore
    ) async throws -> [DeadLetter] {
        if words == ["all"] { return try await letters(in: store) }
        var query = DeadLetterQuery()
        query.ids = try words.map { word in
            guard let id = Int64(word) else {
                throw UsageError(
                    "“\(word)” is no number of a dead letter.", remedy: "`dlq list` shows them.", path: path)
            }
            return id
        }
        query.limit = words.count
        return try await store.deadLetters(query)
    }

    private static func tell(_ what: String, _ count: Int, _ arguments: ParsedArguments) -> ExitCode {
        if arguments.isSet(CommandLineProgram.json) {
            Console.write("{\"count\":\(count)}\n")
        } else {
            Console.write("\(count) dead letters \(what).\n")
        }
        return count == 0 ? .problemFound : .ok
    }
}

enum DeadLetterText {
    static func line(_ letter: DeadLetter, flow: String) -> String {
        "\(letter.id)  \(flow)  \(letter.position)  \(letter.code)  ×\(letter.attempts)  \(letter.lastSeen)  "
            + "\(letter.reason)\(letter.retryRequested ? "  (retry requested)" : "")\n"
    }

    static func json(_ letter: DeadLetter, flow: String, isWhole: Bool = false) -> JSONValue {
        var answer: JSONObject = [
            "kind": "dead_letter", "id": .int(Int(letter.id)), "flow": .string(flow),
            "event": .string(letter.position), "code": .string(letter.code), "reason": .string(letter.reason),
            "attempts": .int(letter.attempts), "first_seen": .string(letter.firstSeen.description),
            "last_seen": .string(letter.lastSeen.description), "retry_requested": .bool(letter.retryRequested),
        ]
        if isWhole { answer["input"] = .string(String(decoding: letter.input, as: UTF8.self)) }
        return .object(answer)
    }
}
