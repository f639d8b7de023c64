// SPDX-License-Identifier: Apache-2.0

import Base
import Subprocesses
import Testing

@Suite("Subprocesses") struct SubprocessTests {
    @Test func `gives lines, environment and exit status`() async throws {
        let child = try Subprocess(
            "/bin/sh", ["-c", "echo one; echo \"$WORD\"; exit 7"], environment: ["WORD": "two words"])
        #expect(await child.nextLine() == "one")
        #expect(await child.nextLine() == "two words")
        #expect(await child.nextLine() == nil)
        #expect(await child.exitStatus() == 7)
        #expect(!child.isRunning && child.memory == nil)
    }

    @Test func `tells the signal that ended it`() async throws {
        let child = try Subprocess("/bin/sh", ["-c", "echo up; exec sleep 100"], environment: [:])
        #expect(await child.nextLine() == "up")
        #expect((child.memory?.peak ?? 0) > 0)
        child.signal(9)
        #expect(await child.exitStatus() == 137)
    }

    @Test func `says what can't be started`() {
        #expect(throws: Subprocess.Failure.self) {
            _ = try Subprocess("/nonexistent/program", [], environment: [:])
        }
    }
}
