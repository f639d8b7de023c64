// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import Synchronization

/// A clock that stands until somebody sleeps, which moves it on at once.
final class ManualTime: TimeSource {
    private let state = Mutex(Duration.seconds(1000))
    private let start = Instant(milliseconds: 1_767_225_600_000)

    var uptime: Duration { state.withLock { $0 } }
    var now: Instant { start.advanced(by: uptime - .seconds(1000)) }
    func advance(by duration: Duration) { state.withLock { $0 += duration } }
    func sleep(untilUptime moment: Duration) async throws {
        try Task.checkCancellation()
        state.withLock { $0 = max($0, moment) }
    }
}

/// A tenant that gives tokens by itself and takes everything else from the script.
struct Tenant {
    let transport: ScriptedTransport
    let client: FalconClient
    let time = ManualTime()

    static let id = "ed578da6b8d84d1e9312e833e493773a"

    init(
        baseURL: String = "https://api.crowdstrike.com", memberCID: String? = nil,
        answering: @escaping @Sendable (ScriptedTransport.Recorded) -> ScriptedTransport.Answer = { _ in
            .status(200, #"{"meta":{"query_time":0.1,"trace_id":"t"},"resources":[],"errors":[]}"#)
        }
    ) throws {
        let issued = Mutex(0)
        transport = ScriptedTransport { recorded in
            guard recorded.request.url.hasSuffix("/oauth2/token") else { return answering(recorded) }
            let number = issued.withLock {
                $0 += 1
                return $0
            }
            return .status(201, #"{"access_token":"token-\#(number)","expires_in":1799,"token_type":"bearer"}"#)
        }
        client = try FalconClient(
            transport: transport,
            credentials: FalconCredentials(clientID: Self.id, clientSecret: Secret("s3cret"), memberCID: memberCID),
            baseURL: baseURL, time: time)
    }

    /// What was asked apart from tokens.
    var calls: [ScriptedTransport.Recorded] { transport.requests.filter { !$0.request.url.contains("/oauth2/") } }
    var tokenRequests: [ScriptedTransport.Recorded] {
        transport.requests.filter { $0.request.url.contains("/oauth2/") }
    }
}
