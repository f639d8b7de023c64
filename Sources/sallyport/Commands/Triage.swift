// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import JSON
import SandboxTriage
import Settings
import Storage
import Telemetry

extension Command {
    /// `sallyport triage SHA256`
    static let triage: Command = {
        let hash = Positional(name: "SHA256", doc: "The sample, by its SHA-256.")
        let isRehearsal = Option(
            name: "dry-run", doc: "Say what would be done; submit and change nothing.")
        return Command(
            name: "triage", summary: "Give one sample to VMRay, and tell Falcon what it found.",
            discussion: """
                Takes the settings of the connector vmray from the environment (CROWDSTRIKE_CLIENT_ID, VMRAY_API_KEY and \
                so on), or with --config from the first such flow of a sallyport.yaml. Every alert and quarantined file of \
                the sample is told, whenever it was found. The state is that of the service, so nothing is done twice: a \
                running service is asked to do it, by its own settings, and followed; it goes on when the command is \
                interrupted. Exit status 1: the sample was not brought to its end; 3: the settings are wrong; 4: Falcon or \
                VMRay refuses or can't be reached.
                """,
            examples: [
                .init(
                    line: "sallyport triage 275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f",
                    meaning: "The EICAR test file:")
            ],
            options: [ConfigurationChoice.file, ConfigurationChoice.set, isRehearsal], positionals: [hash],
            run: { arguments in
                let wanted = arguments[hash][0].lowercased()
                guard SandboxTriageConnector.canTriage(wanted) else {
                    throw UsageError(
                        "“\(arguments[hash][0])” is no SHA-256.", remedy: "Give 64 hexadecimal digits.",
                        path: arguments.path)
                }
                let (flow, configuration) = try configuration(arguments)
                let command = TriageCommand(
                    isJSON: arguments.isSet(CommandLineProgram.json), isRehearsal: arguments.isSet(isRehearsal))
                return try await command.run(wanted, flow, configuration)
            })
    }()

    private static func configuration(
        _ arguments: ParsedArguments
    ) throws -> (FlowConfiguration, Configuration) {
        let declaration = SandboxTriageConnector.declaration
        let choice =
            arguments.isSet(ConfigurationChoice.file)
            ? try ConfigurationChoice(arguments) : try ConfigurationChoice(arguments, name: declaration.name)
        let configuration = try choice.read()
        guard let flow = configuration.flows.first(where: { $0.connector.name == declaration.name }) else {
            throw UsageError("No flow there has the connector \(declaration.name).", remedy: "", path: arguments.path)
        }
        return (flow, configuration)
    }
}

private struct TriageCommand {
    let isJSON: Bool
    let isRehearsal: Bool

    func run(_ sha256: String, _ flow: FlowConfiguration, _ configuration: Configuration) async throws -> ExitCode {
        let signals = Signals()
        let isDry = isRehearsal || SandboxTriageConnector.isDryRun(flow.settings)
        do {
            let report: SandboxTriageConnector.Report?
            if isDry {
                report = try await Offline.withScratchState(flow, configuration) { connector in
                    try await triage(sha256, connector, signals.stop, planned: { show($0) })
                }
            } else {
                do {
                    report = try await with(.owner, flow, configuration) { connector, _ in
                        try await triage(sha256, connector, signals.stop, planned: nil)
                    }
                } catch StorageError.locked {
                    report = try await with(.tool, flow, configuration) { connector, store in
                        try await connector.follow(sha256, in: store, until: signals.stop, progress: show)
                    }
                }
            }
            if signals.stop.isRaised { return .interrupted }
            guard let report else { return .ok }
            show(report)
            return report.isFailure ? .problemFound : .ok
        } catch let error as StorageError {
            throw error
        } catch let error as any ActionableError {
            Console.complain(error, isJSON: isJSON)
            if error is RequestError { return .problemFound }
            return error is ConnectorError ? .configuration : .remoteRefused
        }
    }

    /// The connector over the state itself: as its owner, or beside the service that is.
    private func with(
        _ mode: SQLiteStore.Mode, _ flow: FlowConfiguration, _ configuration: Configuration,
        _ body: (SandboxTriageConnector, SQLiteStore) async throws -> SandboxTriageConnector.Report?
    ) async throws -> SandboxTriageConnector.Report? {
        let store = try await SQLiteStore.open(path: StateFolder(configuration.process).file, mode: mode)
        var result: Result<SandboxTriageConnector.Report?, any Error> = .success(nil)
        do {
            if let connector = try Offline.connector(flow, configuration, store: store) as? SandboxTriageConnector {
                result = .success(try await body(connector, store))
            }
        } catch { result = .failure(error) }
        await store.close()
        return try result.get()
    }

    private func triage(
        _ sha256: String, _ connector: any Connector, _ stop: StopSignal,
        planned: (@Sendable (PlannedChange) -> Void)?
    ) async throws -> SandboxTriageConnector.Report? {
        guard let connector = connector as? SandboxTriageConnector else { return nil }
        return try await connector.triage(sha256, planned: planned, until: stop, progress: show)
    }

    @Sendable
    private func show(_ step: String, _ detail: String) {
        if isJSON {
            let line: JSONValue = ["step": .string(step), "detail": .string(detail)]
            Console.write(line.text + "\n")
        } else {
            Console.write(step + String(repeating: " ", count: max(1, 10 - step.count)) + detail + "\n")
        }
    }

    private func show(_ change: PlannedChange) {
        let detail = change.detail.map { "\($0.field) \($0.text)" }.joined(separator: " ")
        if isJSON {
            let line: JSONValue = [
                "would": .string(change.action), "detail": .string(detail), "reason": .string(change.reason),
            ]
            Console.write(line.text + "\n")
        } else {
            Console.write(
                "would     \(change.action) \(detail)\(change.reason.isEmpty ? "" : "  (\(change.reason))")\n")
        }
    }

    private func show(_ report: SandboxTriageConnector.Report) {
        if isJSON {
            var effects: JSONObject = [:]
            for (subject, state) in report.effects { effects[subject] = .string(state) }
            let answer: JSONValue = [
                "sha256": .string(report.sha256), "outcome": .string(report.outcome), "report": .string(report.link),
                "effects": .object(effects),
            ]
            Console.write(answer.text + "\n")
            return
        }
        Console.write("\n\(report.outcome)  \(report.explanation)\n")
        if !report.link.isEmpty { Console.write("report  \(report.link)\n") }
        for (subject, state) in report.effects { Console.write("  \(subject)  \(state)\n") }
    }
}
