// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import JSON
import Settings
import Storage

extension Command {
    /// `sallyport explain VALUE|STIX-ID`
    static let explain: Command = {
        let subject = Positional(
            name: "VALUE|ID|CODE", doc: "A value (domain, address, hash), a STIX id, an internal id, or a code.")
        return Command(
            name: "explain", summary: "Tell what became of a value or an indicator, and why.",
            discussion: """
                Shows the ledger (who wants the value, what the target was last told, its id there) and the history: each \
                event, decision and outcome. Works beside a running service. A code of a log line, a dead letter or a reason \
                is explained from the reference.
                """,
            examples: [
                .init(line: "sallyport explain evil.example", meaning: "A value:"),
                .init(
                    line: "sallyport explain indicator--4d0cd89a-b3ad-5473-aa56-c07f9c554f90",
                    meaning: "An indicator:"),
                .init(line: "sallyport explain falcon.rate_limit", meaning: "What a log line means, and what to do:"),
            ],
            options: ConfigurationChoice.options, positionals: [subject],
            run: { arguments in
                let isJSON = arguments.isSet(CommandLineProgram.json)
                if let code = CodeReference.entry(for: arguments[subject][0]) { return show(code, isJSON: isJSON) }
                let choice = try ConfigurationChoice(arguments)
                return try await ExplainCommand(isJSON: isJSON)
                    .run(arguments[subject][0], try choice.read())
            })
    }()

    private static func show(_ code: CodeReference, isJSON: Bool) -> ExitCode {
        if isJSON {
            let answer: JSONValue = [
                "code": .string(code.code), "meaning": .string(code.meaning), "remedy": .string(code.remedy),
            ]
            Console.write(answer.text + "\n")
        } else {
            Console.write("\(code.code): \(code.meaning)\n\(code.remedy.isEmpty ? "" : "  " + code.remedy + "\n")")
        }
        return .ok
    }
}

private struct ExplainCommand {
    let isJSON: Bool

    func run(_ subject: String, _ configuration: Configuration) async throws -> ExitCode {
        let store = try await SQLiteStore.open(path: StateFolder(configuration.process).file, mode: .reader)
        var isKnown = false
        var hints: [String] = []
        for flow in configuration.flows {
            let connector = try Offline.connector(flow, configuration, store: store)
            if let text = connector.explanation { hints.append("\(flow.name): \(text)") }
            isKnown = try await explain(subject, flow.name, connector, store) || isKnown
        }
        await store.close()
        if !isKnown, !isJSON {
            Console.write("Nothing is known of “\(subject)”.\n")
            for hint in hints { Console.write("  \(hint)\n") }
        }
        return isKnown ? .ok : .problemFound
    }

    private func explain(
        _ subject: String, _ flow: String, _ connector: any Connector, _ store: SQLiteStore
    ) async throws -> Bool {
        guard let flowNumber = try await store.names(in: .flow)[connector.flowName] else { return false }
        let target = try await store.names(in: .target)[connector.targetName] ?? 0
        let keys = connector.keys(of: subject)
        let source = try await connector.source(of: subject)
        var query = HistoryQuery()
        query.flow = flowNumber
        query.keys = keys
        query.sources = source.map { [$0] } ?? []
        guard !query.keys.isEmpty || !query.sources.isEmpty else { return false }
        let entries = try await store.lookUp(
            LedgerQuery(target: target, flow: flowNumber, sources: query.sources, keys: keys))
        let history = try await store.history(query)
        var letters = DeadLetterQuery()
        letters.flow = flowNumber
        let buried = try await store.deadLetters(letters).filter { $0.source == source }
        for entry in entries { show(entry, flow, connector) }
        for record in history { show(record, flow) }
        for letter in buried { show(letter, flow) }
        return !entries.isEmpty || !history.isEmpty || !buried.isEmpty
    }

    private func show(_ entry: LedgerEntry, _ flow: String, _ connector: any Connector) {
        let owners: [JSONValue] = entry.owners.map { owner in
            var wants: JSONObject = [:]
            for (field, text) in connector.describe(owner.contribution) { wants[field] = .string(text) }
            return [
                "source": .string(owner.source.uuidDescription), "since": .string(owner.event.description),
                "wants": .object(wants),
            ]
        }
        if isJSON {
            let answer: JSONValue = [
                "kind": "entry", "flow": .string(flow), "state": .string("\(entry.state)"),
                "remote_id": .string(entry.remoteID), "owners": .array(owners),
            ]
            Console.write(answer.text + "\n")
            return
        }
        Console.write(
            "\(flow): \(entry.state) at the target, id \(entry.remoteID.isEmpty ? "unknown" : entry.remoteID)\n")
        if entry.owners.isEmpty { Console.write("  wanted by nobody that we know of\n") }
        for owner in entry.owners {
            let wants = connector.describe(owner.contribution).map { "\($0.field)=\($0.text)" }.joined(separator: " ")
            Console.write("  wanted by \(owner.source.uuidDescription) since \(owner.event): \(wants)\n")
        }
    }

    private func show(_ record: HistoryRecord, _ flow: String) {
        if isJSON {
            let answer: JSONValue = [
                "kind": "history", "flow": .string(flow), "at": .string(record.at.description),
                "source": .string(record.source.uuidDescription), "event": .string(record.position),
                "outcome": .string(record.outcome), "reason": .string(record.reason),
                "remote_id": .string(record.remoteID),
            ]
            Console.write(answer.text + "\n")
        } else {
            let id = record.remoteID.isEmpty ? "" : "  id \(record.remoteID)"
            Console.write("  \(record.at)  \(record.position)  \(record.outcome)  \(record.reason)\(id)\n")
        }
    }

    private func show(_ letter: DeadLetter, _ flow: String) {
        if isJSON {
            Console.write(DeadLetterText.json(letter, flow: flow).text + "\n")
        } else {
            Console.write("  dead letter \(letter.id): \(letter.code): \(letter.reason)\n")
        }
    }
}
