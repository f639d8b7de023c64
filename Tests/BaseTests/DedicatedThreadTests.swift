// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

private actor Counter {
    private let thread = DedicatedThread(name: "counter")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
    private(set) var value = 0
    func add() { value += 1 }
}

@Suite("Dedicated thread") struct DedicatedThreadTests {
    @Test func `runs an actor's jobs one after another`() async {
        let counter = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<100 { group.addTask { for _ in 0..<100 { await counter.add() } } }
        }
        #expect(await counter.value == 10_000)
    }
}
