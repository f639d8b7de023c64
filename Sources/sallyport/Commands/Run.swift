// SPDX-License-Identifier: Apache-2.0

extension Command {
    /// `sallyport run [NAME]`
    static let run: Command = {
        let name = Positional(name: "NAME", doc: "The connector to replace; the same as --connector.", arity: .optional)
        return Command(
            name: "run", summary: "Run the flows of a sallyport.yaml, or replace a single connector.",
            discussion: """
                With a connector's name it takes exactly the environment variables and config.yml of the original that it \
                replaces. SIGTERM and SIGINT finish what is under way and stop; SIGHUP reads the settings again.
                """,
            examples: [
                .init(line: "sallyport run --config sallyport.yaml", meaning: "All flows of a file:"),
                .init(line: "sallyport run opencti-crowdstrike", meaning: "As a drop-in:"),
            ],
            options: ConfigurationChoice.options, positionals: [name],
            run: { arguments in
                let choice = try ConfigurationChoice(arguments, name: arguments[name].first)
                return try await Service(choice: choice, signals: Signals()).run()
            })
    }()
}
