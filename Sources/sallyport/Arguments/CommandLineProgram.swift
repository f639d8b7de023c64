// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Settings

/// A command tree as a program: arguments in, exit status out.
struct CommandLineProgram: Sendable {
    let root: Command
    /// Asks every command for JSON; failures then come as JSON on standard error too.
    static let json = Option(name: "json", doc: "Answer in JSON.")

    /// Where answers go.
    var write: @Sendable (String) -> Void = { Console.write($0) }
    /// Where complaints go.
    var complain: @Sendable (String) -> Void = { Console.complain($0) }

    init(_ root: Command) {
        self.root = root
    }

    /// - Parameter arguments: without the program's name.
    ///
    /// Runs on the cooperative pool: called from `main.swift` it would otherwise bind all it awaits to the main thread.
    @concurrent
    func run(_ arguments: [String]) async -> ExitCode {
        do {
            switch try ArgumentParser(root: root).parse(DockerParameter.commandLine(arguments, root: root)) {
            case .help(let path):
                write(CommandHelp(root: root, width: Console.width).text(path))
                return .ok
            case .run(let parsed):
                guard let body = parsed.command.run else { return .usage }
                return try await body(parsed)
            }
        } catch {
            return report(error, asJSON: arguments.contains("--\(Self.json.name)"))
        }
    }

    private func report(_ error: any Error, asJSON: Bool) -> ExitCode {
        let code: ExitCode =
            switch error {
            case is UsageError: .usage
            case is SettingsError: .configuration
            case is CancellationError: .interrupted
            default: .problemFound
            }
        let actionable = error as? any ActionableError
        let text = actionable?.description ?? (error is CancellationError ? "Interrupted." : String(describing: error))
        if asJSON {
            let answer: JSONValue = [
                "error": ["code": .string(actionable?.code.text ?? "unknown"), "message": .string(text)]
            ]
            complain(answer.text + "\n")
        } else {
            complain("\(root.name): \(text)\n")
            if let usage = error as? UsageError {
                complain("`\(([root.name] + usage.path + ["--help"]).joined(separator: " "))` tells how it is used.\n")
            }
        }
        return code
    }
}
