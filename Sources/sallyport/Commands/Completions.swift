// SPDX-License-Identifier: Apache-2.0

extension Command {
    /// `sallyport completions SHELL`
    static let completions: Command = {
        let shell = Positional(name: "SHELL", doc: "The shell to complete in.", choices: ShellCompletions.shells)
        return Command(
            name: "completions", summary: "Print a script that completes commands and options in your shell.",
            examples: [
                .init(line: "source <(sallyport completions bash)", meaning: "In this shell only:"),
                .init(
                    line: "sallyport completions bash | sudo tee /etc/bash_completion.d/sallyport",
                    meaning: "For everybody:"),
            ],
            positionals: [shell],
            run: { arguments in
                guard let script = ShellCompletions.script(for: arguments[shell][0], .sallyport) else { return .usage }
                Console.write(script)
                return .ok
            })
    }()
}
