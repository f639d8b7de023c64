// SPDX-License-Identifier: Apache-2.0

import Engine
import JSON
import Settings
import Synchronization

extension Command {
    /// `sallyport plan [NAME]`
    static let plan: Command = {
        let name = Positional(name: "NAME", doc: "The connector to replace; the same as --connector.", arity: .optional)
        return Command(
            name: "plan", summary: "Say what `run` would change at the target, and change nothing.",
            discussion: """
                Reads the source from where the service stands (from the beginning without a state) until it has caught up, \
                on a scratch copy of the state. Works beside a running service.
                """,
            examples: [
                .init(line: "sallyport plan --connector opencti-crowdstrike", meaning: "Before the first start:"),
                .init(line: "sallyport plan --json | jq -r .action | sort | uniq -c", meaning: "Counted:"),
            ],
            options: ConfigurationChoice.options, positionals: [name],
            run: { arguments in
                let choice = try ConfigurationChoice(arguments, name: arguments[name].first)
                return try await plan(choice.read(), isJSON: arguments.isSet(CommandLineProgram.json))
            })
    }()

    private static func plan(_ configuration: Configuration, isJSON: Bool) async throws -> ExitCode {
        let signals = Signals()
        for flow in configuration.flows {
            let counts = Mutex<[String: Int]>([:])
            let accounting = try await Offline.withScratchState(flow, configuration) { connector in
                try await connector.plan(
                    { change in
                        counts.withLock { $0[change.action, default: 0] += 1 }
                        Console.write(line(change, flow: flow.name, isJSON: isJSON))
                    }, until: signals.stop)
            }
            guard !isJSON else { continue }
            let changes = counts.withLock { $0 }.sorted { $0.key < $1.key }
            let outcomes = Outcome.allCases.filter { accounting.items[$0] > 0 }
            Console.write(
                "\(flow.name): \(accounting.itemsRead) items read; "
                    + (changes.isEmpty
                        ? "nothing to change" : changes.map { "\($0.value) × \($0.key)" }.joined(separator: ", "))
                    + "; items: " + outcomes.map { "\(accounting.items[$0]) \($0)" }.joined(separator: ", ") + "\n")
        }
        return signals.stop.isRaised ? .interrupted : .ok
    }

    private static func line(_ change: PlannedChange, flow: String, isJSON: Bool) -> String {
        guard isJSON else {
            let detail = change.detail.filter { $0.field != "type" && $0.field != "value" }
                .map { "\($0.field)=\($0.text)" }.joined(separator: " ")
            return
                "\(change.action)  \(change.subject)  \(detail)\(change.reason.isEmpty ? "" : "  (\(change.reason))")\n"
        }
        var detail: JSONObject = [:]
        for (field, text) in change.detail { detail[field] = .string(text) }
        let answer: JSONValue = [
            "flow": .string(flow), "action": .string(change.action), "subject": .string(change.subject),
            "detail": .object(detail), "reason": .string(change.reason),
        ]
        return answer.text + "\n"
    }
}
