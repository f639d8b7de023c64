// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Settings

// covers: config:env-file
@Suite(".env") struct DotEnvTests {
    func read(_ text: String, outside: [String: String] = [:]) -> DotEnv {
        DotEnv(parsing: Array(text.utf8), file: ".env", outside: Environment(outside))
    }

    @Test func `reads what Python's dotenv reads`() {
        let file = read(
            """
            # comment
            A=1
              export B = two words  # comment
            C='lit $X ${A} # no \\n' # comment
            D="line\\nnext \\"q\\" ${A}${NONE:-d}"
            E=
            F=a#b
            G="first
            second"
            H=${HOME_OF}/x
            I= # empty

            """, outside: ["HOME_OF": "/h"])
        #expect(file.problems.isEmpty)
        #expect(
            file.entries.mapValues(\.value) == [
                "A": "1", "B": "two words", "C": "lit $X ${A} # no \\n", "D": "line\nnext \"q\" 1d", "E": "",
                "F": "a#b",
                "G": "first\nsecond", "H": "/h/x", "I": "",
            ])
        #expect(file.entries["H"]?.location.line == 10)
    }

    @Test func `references that multiply come to an end`() {
        let lines = (1...60).map { "A\($0)=${A\($0 - 1)}${A\($0 - 1)}" }
        let file = read("A0=\(String(repeating: "x", count: 1000))\n" + lines.joined(separator: "\n"))
        #expect(file.problems.contains { $0.severity == .error && $0.what.contains("more than") })
        #expect(file.entries.values.allSatisfy { $0.value.utf8.count <= SettingFile.maxBytes })
    }

    @Test func `finds names in any case`() {
        #expect(read("opencti_url=x").find("OPENCTI_URL")?.entry.value == "x")
    }

    @Test(arguments: ["just words\nA=1\n", "=x\nA=1", "A=1\nB=\"open"])
    func `a line that is none is a warning`(_ text: String) {
        let file = read(text)
        #expect(file.problems.count == 1 && file.problems.allSatisfy { $0.severity == .warning })
        #expect(file.entries.keys.sorted() == ["A"])
    }
}
