// SPDX-License-Identifier: Apache-2.0

import Base
import TestKit
import Testing

@testable import HTTPClient

@Suite("Metered") struct MeteredTests {
    private struct Observer: HTTPObserver {
        let calls = Recorder<HTTPCall>()
        func observe(_ event: HTTPEvent) { if case .call(let call) = event { calls.append(call) } }
    }

    @Test func `tells operation, outcome, duration and sizes of each call`() async throws {
        let time = TestTime(jumping: true)
        let script = ScriptedTransport { (_) throws(HTTPError) in
            time.advance(by: .milliseconds(25))
            return .status(201, "12345")
        }
        let observer = Observer()
        let transport = Metered(script, observer: observer, time: time)
        let request = HTTPRequest(.post, "http://h/", body: .bytes([1, 2, 3]), operation: "test.create")
        _ = try await transport.send(request, by: .never)
        _ = try await transport.open(request, by: .never)
        script.answer(.failure(.connectionLost(url: "", reason: "")))
        await #expect(throws: HTTPError.self) { try await transport.send(request, by: .never) }
        let calls = observer.calls.elements
        #expect(calls.map(\.outcome) == [.status(201), .status(201), .failure("http.connection_lost")])
        #expect(calls.map(\.outcomeLabel) == ["2xx", "2xx", "http.connection_lost"])
        #expect(calls.map(\.duration) == [.milliseconds(25), .milliseconds(25), .zero])
        #expect(calls.map(\.receivedBytes) == [5, 0, 0])
        #expect(calls.allSatisfy { $0.sentBytes == 3 && $0.operation == "test.create" })
    }
}
