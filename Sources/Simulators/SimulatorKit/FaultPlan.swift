// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import Synchronization

/// The faults still to come. Which requests a probability strikes follows from the seed and the order of requests.
public final class FaultPlan: Sendable {
    private struct Armed {
        var rule: FaultRule
        var seen = 0
        var struck = 0
    }
    private struct State {
        var armed: [Armed]
        var random: SeededRandom
    }
    private let initial: [FaultRule]
    private let seed: UInt64
    private let state: Mutex<State>

    public init(_ rules: [FaultRule], seed: UInt64) {
        initial = rules
        self.seed = seed
        state = Mutex(State(armed: rules.map { Armed(rule: $0) }, random: SeededRandom(seed: seed)))
    }

    /// The rules that strike this request: at most one that decides the answer, and any number of latencies.
    func strike(method: String, path: String, operation: String) -> (decisive: FaultRule?, latencies: [FaultRule]) {
        state.withLock { state in
            var decisive: FaultRule?
            var latencies: [FaultRule] = []
            for index in state.armed.indices {
                let rule = state.armed[index].rule
                guard rule.matches(method: method, path: path, operation: operation) else { continue }
                if rule.kind != .latency, decisive != nil { continue }
                state.armed[index].seen += 1
                guard state.armed[index].seen > rule.skip, state.armed[index].struck < rule.times ?? .max,
                    rule.probability >= 1 || state.random.chance(rule.probability)
                else { continue }
                state.armed[index].struck += 1
                if rule.kind == .latency { latencies.append(rule) } else { decisive = rule }
            }
            return (decisive, latencies)
        }
    }

    func add(_ rules: [FaultRule]) {
        state.withLock { $0.armed += rules.map { Armed(rule: $0) } }
    }

    func clear() { state.withLock { $0.armed = [] } }

    /// Back to the rules and the seed of the start.
    func reset() {
        state.withLock {
            $0 = State(armed: initial.map { Armed(rule: $0) }, random: SeededRandom(seed: seed))
        }
    }

    /// `[{"kind":…,"path":…,"struck":2,"left":1}]`
    func json() -> JSONValue {
        .array(
            state.withLock { state in
                state.armed.map { armed in
                    let rule = armed.rule
                    return [
                        "kind": .string(rule.kind.rawValue), "argument": .int(rule.argument),
                        "method": rule.method.map { .string($0) } ?? .null,
                        "path": rule.path.map { .string($0) } ?? .null,
                        "operation": rule.operation.map { .string($0) } ?? .null,
                        "struck": .int(armed.struck), "left": rule.times.map { .int($0 - armed.struck) } ?? .null,
                    ]
                }
            })
    }
}
