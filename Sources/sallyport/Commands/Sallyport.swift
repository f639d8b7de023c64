// SPDX-License-Identifier: Apache-2.0

extension Command {
    /// The whole command line.
    static var sallyport: Command {
        Command(
            name: "sallyport", summary: "moves threat intelligence and detections between security systems.",
            discussion: """
                One program that connects OpenCTI with CrowdStrike Falcon and other systems: with the settings of the \
                connector it replaces, or with a sallyport.yaml of several flows.
                """,
            options: [CommandLineProgram.json],
            subcommands: [
                .run, .check, .plan, .explain, .dlq, .approve, .action, .enrich, .triage, .pattern, .settings,
                .simulate,
                .demo, .documents, .rule, .reference, .version, .completions,
            ])
    }
}
