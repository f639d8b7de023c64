// SPDX-License-Identifier: Apache-2.0

import Engine
import Settings
import Storage

extension Command {
    /// `sallyport approve [FLOW]`
    static let approve: Command = {
        let flow = Positional(name: "FLOW", doc: "The flow; may be left out when there is one.", arity: .optional)
        return Command(
            name: "approve",
            summary: "Let a flow go on that a ceiling has stopped: of deletes, or of hosts contained in an hour.",
            discussion: "Look at `sallyport plan` first, and at the log. The count of the last hour then begins anew.",
            options: ConfigurationChoice.options, positionals: [flow],
            run: { arguments in
                let configuration = try ConfigurationChoice(arguments).read()
                let names = configuration.flows.map(\.name)
                guard let name = arguments[flow].first ?? (names.count == 1 ? names[0] : nil), names.contains(name)
                else {
                    throw UsageError(
                        "Which flow?", remedy: "There are: \(names.joined(separator: ", ")).", path: arguments.path)
                }
                let store = try await SQLiteStore.open(path: StateFolder(configuration.process).file, mode: .tool)
                guard let number = try await store.names(in: .flow)[name] else {
                    await store.close()
                    Console.write("The flow “\(name)” has not run yet.\n")
                    return .problemFound
                }
                try await store.setValues(flow: number, [FlowValues.approval: Array("approved".utf8)])
                await store.close()
                Console.write(
                    arguments.isSet(CommandLineProgram.json)
                        ? "{\"flow\":\"\(name)\",\"approved\":true}\n" : "“\(name)” goes on within seconds.\n")
                return .ok
            })
    }()
}
