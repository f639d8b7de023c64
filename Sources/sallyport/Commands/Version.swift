// SPDX-License-Identifier: Apache-2.0

import JSON
import Telemetry

extension Command {
    /// `sallyport version`
    static let version = Command(
        name: "version", summary: "Show the version and what it was built with.",
        examples: [.init(line: "sallyport version --json", meaning: "For a script:")],
        run: { arguments in
            if arguments.isSet(CommandLineProgram.json) {
                let answer: JSONValue = [
                    "version": .string(BuildInfo.version), "commit": BuildInfo.commit.map { .string($0) } ?? .null,
                    "swift": .string(BuildInfo.swift),
                ]
                Console.write(answer.text + "\n")
            } else {
                let commit = BuildInfo.commit.map { " (\($0))" } ?? ""
                Console.write("sallyport \(BuildInfo.version)\(commit), Swift \(BuildInfo.swift)\n")
            }
            return .ok
        })
}
