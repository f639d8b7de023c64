// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import sallyport

// covers: cli:completions
@Suite("Shell completions") struct CompletionTests {
    /// What bash offers for a line that ends at the cursor.
    func offers(_ words: String...) throws -> Set<String> {
        let script = try #require(ShellCompletions.script(for: "bash", Sample.root))
        let list = words.map { "'\($0)'" }.joined(separator: " ")
        let bash = Process()
        bash.executableURL = URL(fileURLWithPath: "/bin/bash")
        bash.arguments = [
            "--norc", "-c",
            script
                + "\nCOMP_WORDS=(prog \(list)); COMP_CWORD=\(words.count); _prog; printf '%s\\n' \"${COMPREPLY[@]}\"",
        ]
        let output = Pipe()
        bash.standardOutput = output
        try bash.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        bash.waitUntilExit()
        #expect(bash.terminationStatus == 0)
        return Set(text.split(separator: "\n").map(String.init))
    }

    @Test func `bash offers commands, options and values where they fit`() throws {
        #expect(try offers("") == ["run", "dlq", "explain"])
        #expect(try offers("d") == ["dlq"])
        #expect(try offers("dlq", "") == ["list", "show"])
        #expect(try offers("start", "") == ["one", "two"])
        #expect(try offers("run", "--f") == ["--form"])
        #expect(try offers("run", "--form", "") == ["table", "lines"])
        #expect(try offers("--json", "dlq", "l") == ["list"])
        #expect(try offers("dlq", "list", "--") == ["--quiet", "--json", "--config", "--help"])
        #expect(try offers("run", "-c", "/bin/bas").contains("/bin/bash"))
    }

    // covers: cli:completions
    @Test(arguments: ShellCompletions.shells)
    func `each shell's script names every command and option`(_ shell: String) throws {
        let script = try #require(ShellCompletions.script(for: shell, Sample.root))
        for word in ["run", "start", "dlq", "list", "show", "explain", "table"] { #expect(script.contains(word)) }
        for option in ["set", "wait", "form", "quiet", "verbose", "json", "config", "help"] {
            #expect(script.contains(shell == "fish" ? "-l \(option)" : "--\(option)"))
        }
        #expect(ShellCompletions.script(for: "csh", Sample.root) == nil)
    }
}
