// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import OpenCTI
import Synchronization

/// A clock that stands until somebody sleeps, which moves it on at once. 2026-01-01T00:00:00Z at first.
final class ManualTime: TimeSource {
    private let state = Mutex(Duration.seconds(1000))
    /// Sleeps that are still granted; the next one is cancelled, which ends a loop without a race.
    private let sleeps = Mutex(Int.max)
    private let start = Instant(milliseconds: 1_767_225_600_000)

    var uptime: Duration { state.withLock { $0 } }
    var now: Instant { start.advanced(by: uptime - .seconds(1000)) }
    func advance(by duration: Duration) { state.withLock { $0 += duration } }
    func sleep(untilUptime moment: Duration) async throws {
        try Task.checkCancellation()
        let isGranted = sleeps.withLock { left in
            left -= 1
            return left >= 0
        }
        guard isGranted else { throw CancellationError() }
        state.withLock { $0 = max($0, moment) }
    }
    func grant(sleeps count: Int) { sleeps.withLock { $0 = count } }
}

/// A platform that answers from a script.
struct Platform {
    let transport: ScriptedTransport
    let client: OpenCTIClient
    let time = ManualTime()

    init(
        url: String = "https://cti.example/base/", customHeaders: HTTPHeaders = [:], applicantID: String? = nil,
        answering: @escaping @Sendable (ScriptedTransport.Recorded) -> ScriptedTransport.Answer = { _ in .status(503) }
    ) throws {
        transport = ScriptedTransport { answering($0) }
        client = OpenCTIClient(
            transport: transport,
            configuration: try .init(
                url: url, token: Secret("t0ken"), userAgent: "sallyport/1.0", customHeaders: customHeaders,
                applicantID: applicantID), time: time)
    }

    /// The JSON bodies sent so far.
    func bodies() throws -> [JSONValue] { try transport.requests.map { try JSONValue(parsing: $0.body) } }
}

extension ScriptedTransport.Answer {
    static func data(_ json: String) -> Self {
        .status(200, headers: ["Content-Type": "application/json"], #"{"data":\#(json)}"#)
    }

    static func error(_ code: String, _ message: String = "no") -> Self {
        .status(
            200,
            #"{"errors":[{"message":"\#(message)","extensions":{"code":"\#(code)"},"name":"\#(code)"}],"data":null}"#)
    }

    static func events(_ pieces: [String], failure: HTTPError? = nil) -> Self {
        .stream(pieces, headers: ["Content-Type": "text/event-stream; charset=utf-8"], failure: failure)
    }
}
