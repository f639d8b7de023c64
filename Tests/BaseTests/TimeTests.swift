// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Base

@Suite("Time") struct TimeTests {
    private let time = SystemTime()

    @Test func `a sleep ends at its moment, and at once when that is past`() async throws {
        let moment = time.uptime + .milliseconds(2)
        try await time.sleep(untilUptime: moment)
        #expect(time.uptime >= moment)
        try await time.sleep(untilUptime: moment)
    }

    @Test func `who is cancelled sleeps no longer`() async throws {
        let time = time
        let sleeper = Task { try await time.sleep(for: .seconds(86_400)) }
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
        let tooLate = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await time.sleep(for: .seconds(-1))
        }
        await #expect(throws: CancellationError.self) { try await tooLate.value }
    }

    @Test func `a wait that was given up leaves nothing behind`() async {
        weak var kept: Alarm?
        do {
            let alarm = Alarm(after: .seconds(86_400))
            kept = alarm
            alarm.ring()
            await alarm.wait()
        }
        // Dispatch lets go of it on a thread of its own.
        while kept != nil { await Task.yield() }
    }

    @Test func `a time that no clock reaches is none that overflows`() {
        #expect(Duration.seconds(Int64.max).inNanoseconds == .max)
        #expect(Duration.milliseconds(1500).inNanoseconds == 1_500_000_000)
    }
}
