// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import Sekoia
import Telemetry

/// An HTTP endpoint of one's own that takes newline-delimited JSON. What its statuses mean is as with the intake.
struct Endpoint: Sendable {
    let transport: any HTTPTransport
    let url: String
    let token: Secret?
    let time: any TimeSource

    func send(_ body: [UInt8]) async -> SekoiaIntake.Answer {
        var request = HTTPRequest(.post, url, body: .bytes(body), operation: "endpoint.post")
        request.headers["Content-Type"] = "application/x-ndjson"
        request.headers["User-Agent"] = "sallyport-\(BuildInfo.version)"
        if let token { request.headers["Authorization"] = "Bearer " + token.reveal() }
        request.maxResponseBytes = 1 << 20
        return await SekoiaIntake.answer(to: request, over: transport, time: time)
    }
}
