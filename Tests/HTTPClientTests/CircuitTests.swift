// SPDX-License-Identifier: Apache-2.0

import Base
import TestKit
import Testing

@testable import HTTPClient

@Suite("Circuit breaker") struct CircuitTests {
    let policy = CircuitPolicy()

    private func opened(at now: Duration) -> Circuit {
        var circuit = Circuit()
        for _ in 0..<policy.failures { circuit.failed(at: now, policy) }
        return circuit
    }

    @Test func `opens after failures in a row only`() {
        var circuit = Circuit()
        for _ in 0..<20 {
            for _ in 0..<4 { circuit.failed(at: .zero, policy) }
            circuit.succeeded()
        }
        #expect(!circuit.isOpen)
        for _ in 0..<5 { circuit.failed(at: .zero, policy) }
        #expect(circuit.isOpen)
        #expect(circuit.admit(at: .seconds(2), policy) == .seconds(3))
    }

    @Test func `one probe decides`() {
        var circuit = opened(at: .zero)
        #expect(circuit.admit(at: .seconds(5), policy) == nil)
        #expect(circuit.admit(at: .seconds(5), policy) == .seconds(1))
        circuit.succeeded()
        #expect(circuit.admit(at: .seconds(5), policy) == nil && !circuit.isOpen)
    }

    @Test func `each failed probe doubles the rest up to the longest`() {
        var circuit = opened(at: .zero)
        var now: Duration = .seconds(5)
        var rests: [Int64] = []
        for _ in 0..<7 {
            #expect(circuit.admit(at: now, policy) == nil)
            circuit.failed(at: now, policy)
            let rest = circuit.admit(at: now, policy) ?? .zero
            rests.append(rest.components.seconds)
            now += rest
        }
        #expect(rests == [10, 20, 40, 80, 120, 120, 120])
    }

    @Test func `a probe that tells nothing leaves the place to the next`() {
        var circuit = opened(at: .zero)
        #expect(circuit.admit(at: .seconds(5), policy) == nil)
        circuit.learnedNothing(at: .seconds(6))
        #expect(circuit.admit(at: .seconds(6), policy) == nil)
    }

    @Test func `spares a failing host, and only that one`() async throws {
        let time = TestTime(jumping: true)
        let script = ScriptedTransport { (call) throws(HTTPError) in
            if call.request.url == "http://bad/" { throw .connectionLost(url: "", reason: "") }
            return .status(200)
        }
        let transport = CircuitBroken(script, breaker: CircuitBreaker(time: time))
        let bad = HTTPRequest(.get, "http://bad/")
        for _ in 0..<5 { _ = try? await transport.send(bad, by: .never) }
        let error = await #expect(throws: HTTPError.self) { try await transport.open(bad, by: .never) }
        #expect(error?.code == "http.circuit_open" && script.requests.count == 5)
        #expect(try await transport.send(HTTPRequest(.get, "http://good/"), by: .never).status == 200)
        time.advance(by: .seconds(5))
        _ = try? await transport.send(bad, by: .never)
        #expect(script.requests.count == 7)
    }

    @Test func `refusals of one request say nothing about the host, gateway errors do`() async throws {
        let script = ScriptedTransport()
        let transport = CircuitBroken(script, breaker: CircuitBreaker())
        for status in [400, 401, 404, 429, 500, 400, 429, 500] { script.answer(.status(status)) }
        for _ in 0..<8 { _ = try await transport.send(HTTPRequest(.get, "http://h/"), by: .never) }
        for _ in 0..<5 { script.answer(.status(503)) }
        for _ in 0..<5 { _ = try await transport.send(HTTPRequest(.get, "http://h/"), by: .never) }
        await #expect(throws: HTTPError.self) { try await transport.send(HTTPRequest(.get, "http://h/"), by: .never) }
    }
}
