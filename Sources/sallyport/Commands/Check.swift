// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import JSON
import Settings
import Storage
import Synchronization
import Telemetry

extension Command {
    /// `sallyport check [NAME]`
    static let check: Command = {
        let name = Positional(name: "NAME", doc: "The connector to replace; the same as --connector.", arity: .optional)
        let offline = Option(name: "offline", doc: "Settings and state only: connect to nothing.")
        return Command(
            name: "check",
            summary: "Look whether settings, connections, permissions and the live stream's filters are right.",
            discussion: """
                Reads only. Exit status 3: the settings are wrong; 4: a remote system refuses or can't be reached; 1: a \
                problem here.
                """,
            examples: [.init(line: "sallyport check opencti-crowdstrike", meaning: "Before a drop-in is started:")],
            options: ConfigurationChoice.options + [offline], positionals: [name],
            run: { arguments in
                let choice = try ConfigurationChoice(arguments, name: arguments[name].first)
                return try await CheckCommand(
                    isJSON: arguments.isSet(CommandLineProgram.json), isOffline: arguments.isSet(offline)
                ).run(choice)
            })
    }()
}

private struct CheckCommand {
    let isJSON: Bool
    let isOffline: Bool

    func run(_ choice: ConfigurationChoice) async throws -> ExitCode {
        let configuration: Configuration
        do { configuration = try choice.read() } catch {
            for problem in error.problems {
                show("settings", CheckLine(problem.severity == .error ? .problem : .warning, "settings", "\(problem)"))
            }
            return .configuration
        }
        for warning in configuration.warnings { show("settings", CheckLine(.warning, "settings", "\(warning)")) }
        show("settings", CheckLine(.ok, "settings", "The settings are valid (\(configuration.flows.count) flows)."))
        var worst = ExitCode.ok
        worst = worse(worst, await checkState(configuration))
        guard !isOffline else { return worst }
        for flow in configuration.flows {
            let verdict = Mutex(ExitCode.ok)
            try await Offline.withConnector(flow, configuration) { connector in
                await connector.check { line in
                    show(flow.name, line)
                    guard line.verdict == .problem else { return }
                    verdict.withLock { $0 = worse($0, line.isRemote ? .remoteRefused : .problemFound) }
                }
            }
            worst = worse(worst, verdict.withLock { $0 })
        }
        return worst
    }

    private func checkState(_ configuration: Configuration) async -> ExitCode {
        let folder = StateFolder(configuration.process)
        if folder.isEphemeral {
            show(
                "state",
                CheckLine(.warning, "state.folder", "\(folder.path) does not outlive this container: give it a volume.")
            )
        }
        guard folder.exists else {
            show("state", CheckLine(.ok, "state", "No state yet in \(folder.path); the first start makes it."))
            return .ok
        }
        do {
            let store = try await SQLiteStore.open(path: folder.file, mode: .reader)
            // Every page: about five seconds per million keys, beside a running service.
            try await store.checkIntegrity()
            let facts = try await store.facts()
            await store.close()
            show("state", CheckLine(.ok, "state", "\(folder.file), schema \(facts["user_version"] ?? "?"), whole."))
            return .ok
        } catch {
            show("state", CheckLine(.problem, error.code.text, error.description))
            return .problemFound
        }
    }

    private func worse(_ left: ExitCode, _ right: ExitCode) -> ExitCode {
        let order: [ExitCode] = [.ok, .problemFound, .remoteRefused, .configuration]
        return (order.firstIndex(of: left) ?? 0) >= (order.firstIndex(of: right) ?? 0) ? left : right
    }

    private func show(_ flow: String, _ line: CheckLine) {
        if isJSON {
            let answer: JSONValue = [
                "flow": .string(flow), "verdict": .string(line.verdict.rawValue), "subject": .string(line.subject),
                "text": .string(line.text),
            ]
            Console.write(answer.text + "\n")
        } else {
            let sign =
                switch line.verdict {
                case .ok: "ok     "
                case .warning: "warning"
                case .problem: "PROBLEM"
                }
            Console.write("\(sign)  \(flow)  \(line.subject): \(line.text)\n")
        }
    }
}
